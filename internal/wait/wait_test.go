package wait_test

import (
	"context"
	"errors"
	"math"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

func TestFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b box
		var order []int
		tasks := make([]*wait.Owner, 5)
		for i := range tasks {
			tasks[i] = newTask(t)
			go func() {
				if b.take(&tasks[i].Scope) == nil {
					order = append(order, i)
					b.put()
				}
			}()
			synctest.Wait()
		}
		cancel(&tasks[0].Scope) // the first
		cancel(&tasks[2].Scope) // one in the middle
		synctest.Wait()
		if _, n := b.state(); n != 3 {
			t.Fatalf("%d wait, want 3", n)
		}
		b.put()
		synctest.Wait()
		if !slices.Equal(order, []int{1, 3, 4}) {
			t.Errorf("served in the order %v", order)
		}
	})
}

// The same waiters, from the same pool, serve in bubble after bubble and outside.
func TestWaitersAreOfNoBubble(t *testing.T) {
	wait1 := func(t *testing.T) {
		var b box
		for range 10 {
			var all sync.WaitGroup
			for range 10 {
				all.Go(func() {
					if err := b.take(context.Background()); err != nil {
						t.Error(err)
					}
				})
			}
			all.Go(func() {
				for range 10 {
					b.put()
				}
			})
			all.Wait()
		}
	}
	for range 5 {
		synctest.Test(t, wait1)
		wait1(t)
	}
}

func TestSleepInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTask(t)
		start := time.Now()
		if err := wait.Sleep(&o.Scope, wait.After(time.Hour)); err != nil || time.Since(start) != time.Hour {
			t.Errorf("slept %v: %v", time.Since(start), err)
		}
		s := wait.NewTimeout(&o.Scope, wait.After(time.Minute))
		if err := wait.Sleep(s, wait.After(time.Hour)); !errors.Is(err, wait.ErrTaskTimeout) || time.Since(start) != time.Hour+time.Minute {
			t.Errorf("slept %v: %v", time.Since(start), err)
		}
		s.Close()
		if err := wait.Sleep(context.Background(), wait.After(time.Second)); err != nil {
			t.Error(err)
		}
	})
}

// An operation that could complete at once fails all the same when its deadline
// has passed, though nobody ever waited and no alarm was set.
func TestExpiryIsNoticedWithoutWaiting(t *testing.T) {
	o := newTask(t)
	s := wait.NewTimeout(&o.Scope, wait.After(5*time.Millisecond))
	defer s.Close()
	b := box{tokens: math.MaxInt}
	var err error
	for err == nil {
		err = b.take(s)
	}
	if !errors.Is(err, wait.ErrTaskTimeout) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

func TestOuterCountsMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTask(t)
		outer := wait.NewTimeout(&o.Scope, wait.After(2*time.Second))
		inner := wait.NewTimeout(outer, wait.After(time.Second))
		sleep := func() error { return wait.Sleep(inner, wait.After(time.Hour)) }
		if err := sleep(); !errors.Is(err, wait.ErrTaskTimeout) || errors.Is(err, wait.ErrTimeoutCancellation) {
			t.Errorf("the inner has expired: %v", err)
		}
		if err := wait.Sleep(outer, wait.After(time.Hour)); !errors.Is(err, wait.ErrTaskTimeout) {
			t.Errorf("the outer has expired: %v", err)
		}
		if err := sleep(); !errors.Is(err, wait.ErrTimeoutCancellation) || errors.Is(err, wait.ErrTaskTimeout) {
			t.Errorf("both have expired: %v", err)
		}
		cancel(&o.Scope)
		if err := sleep(); !errors.Is(err, wait.ErrTaskCancelled) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the task is cancelled: %v", err)
		}
		if inner.Err() != context.DeadlineExceeded {
			t.Errorf("Err has changed to %v", inner.Err())
		}
	})
}

func TestShieldAndWindow(t *testing.T) {
	o := newTask(t)
	shield := wait.New(&o.Scope, wait.Shield)
	inside := wait.NewTimeout(shield, 0)
	window := wait.NewWindow(inside)
	child := taskUnder(t, shield)
	if wait.NewWindow(window) != nil || wait.NewWindow(&child.Scope) != nil || wait.NewWindow(&o.Scope) != nil {
		t.Error("a window where there is no shield")
	}
	o.Cancel(wait.NewCause(&o.Scope, wait.Cancelled, errors.New("why")))
	for _, s := range []*wait.Scope{shield, inside, &child.Scope} {
		if _, err := wait.At(s); err != nil {
			t.Errorf("a shielded operation: %v", err)
		}
	}
	if err := wait.Pending(inside); !errors.Is(err, wait.ErrTaskCancelled) {
		t.Errorf("what is held back: %v", err)
	}
	if _, err := wait.At(window); !errors.Is(err, wait.ErrTaskCancelled) {
		t.Errorf("in the window: %v", err)
	}
	window.Close()
	inside.Close()
	shield.Close()
	if child.Scope.Cause() == nil {
		t.Error("the task spawned under the shield outlives it")
	}
}

