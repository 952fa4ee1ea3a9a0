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

// errors.Is finds the name of a limit, and no other error, in the limit's errors wherever
// they are seen from: in a scope inside the limit, too.
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

// The name of a limit that was cancelled or closed before it expired is not found.
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
