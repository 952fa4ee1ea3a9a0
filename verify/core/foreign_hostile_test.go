package core_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// A foreign context may panic, end the goroutine or hang in any of its methods, at any
// call. Then the operation that it was passed to ends or hangs, and that is all: the object
// that the operation would have waited for is unchanged for everybody else.

// hostileOperations returns the operations that open no scope below their context. A group
// opens one, but that concerns nobody else.
func hostileOperations() (all []operation) {
	for _, o := range operations() {
		if !strings.HasPrefix(o.name, "TaskGroup") && !strings.HasPrefix(o.name, "Group") && o.name != "Kernel.Shutdown" {
			all = append(all, o)
		}
	}
	return all
}

func TestHostileContexts(t *testing.T) {
	for _, o := range hostileOperations() {
		for deed := range testutil.HostileActs(nil) {
			if deed == "hangs" && strings.HasPrefix(o.state, "CONDITION") {
				continue // it hangs holding the lock, which it had before
			}
			for _, method := range testutil.HostileMethods {
				t.Run(o.name+"/"+deed+" in "+method, func(t *testing.T) {
					for n := 1; o.meets(t, deed, method, n); n++ {
						if n == 50 {
							t.Fatal("it calls it without end")
						}
					}
				})
			}
		}
	}
}

// meets runs o with a context that is hostile at the nth call of method, and reports
// whether that call was made.
func (o operation) meets(t *testing.T, deed, method string, n int) (met bool) {
	run := fixture.InKernel
	if o.real {
		run = fixture.WithKernel
	}
	for _, own := range []bool{false, true} {
		run(t, func(ctx context.Context, f *fixture.Fixture) {
			b := o.begin(ctx, f)
			release, ended := make(chan struct{}), make(chan struct{})
			h := testutil.NewHostile()
			h.At(method, n, testutil.HostileActs(release)[deed])
			begun := make(chan context.CancelFunc, 1)
			var err error
			task := curio.Go(ctx, func(ctx context.Context) error {
				defer close(ended)
				base, cancel := context.WithCancel(ctx)
				begun <- cancel
				h.Context = base
				var given context.Context = h
				if own {
					given = h.WithAfterFunc()
				}
				err = b.run(given)
				return nil
			}, curio.ReportCrash(false))
			cancel := <-begun
			defer cancel()
			o.settled(h, task.AnyTask, ended)
			cancel() // if it waits
			select {
			case <-ended:
			case <-h.Acted():
				if deed != "hangs" {
					<-ended
				}
			}
			if err := b.works(ctx); err != nil {
				f.Errorf("call %d of %s: %v", n, method, err)
			}
			close(release)
			<-ended
			if !h.HasActed() && !errors.Is(err, context.Canceled) {
				f.Errorf("call %d of %s: it was cancelled, and the error is %v", n, method, err)
			}
			met = met || h.HasActed()
			_ = task.Wait(ctx)
			f.ThreadsEnd()
			f.Journal.Take("whose calls were abandoned")
			f.Journal.Take("panicked")
		}, curio.MaxThreads(1))
	}
	return met
}

// settled returns when the operation waits, has ended, or its context has acted.
func (o operation) settled(h *testutil.Hostile, task *curio.AnyTask, ended <-chan struct{}) {
	if !o.real {
		synctest.Wait()
		return
	}
	for !h.HasActed() && task.State() != o.state {
		select {
		case <-ended:
			return
		default:
			runtime.Gosched()
		}
	}
}

// A moody context behaves until it is done.
type moody struct {
	context.Context
	act func()
}

func (m moody) Err() error {
	err := m.Context.Err()
	if err != nil {
		m.act()
	}
	return err
}

// A goroutine that cancels a scope does not ask a context above why it is done, in order to
// tell a standard context below: that could crash the program, or hold up a shutdown.
func TestTwinAsksNoForeignContext(t *testing.T) {
	atEnd := make(chan struct{})
	defer close(atEnd)
	for deed, act := range map[string]func(){
		"panics": func() { panic("a context of somebody's") },
		"exits":  runtime.Goexit,
		"hangs":  func() { <-atEnd },
	} {
		t.Run(deed, func(t *testing.T) {
			ended := make(chan struct{})
			above, cancelAbove := curio.WithTimeout(context.Background(), time.Hour)
			own, cancelOwn := context.WithCancel(above)
			defer cancelOwn()
			allowed := make(chan struct{})
			s, cancel := curio.WithTimeout(moody{own, func() {
				<-allowed // not before the scope has ended by itself
				act()
			}}, time.Hour)
			std, cancelStd := context.WithCancel(s)
			defer cancelStd()
			go func() {
				cancelAbove()
				close(allowed)
				cancel()
				close(ended)
			}()
			<-ended
			<-std.Done()
			if err := std.Err(); err != context.Canceled {
				t.Errorf("the standard context below says %v", err)
			}
		})
	}
}