// An expired timeout inside a shield looks like its own in the window too.
func TestTimeoutBetweenShieldAndWindow(t *testing.T) {
	o := newTask(t)
	shield := wait.New(&o.Scope, wait.Shield)
	inside := wait.NewTimeout(shield, 1)
	window := wait.NewWindow(inside)
	if _, err := wait.At(window); !errors.Is(err, wait.ErrTaskTimeout) {
		t.Error(err)
	}
	if _, err := wait.At(shield); err != nil {
		t.Error(err)
	}
}

func TestNoAllocationPerWait(t *testing.T) {
	o := newTask(t)
	var b box
	wake := make(chan struct{})
	go func() {
		for range wake {
			until(t, "the wait", func() bool { _, n := b.state(); return n == 1 })
			b.put()
		}
	}()
	defer close(wake)
	for _, ctx := range []context.Context{&o.Scope, context.Background()} {
		if n := testing.AllocsPerRun(200, func() {
			wake <- struct{}{}
			_ = b.take(ctx)
		}); n >= 1 {
			t.Errorf("%T: %v allocations for a wait", ctx, n)
		}
		b.put()
		if n := testing.AllocsPerRun(200, func() { _ = b.take(ctx); b.put() }); n != 0 {
			t.Errorf("%T: %v allocations without a wait", ctx, n)
		}
		_ = b.take(ctx)
	}
}

func TestParkedShowsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTask(t)
		var b box
		go func() { _ = b.take(&o.Scope) }()
		synctest.Wait()
		if w, ok := o.Parked(); !ok || w.Op != "BOX" || w.Object != any(&b) {
			t.Errorf("shown as %+v, %v", w, ok)
		}
		b.put()
		synctest.Wait()
		if w, ok := o.Parked(); ok {
			t.Errorf("still shown as %+v", w)
		}
		if o.Cycles() != 1 {
			t.Errorf("%d cycles", o.Cycles())
		}
	})
}

func TestKernelCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := wait.NewKernel()
		o := taskUnder(t, k)
		if k.CloseEmpty() {
			t.Error("closed with a task in it")
		}
		var err error
		go func() { err = k.WaitEmpty(context.Background(), "X"); o = nil }()
		synctest.Wait()
		o.Scope.Close()
		synctest.Wait()
		if err != nil || o != nil || !k.CloseEmpty() || !k.CloseEmpty() {
			t.Error("the kernel does not close", err)
		}
		if new(wait.Owner).InitTask(k, wait.Default) {
			t.Error("a task in a closed kernel")
		}
	})
}

// A shutdown also reaches a task whose context was detached, below one that has
// been cancelled before.
func TestShutdownReachesAll(t *testing.T) {
	k := wait.NewKernel()
	o := taskUnder(t, k)
	detached := taskUnder(t, context.WithoutCancel(&o.Scope))
	daemon := new(wait.Owner)
	daemon.InitDaemon(&o.Scope, k)
	cancel(&o.Scope)
	if detached.Scope.Cause() != nil || daemon.Scope.Cause() != nil {
		t.Fatal("cancelled with a context that they are detached from")
	}
	k.Cancel(wait.NewCause(k, wait.Shutdown, nil))
	if detached.Scope.Cause() == nil || daemon.Scope.Cause() == nil {
		t.Error("not reached by the shutdown")
	}
}

// A goroutine that outlives its task can still clean up under a shield.
func TestShieldAfterTheTask(t *testing.T) {
	o := newTask(t)
	o.Scope.Close()
	if _, err := wait.At(wait.NewTimeout(&o.Scope, 0)); !errors.Is(err, context.Canceled) {
		t.Errorf("in a timeout of an ended task: %v", err)
	}
	shield := wait.New(&o.Scope, wait.Shield)
	defer shield.Close()
	if _, err := wait.At(shield); err != nil {
		t.Errorf("in the shield: %v", err)
	}
	if _, err := wait.At(wait.NewWindow(shield)); !errors.Is(err, context.Canceled) {
		t.Errorf("in a window of it: %v", err)
	}
}
