package network

import (
	"context"
	"time"

	"github.com/curio-go/curio"
)

// A handshaker is a Conn that has to agree on something with its peer at first.
type handshaker interface {
	Handshake(ctx context.Context) error
}

// usualHandshake is how long a handshake may take.
const usualHandshake = 10 * time.Second

// handshakeWithin does the handshake of conn, if it needs one, within limit: 0 stands for
// usualHandshake, and a negative limit for none.
func handshakeWithin(ctx context.Context, conn Conn, limit time.Duration) error {
	h, ok := conn.(handshaker)
	if !ok {
		return nil
	}
	switch {
	case limit == 0:
		limit = usualHandshake
	case limit < 0:
		limit = curio.NoTimeout
	}
	expired, err := curio.IgnoreAfter(ctx, limit, h.Handshake)
	if expired {
		return opError("handshake", conn, lateError(limit))
	}
	return err
}
