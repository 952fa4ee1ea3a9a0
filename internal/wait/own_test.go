package wait_test

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
)

// A wait in the task's own scope is granted, cancelled and observed at the same moment. No
// token is lost or doubled, and an observer sees either a complete wait or none.
func TestOwnWaitRace(t *testing.T) {
	kernel := wait.NewKernel()
	var granted, cancelled, seen int
	for i := range testutil.Times(20_000) {
		var b box
		o := taskUnder(t, kernel)
		var start, done sync.WaitGroup
		var over atomic.Bool
		start.Add(1)
		put := func() { start.Wait(); spin(i); b.put() }
		first, second := put, func() { start.Wait(); spin(i >> 4); cancel(&o.Scope) }
		if i%4 == 0 { // on one processor, the goroutine started first runs first
			first, second = second, first
		}
		if i%2 != 0 {
			first, second = put, func() {}
		}
		done.Go(first)
		done.Go(second)
		done.Go(func() {
			start.Wait()
			for i%8 < 4 && !over.Load() {
				w, ok := o.Parked()
				if !ok {
					runtime.Gosched()
					continue
				}
				seen++
				if w.Op != "BOX" || w.Object != any(&b) || w.Since == 0 {
					t.Errorf("round %d: %v", i, w)
				}
			}
		})
		start.Done()
		err := b.take(&o.Scope)
		over.Store(true)
		done.Wait()
		tokens, waiters := b.state()
		if waiters != 0 || o.Waiters() != 0 || (tokens == 0) != (err == nil) {
			t.Fatalf("round %d: %v; %d tokens, %d waiters on the object, %d on the scope", i, err, tokens, waiters, o.Waiters())
		}
		switch {
		case err == nil:
			granted++
		case errors.Is(err, wait.ErrTaskCancelled) && i%2 == 0:
			cancelled++
		default:
			t.Fatalf("round %d: %v", i, err)
		}
		o.Scope.Close()
	}
	if granted == 0 || cancelled == 0 || seen == 0 {
		t.Errorf("%d granted, %d cancelled, %d looks: the race is not tried", granted, cancelled, seen)
	}
}

// A task ends while another goroutine begins to wait with the task's context. Waiters of
// finished tasks are reused.
func TestOwnWaitAsTheTaskEnds(t *testing.T) {
	kernel := wait.NewKernel()
	for i := range testutil.Times(20_000) {
		o := taskUnder(t, kernel)
		var b box
		var done sync.WaitGroup
		var err error
		done.Go(func() { spin(i); err = b.take(&o.Scope) })
		if i%3 == 0 {
			done.Go(func() { spin(i >> 5); _, _ = o.Parked() })
		}
		spin(i >> 6)
		o.Scope.Close()
		done.Wait()
		if !errors.Is(err, wait.ErrCancelled) {
			t.Fatalf("round %d: %v", i, err)
		}
		if _, n := b.state(); n != 0 {
			t.Fatalf("round %d: %d waiters are left", i, n)
		}
	}
}
