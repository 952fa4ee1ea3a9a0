package wait_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
)

// A grant, a cancellation and a timeout meet on the same wait. Whatever wins, no
// token is lost or doubled, the error says what happened, and nobody is left on a
// list.
func TestGrantCancelTimeoutRace(t *testing.T) {
	kernel := wait.NewKernel()
	var granted, cancelled, expired int
	for i := range testutil.Times(100_000) {
		var b box
		o := taskUnder(t, kernel)
		timeout := wait.NewTimeout(&o.Scope, wait.After(time.Duration(rand.IntN(40))*time.Microsecond))
		var start, done sync.WaitGroup
		start.Add(1)
		done.Go(func() {
			start.Wait()
			spin(i)
			b.put()
		})
		if i%2 == 0 {
			done.Go(func() {
				start.Wait()
				spin(i >> 4)
				cancel(&o.Scope)
			})
		}
		start.Done()
		err := b.take(timeout)
		done.Wait()

		tokens, waiters := b.state()
		if waiters != 0 || timeout.Waiters() != 0 {
			t.Fatalf("round %d: %d waiters are left on the object, %d on the scope", i, waiters, timeout.Waiters())
		}
		switch {
		case err == nil:
			granted++
		case errors.Is(err, wait.ErrTaskCancelled):
			cancelled++
			if i%2 != 0 {
				t.Fatalf("round %d: cancelled, and nobody did it", i)
			}
		case errors.Is(err, wait.ErrTaskTimeout):
			expired++
		default:
			t.Fatalf("round %d: %v", i, err)
		}
		if (tokens == 0) != (err == nil) {
			t.Fatalf("round %d: take returned %v, and %d tokens are left", i, err, tokens)
		}
		timeout.Close()
		o.Scope.Close()
	}
	if kernel.Children() != 0 {
		t.Fatalf("%d scopes are left", kernel.Children())
	}
	t.Logf("granted %d, cancelled %d, timed out %d", granted, cancelled, expired)
	if granted == 0 || cancelled == 0 || expired == 0 {
		t.Error("one of the three never won: the race is not tried")
	}
}

func spin(n int) {
	for range n % 64 {
		_ = wait.Now()
	}
}

// Tokens go round between many waiters while these are being cancelled. A waiter
// that is woken and cancelled at the same moment must pass the token on, or the
// rest starve.
func TestCancelledWaitersPassTokensOn(t *testing.T) {
	const waiters = 50
	for range testutil.Times(400) {
		var b box
		kernel := wait.NewKernel()
		var got atomic.Int64
		var all sync.WaitGroup
		tasks := make([]*wait.Owner, waiters)
		for i := range tasks {
			o := taskUnder(t, kernel)
			tasks[i] = o
			all.Go(func() {
				defer o.Scope.Close()
				if b.take(&o.Scope) == nil {
					got.Add(1)
					b.put()
				}
			})
		}
		until(t, "all wait", func() bool { _, n := b.state(); return n == waiters })
		all.Go(func() {
			for _, i := range rand.Perm(waiters)[:waiters/2] {
				cancel(&tasks[i].Scope)
			}
		})
		b.put()
		all.Wait()
		if tokens, left := b.state(); tokens != 1 || left != 0 {
			t.Fatalf("%d tokens and %d waiters are left; %d had it", tokens, left, got.Load())
		}
		if n := got.Load(); n < waiters-waiters/2 {
			t.Fatalf("only %d were served, %d were not cancelled", n, waiters-waiters/2)
		}
	}
}

// A thousand waiters are cancelled at once, by one cancellation of their parent.
func TestThousandCancelledTogether(t *testing.T) {
	const n = 1000
	var b box
	kernel := wait.NewKernel()
	group := wait.New(kernel, wait.Group)
	var failed atomic.Int64
	var all sync.WaitGroup
	for range n {
		o := taskUnder(t, group)
		all.Go(func() {
			if errors.Is(b.take(&o.Scope), wait.ErrTaskCancelled) {
				failed.Add(1)
			}
			o.Scope.Close()
		})
	}
	until(t, "all wait", func() bool { _, waiting := b.state(); return waiting == n })
	cancel(group)
	all.Wait()
	group.Close()
	if _, left := b.state(); failed.Load() != n || left != 0 || kernel.Children() != 0 {
		t.Fatalf("%d of %d were cancelled, %d are on the list, %d in the tree", failed.Load(), n, left, kernel.Children())
	}
}

