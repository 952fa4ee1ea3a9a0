package curio

import (
	"context"

	"github.com/curio-go/curio/internal/wait"
)

// DisableCancellation calls fn with a context that no cancellation and no deadline from outside
// reaches, for clean-up that has to block. A timeout set inside works as usual. Set one: nothing
// else bounds fn. When fn has returned, the cancellation that was held back takes effect again.
// Inside, CheckCancellation tells whether there is one. The error is fn's error.
//
// A task spawned with the context is under the shield too, until fn returns.
func DisableCancellation(ctx context.Context, fn func(context.Context) error) error {
	s := wait.New(ctx, wait.Shield)
	defer s.Close()
	return fn(s)
}

// EnableCancellation calls fn, inside of DisableCancellation, with a context that the cancellation
// from outside of all shields reaches again. Only fn can be cancelled; the code around it is still
// shielded. Outside of DisableCancellation the error is ErrNotShielded, and fn is not called.
func EnableCancellation(ctx context.Context, fn func(context.Context) error) error {
	s := wait.NewWindow(ctx)
	if s == nil {
		return ErrNotShielded
	}
	defer s.Close()
	return fn(s)
}

// CheckCancellation returns the error with which a blocking call would fail now, or nil if there is
// none. Inside of DisableCancellation it is the error that is held back. CheckCancellation does not
// block; a long computation calls it to find out when to stop.
func CheckCancellation(ctx context.Context) error { return wait.Pending(ctx) }
