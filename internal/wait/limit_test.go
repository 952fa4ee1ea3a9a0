package wait_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// The errors of a limit are its name, wherever they are seen from, and those of a
// cancellation are not its reason's: that of a scope inside of the limit, too.
func TestLimitIsNamed(t *testing.T) {
	name, other := errors.New("the limit"), errors.New("another")
	synctest.Test(t, func(t *testing.T) {
		limit := wait.NewLimit(t.Context(), wait.After(time.Second), name)
		defer limit.Close()
		inner := wait.NewTimeout(limit, wait.After(time.Hour))
		defer inner.Close()
		std, cancel := context.WithCancel(limit)
		defer cancel()
		if at, ok := limit.Deadline(); !ok || time.Until(at) != time.Second {
			t.Errorf("deadline %v, %v", at, ok)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for what, ctx := range map[string]context.Context{"itself": limit, "a timeout inside": inner, "a standard context": std} {
			_, err := wait.At(ctx)
			if !errors.Is(err, name) || errors.Is(err, other) || !errors.Is(err, wait.ErrCancelled) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("in %s: %v", what, err)
			}
			if cause := context.Cause(ctx); !errors.Is(cause, name) {
				t.Errorf("the cause of %s: %v", what, cause)
			}
			if e := err.(*wait.Error); e.Cause().Reason != name {
				t.Errorf("the reason in %s: %v", what, e.Cause().Reason)
			}
		}
		if _, err := wait.At(limit); !errors.Is(err, wait.ErrTaskTimeout) || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("directly inside: %v", err)
		}
	})
}

// One that was cancelled before has not been met.
func TestLimitNotMet(t *testing.T) {
	name := errors.New("the limit")
	synctest.Test(t, func(t *testing.T) {
		limit := wait.NewLimit(t.Context(), wait.After(time.Second), name)
		limit.Cancel(wait.NewCause(limit, wait.Cancelled, nil))
		time.Sleep(time.Hour)
		if _, err := wait.At(limit); err == nil || errors.Is(err, name) {
			t.Errorf("%v", err)
		}
		limit.Close()
		limit = wait.NewLimit(t.Context(), wait.After(time.Second), name)
		limit.Close()
		if _, err := wait.At(limit); err == nil || errors.Is(err, name) {
			t.Errorf("closed: %v", err)
		}
	})
}