// Scopes are opened and closed under a parent that ends, by being closed and by
// being cancelled, at that very moment. Whoever was below it when its kernel was
// cancelled has been cancelled.
func TestTreeChangesWhileCancelled(t *testing.T) {
	for i := range testutil.Times(30_000) {
		kernel := wait.NewKernel()
		parent := taskUnder(t, kernel)
		timeout := wait.NewTimeout(&parent.Scope, 0)
		var all sync.WaitGroup
		kinds := [2]*wait.Owner{}
		for j, under := range []*wait.Scope{&parent.Scope, timeout} {
			all.Go(func() {
				spin(i >> 5)
				kinds[j] = taskUnder(t, under)
			})
		}
		all.Go(func() { timeout.Close(); parent.Scope.Close() })
		all.Go(func() { spin(i); cancel(kernel) })
		all.Wait()
		for j, o := range kinds {
			if o.Scope.Cause() == nil {
				t.Fatalf("round %d: task %d was not reached by the cancellation", i, j)
			}
			o.Scope.Close()
		}
		if kernel.Children() != 0 {
			t.Fatalf("round %d: %d scopes are left", i, kernel.Children())
		}
	}
}

// Done, AfterFunc, Err and contexts derived by the standard library, all asked for
// while the scope is being cancelled.
func TestContextWhileCancelled(t *testing.T) {
	for i := range testutil.Times(30_000) {
		o := newTask(t)
		var all sync.WaitGroup
		var called atomic.Int64
		all.Go(func() { spin(i); cancel(&o.Scope) })
		all.Go(func() { <-o.Done() })
		all.Go(func() {
			ctx, stop := context.WithCancelCause(&o.Scope)
			<-ctx.Done()
			if !errors.Is(context.Cause(ctx), wait.ErrTaskCancelled) {
				t.Errorf("round %d: the cause is %v", i, context.Cause(ctx))
			}
			stop(nil)
		})
		all.Go(func() {
			stop := o.AfterFunc(func() { called.Add(1) })
			spin(i >> 6)
			if stop() {
				called.Add(1)
			}
		})
		all.Wait()
		until(t, "the callback", func() bool { return called.Load() == 1 })
		if o.Err() != context.Canceled {
			t.Fatalf("round %d: Err is %v", i, o.Err())
		}
		o.Scope.Close()
	}
}

// A sleeper is cancelled when its alarm rings; the alarm must not wake the next
// wait of the same waiter.
func TestAlarmRacesWithCancel(t *testing.T) {
	o := newTask(t)
	for i := range testutil.Times(20_000) {
		s := wait.NewTimeout(&o.Scope, 0)
		var all sync.WaitGroup
		all.Go(func() { spin(i); cancel(s) })
		err := wait.Sleep(s, wait.After(time.Duration(i%20)*time.Microsecond))
		if err != nil && !errors.Is(err, wait.ErrCancelled) {
			t.Fatal(err)
		}
		var b box
		all.Go(func() { b.put() })
		if err := b.take(&o.Scope); err != nil {
			t.Fatal(err)
		}
		all.Wait()
		s.Close()
		if tokens, waiters := b.state(); tokens != 0 || waiters != 0 {
			t.Fatalf("round %d: %d tokens, %d waiters: the wait was ended by an old alarm", i, tokens, waiters)
		}
	}
}

// Several goroutines wait with the context of one task.
func TestSharedContext(t *testing.T) {
	o := newTask(t)
	var b box
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range testutil.Times(5000) {
				if err := b.take(&o.Scope); err != nil {
					t.Error(err)
				}
				b.put()
			}
		})
	}
	b.put()
	all.Wait()
	if tokens, waiters := b.state(); tokens != 1 || waiters != 0 {
		t.Fatalf("%d tokens, %d waiters", tokens, waiters)
	}
}

// A timeout above expires while its cancellation is still on its way down through
// thousands of tasks. The last of them fails by itself, with the right error.
func TestExpiryOnItsWayDown(t *testing.T) {
	for range testutil.Times(200) {
		o := newTask(t)
		timeout := wait.NewTimeout(&o.Scope, wait.After(2*time.Millisecond))
		first := taskUnder(t, timeout)
		tasks := make([]*wait.Owner, 1000)
		for i := range tasks {
			tasks[i] = taskUnder(t, timeout)
		}
		var all sync.WaitGroup
		all.Go(func() {
			for err := error(nil); err == nil; {
				_, err = wait.At(timeout)
			}
		})
		inner := wait.NewTimeout(&first.Scope, 0)
		var err error
		for err == nil {
			_, err = wait.At(inner)
		}
		if !errors.Is(err, wait.ErrTaskCancelled) {
			t.Fatal(err)
		}
		all.Wait()
		inner.Close()
		timeout.Close()
	}
}
