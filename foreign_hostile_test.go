package curio_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

// A context of somebody's may panic, end the goroutine or hang in any of its methods, at
// any call. Then the operation that it was given to has ended, or hangs, and that is all:
// what it would have waited at is as it was, for everybody else.

// A hostile context does something in the nth call of one of its methods.
type hostile struct {
	context.Context
	method string
	act    func()

	mu    sync.Mutex
	all   int           // calls of any method
	n     int           // calls that are left until it acts
	acted chan struct{} // closed when it does
}

func (h *hostile) called(method string) {
	h.mu.Lock()
	h.all++
	act := false
	if method == h.method {
		h.n--
		act = h.n == 0
	}
	h.mu.Unlock()
	if act {
		close(h.acted)
		h.act()
	}
}

func (h *hostile) hasActed() bool {
	select {
	case <-h.acted:
		return true
	default:
		return false
	}
}

func (h *hostile) Done() <-chan struct{} {
	h.called("Done")
	return h.Context.Done()
}

func (h *hostile) Err() error {
	h.called("Err")
	return h.Context.Err()
}

func (h *hostile) Deadline() (time.Time, bool) {
	h.called("Deadline")
	return h.Context.Deadline()
}

func (h *hostile) Value(key any) any {
	h.called("Value")
	return h.Context.Value(key)
}

// A callback is a hostile context with an AfterFunc of its own, and so with a Done channel
// that package context does not know.
type callback struct {
	*hostile
	done chan struct{}
}

func newCallback(h *hostile) callback {
	c := callback{h, make(chan struct{})}
	context.AfterFunc(h.Context, func() { close(c.done) })
	return c
}

func (c callback) Done() <-chan struct{} {
	c.called("Done")
	return c.done
}

func (c callback) AfterFunc(f func()) (stop func() bool) {
	c.called("AfterFunc")
	stop = context.AfterFunc(c.Context, f)
	return func() bool {
		c.called("stop")
		return stop()
	}
}

// A deed is what a hostile context does.
var deeds = map[string]func(release <-chan struct{}) func(){
	"panics": func(<-chan struct{}) func() { return func() { panic("hostile") } },
	"exits":  func(<-chan struct{}) func() { return runtime.Goexit },
	"hangs":  func(release <-chan struct{}) func() { return func() { <-release } },
}

// hostileOperations are those that open no scope below their context, as a group does. What
// becomes of such a scope has to do with nobody else.
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
		for deed := range deeds {
			if deed == "hangs" && strings.HasPrefix(o.state, "CONDITION") {
				continue // it hangs with the lock, which it had before
			}
			for _, method := range []string{"Done", "Err", "Deadline", "Value", "AfterFunc", "stop"} {
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
// whether it came to that.
func (o operation) meets(t *testing.T, deed, method string, n int) (met bool) {
	run := inKernel
	if o.real {
		run = withKernel
	}
	for _, own := range []bool{false, true} {
		run(t, func(ctx context.Context, f *fixture) {
			b := o.begin(ctx, f)
			release, ended := make(chan struct{}), make(chan struct{})
			h := &hostile{method: method, n: n, act: deeds[deed](release), acted: make(chan struct{})}
			begun := make(chan context.CancelFunc, 1)
			var err error
			task := curio.Go(ctx, func(ctx context.Context) error {
				defer close(ended)
				base, cancel := context.WithCancel(ctx)
				begun <- cancel
				h.Context = base
				var given context.Context = h
				if own {
					given = newCallback(h)
				}
				err = b.run(given)
				return nil
			}, curio.ReportCrash(false))
			cancel := <-begun
			defer cancel()
			o.settled(h, &task.AnyTask, ended)
			cancel() // if it waits
			select {
			case <-ended:
			case <-h.acted:
				if deed != "hangs" {
					<-ended
				}
			}
			if err := b.works(ctx); err != nil {
				f.Errorf("call %d of %s: %v", n, method, err)
			}
			close(release)
			<-ended
			if !h.hasActed() && !errors.Is(err, context.Canceled) {
				f.Errorf("call %d of %s: it was cancelled, and the error is %v", n, method, err)
			}
			met = met || h.hasActed()
			_ = task.Wait(ctx)
			f.Journal.take("whose calls were abandoned")
			f.Journal.take("outlive their kernel")
			f.Journal.take("panicked")
		}, curio.MaxThreads(1))
	}
	return met
}

// settled returns when the operation waits, has ended, or its context has acted.
func (o operation) settled(h *hostile, task *curio.AnyTask, ended <-chan struct{}) {
	if !o.real {
		synctest.Wait()
		return
	}
	for !h.hasActed() && task.State() != o.state {
		select {
		case <-ended:
			return
		default:
			runtime.Gosched()
		}
	}
}
