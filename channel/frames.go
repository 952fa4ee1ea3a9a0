package channel

import "context"

// frames is one end of a connection, by the frames of the wire format: what a handshake needs.
type frames interface {
	// sendFrame sends b as a frame.
	sendFrame(ctx context.Context, b []byte) error

	// recvFrame receives a frame of at most limit bytes. A longer one is ErrTooLong, and stays where it is. At
	// the end, between two frames, it returns io.EOF. What comes after the frame is left for the next call.
	recvFrame(ctx context.Context, limit int) ([]byte, error)
}
