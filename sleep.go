package curio

import (
	"context"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// Sleep blocks for at least d. If ctx ends first, it returns that error. A d of 0
// or less lets other goroutines run; ctx is checked all the same.
func Sleep(ctx context.Context, d time.Duration) error { return wait.Sleep(ctx, wait.After(d)) }

// WakeAt blocks until the clock has reached t, and returns what the clock shows
// then. For work at a fixed rate, add the period to t and not to the result. If
// ctx ends first, it returns that error.
func WakeAt(ctx context.Context, t time.Time) (time.Time, error) {
	err := wait.Sleep(ctx, wait.Until(t))
	return Clock(ctx), err
}

// Clock is the time by the clock that timeouts and sleeps go by, with a monotonic
// reading.
func Clock(context.Context) time.Time { return wait.Clock() }
