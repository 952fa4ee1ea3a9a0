package core_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// A goroutine that waits under a context whose tie to its task was cut is none of the
// kernel's business: shutting that down does not wait for it, as it could not end it.
func TestShutdownLeavesForeignWaitsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e curio.Event
		done := make(chan error)
		err := curio.Run(t.Context(), func(ctx context.Context) error {
			go func() { done <- e.Wait(context.WithoutCancel(ctx)) }()
			return curio.Sleep(ctx, time.Second)
		})
		if err != nil {
			t.Error(err)
		}
		e.Set()
		if err := <-done; err != nil {
			t.Errorf("the wait that was left alone: %v", err)
		}
	})
}

// So does net/http, which dials in a goroutine of its own, with a context that it has
// cut from the request's.
func TestShutdownWhileTransportDials(t *testing.T) {
	var e curio.Event
	dialing, dialed := make(chan struct{}), make(chan struct{})
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		close(dialing)
		defer close(dialed)
		return nil, e.Wait(ctx)
	}}
	err := curio.Run(t.Context(), func(ctx context.Context) error {
		task := curio.Go(ctx, func(ctx context.Context) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:1/", nil)
			if err != nil {
				return err
			}
			_, err = transport.RoundTrip(req)
			return err
		})
		<-dialing
		_, err := task.Cancel(ctx)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	e.Set()
	<-dialed
}

// The task's state shows such a wait all the same.
func TestForeignWaitIsShown(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var e curio.Event
		task := curio.Go(ctx, func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			if err := curio.TimeoutAfter(ctx, time.Minute, e.Wait); err != nil {
				return err
			}
			return curio.Sleep(ctx, time.Second)
		})
		synctest.Wait()
		if s := task.State(); s != "EVENT_WAIT" {
			f.Errorf("under a foreign context the task is %s", s)
		}
		e.Set()
		synctest.Wait()
		if s := task.State(); s != "TIME_SLEEP" {
			f.Errorf("after that it is %s", s)
		}
		_, err := task.Join(ctx)
		if err != nil || task.State() != "TERMINATED" {
			f.Error(err, task.State())
		}
	})
}

// What was cut from a kernel that has ended works on: sleeping, timeouts, shields,
// another kernel.
func TestUnderTheContextOfAnEndedKernel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := fixture.EndedKernel()
		cut := context.WithoutCancel(ended)
		sleep := func(ctx context.Context) error { return curio.Sleep(ctx, time.Second) }
		for what, err := range map[string]error{
			"Sleep":        sleep(cut),
			"TimeoutAfter": curio.TimeoutAfter(cut, time.Minute, sleep),
			"Run":          curio.Run(cut, sleep),
			"shield":       curio.DisableCancellation(ended, sleep),
		} {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := sleep(ended); err == nil {
			t.Error("Sleep under the context itself succeeds")
		}
	})
}

// A Condition's Wait takes its lock back in such a place, too.
func TestConditionUnderTheContextOfAnEndedKernel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c curio.Condition
		ctx, cancel := context.WithCancel(context.WithoutCancel(fixture.EndedKernel()))
		defer cancel()
		if err := c.Acquire(ctx); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			err := c.Wait(ctx)
			c.Release(ctx)
			done <- err
		}()
		bg := context.Background()
		if err := c.Acquire(bg); err != nil { // the other one waits now
			t.Fatal(err)
		}
		cancel()
		synctest.Wait()
		c.Release(bg)
		if err := <-done; err == nil {
			t.Error("the wait was not cancelled")
		}
	})
}

// Nothing of the user's is called when the waiter is in the queue already.
func TestContextThatPanics(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l curio.Lock
		_ = l.Acquire(ctx)
		other, cancel := context.WithCancel(context.Background())
		defer cancel()
		done := make(chan error)
		go func() {
			err := l.Acquire(fixture.BadContext{Context: other})
			if err == nil {
				l.Release(other)
			}
			done <- err
		}()
		synctest.Wait()
		l.Release(ctx)
		if err := <-done; err != nil {
			f.Error(err)
		}
		if l.Locked() {
			f.Errorf("it is %v", &l)
		}
	})
}

// A main task that its foreign context has ended was cancelled, wherever in the task one asks: in its
// own context, in a standard one derived from that, and in a timeout or a group in there.
func TestCancelledByAForeignContextAsSeenFromBelow(t *testing.T) {
	for _, how := range []string{"cancelled", "out of time"} {
		ctx, cancel := context.WithCancel(t.Context())
		if how == "out of time" {
			ctx, cancel = context.WithTimeout(t.Context(), time.Nanosecond)
		}
		err := curio.Run(ctx, func(ctx context.Context) error {
			derived, stop := context.WithCancel(ctx)
			defer stop()
			inner, end := curio.WithTimeout(derived, curio.NoTimeout)
			defer end()
			if how == "cancelled" {
				cancel()
			}
			<-ctx.Done()
			for what, below := range map[string]context.Context{"its own": ctx, "a derived one": derived, "a timeout in that": inner} {
				if err := curio.Sleep(below, curio.NoTimeout); !errors.Is(err, curio.ErrTaskCancelled) {
					t.Errorf("%s, in %s: %v", how, what, err)
				}
			}
			err := curio.Group(derived, func(ctx context.Context, _ *curio.Tasks) error { return fixture.Sleeper(ctx) })
			if !errors.Is(err, curio.ErrTaskCancelled) {
				t.Errorf("%s, in a group: %v", how, err)
			}
			return nil
		})
		cancel()
		if err != nil {
			t.Error(err)
		}
	}
}

// The same when the derived context is that of a group that has ended before the task was cancelled.
func TestCancelledAfterTheGroupOfADerivedContext(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Go(ctx, func(ctx context.Context) error {
			var derived context.Context
			var stop context.CancelFunc
			f.Must(curio.Group(ctx, func(ctx context.Context, _ *curio.Tasks) error {
				derived, stop = context.WithCancel(ctx)
				return nil
			}))
			defer stop()
			fixture.Is(f, "before", curio.Sleep(derived, time.Second), fixture.ScopeCancelled...)
			curio.CurrentTask(ctx).CancelNow()
			fixture.Is(f, "after", curio.Sleep(derived, time.Second), fixture.TaskCancelled...)
			return nil
		})
		f.Must(task.Wait(ctx))
		f.Must(task.Err())
	})
}
