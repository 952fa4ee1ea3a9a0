package network

import (
	"context"
	"errors"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// A handshaker is a Conn that has to agree on something with its peer at first.
type handshaker interface {
	Handshake(ctx context.Context) error
}

// usualHandshake is how long a handshake may take.
const usualHandshake = 10 * time.Second

// handshakeBound returns the bound that a HandshakeTimeout stands for, 0 for none.
func handshakeBound(limit time.Duration) time.Duration {
	if limit == 0 {
		return usualHandshake
	}
	return max(limit, 0)
}

// handshakeWithin does the handshake of conn, if it needs one, within limit: 0 stands for
// usualHandshake, and a negative limit for none.
func handshakeWithin(ctx context.Context, conn Conn, limit time.Duration) error {
	h, ok := conn.(handshaker)
	if !ok {
		return nil
	}
	if limit = handshakeBound(limit); limit == 0 {
		return h.Handshake(ctx)
	}
	return within(ctx, limit, conn, "handshake", lateError(limit), h.Handshake)
}

// within calls fn, an operation on conn, with a context that ends after limit. If the limit
// cuts it short, late is the cause of the error. If ctx does, the error is the same as
// without a limit: nobody else needs to know that there is one.
func within(ctx context.Context, limit time.Duration, conn Conn, op string, late error, fn func(ctx context.Context) error) error {
	bound, cancel := curio.WithTimeout(ctx, limit)
	err := fn(bound)
	over := err != nil && bound.Err() != nil
	cancel()
	if !over || !errors.Is(err, curio.ErrCancelled) {
		return err // it may be another timeout, such as one in a function of the configuration
	}
	if _, ended := wait.At(ctx); ended != nil {
		return opError(op, conn, ended)
	}
	return opError(op, conn, late)
}
