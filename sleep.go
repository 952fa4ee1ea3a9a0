package curio

import (
	"context"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// Sleep blocks for at least d. If ctx is done first, the error is ctx's error. If d is 0 or less,
// Sleep lets other goroutines run; it checks ctx even then.
//
// A task that sleeps is in the state TIME_SLEEP.
func Sleep(ctx context.Context, d time.Duration) error { return wait.Sleep(ctx, wait.After(d)) }

// WakeAt blocks until the clock has reached t, and returns the time that the clock shows then. For
// work at a fixed rate, add the period to t and not to the result. If ctx is done first, the error
// is ctx's error.
func WakeAt(ctx context.Context, t time.Time) (time.Time, error) {
	err := wait.Sleep(ctx, wait.Until(t))
	return Clock(ctx), err
}

// Clock returns the current time of the clock that timeouts and sleeps use, with a monotonic
// reading.
func Clock(context.Context) time.Time { return wait.Clock() }
