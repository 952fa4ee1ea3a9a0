package channel

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"sync"
	"syscall"

	"github.com/curio-go/curio"
)

// Send encodes v with the connection's [Codec] and sends it as one message. When it returns without
// an error, the system has accepted the message. If v cannot be encoded, Send returns an error and
// has sent nothing.
//
// If ctx is done before the first byte is sent, Send returns an error that wraps ctx's error and
// has sent nothing. If ctx is done later, or the connection fails, a part of the message has been
// sent: the error also wraps ErrCut, and the connection has been closed. Over TLS the whole message
// may still arrive, as encrypted data is sent when the connection is closed. If the error means
// that the peer has gone, the connection stays open, so that messages that the peer has sent before
// can be received.
//
// Methods of v that encode it are called in the caller's task, before it waits for other tasks.
// With Gob they are called in a separate goroutine, for which the task waits, and their panic is an
// error. No other task can send meanwhile: such a method must not send on the connection, and while
// it does not return, other tasks wait to send; they can be cancelled.
//
// It is Curio's Connection.send. The system call is sendto(2) or write(2). A task that waits is in
// the state LOCK_ACQUIRE while other tasks send, and WRITE_WAIT while the system has no room.
func (c *Conn) Send(ctx context.Context, v any) error {
	if err := c.send(ctx, v); err != nil {
		return c.failed("send", err)
	}
	return nil
}

func (c *Conn) send(ctx context.Context, v any) error {
	if c.codec == JSON {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		return c.sendFrame(ctx, b)
	}
	if err := c.startSending(ctx); err != nil {
		return err
	}
	defer c.sending.Release(ctx)
	b, err := c.encoder.Encode(v)
	if err != nil {
		return err
	}
	sent, err := c.write(ctx, b)
	if err != nil && !sent {
		c.encoder.Reset() // it counts on what the other side does not get
	}
	return err
}

// SendBytes sends b as one message, which may be empty. It does not keep b. Cancellation and
// everything else is as for [Conn.Send].
//
// It is Curio's Connection.send_bytes.
func (c *Conn) SendBytes(ctx context.Context, b []byte) error {
	if err := c.sendFrame(ctx, b); err != nil {
		return c.failed("send", err)
	}
	return nil
}

func (c *Conn) sendFrame(ctx context.Context, b []byte) error {
	if err := c.startSending(ctx); err != nil {
		return err
	}
	defer c.sending.Release(ctx)
	_, err := c.write(ctx, b)
	return err
}

// startSending takes the turn to send. After it c.sending.Release(ctx) passes it on.
func (c *Conn) startSending(ctx context.Context) error {
	if err := c.start(ctx, &c.sending); err != nil {
		return err
	}
	if c.unusable != nil {
		c.sending.Release(ctx)
		return c.unusable
	}
	return nil
}

// headerSize is the length of the longest header.
const headerSize = 12

// atOnce is how much of a message goes out together with its header. A Python program waits without a timeout
// in the middle of a message, so those that it sends in one piece itself should be one here, too.
const atOnce = 16 << 10

var blocks = sync.Pool{New: func() any { return new([headerSize + atOnce]byte) }}

// write sends b as a frame, in turn. If it fails, sent says whether a part of the frame has been sent.
func (c *Conn) write(ctx context.Context, b []byte) (sent bool, err error) {
	block := blocks.Get().(*[headerSize + atOnce]byte)
	defer blocks.Put(block)
	first := appendHeader(block[:0], uint64(len(b)))
	with := min(len(b), atOnce)
	first = append(first, b[:with]...)
	n, err := c.out.Write(ctx, first)
	if err == nil && with < len(b) {
		var more int
		more, err = c.out.Write(ctx, b[with:])
		n += more
	}
	if err == nil || n == 0 {
		return n > 0, err
	}
	return true, c.cut(err)
}

// cut notes that a frame was sent only in part, because of err, and returns the error of that.
func (c *Conn) cut(err error) error {
	err = causeOf(err)
	c.unusable = &cutError{elsewhere(err)}
	if !isGone(err) {
		_ = c.close(c.unusable)
	}
	return &cutError{err}
}

// elsewhere is err for others than the one whose context was done: they were not cancelled, and have not timed
// out.
func elsewhere(err error) error {
	if errors.Is(err, curio.ErrCancelled) {
		return errors.New(err.Error())
	}
	return err
}

// isGone reports whether err means that the other side is no longer there: then nobody waits for the rest of a
// frame.
func isGone(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// appendHeader appends the header of a frame with that many bytes.
func appendHeader(b []byte, size uint64) []byte {
	if size <= math.MaxInt32 {
		return binary.BigEndian.AppendUint32(b, uint32(size))
	}
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, math.MaxUint32), size)
}
