package testutil

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"
)

// A Hostile is a context that misbehaves in the nth call of one of its methods, of
// AfterFunc, or of the stop function that AfterFunc returns.
type Hostile struct {
	context.Context // how it behaves otherwise

	acted chan struct{} // closed when it does

	mu     sync.Mutex
	calls  int
	method string
	n      int // calls of method until it acts
	act    func()
}

// NewHostile makes a context that does not act yet. Its Context must be set before it is
// used.
func NewHostile() *Hostile { return &Hostile{acted: make(chan struct{})} }

// At makes h act in the nth call of method from now on.
func (h *Hostile) At(method string, n int, act func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.method, h.n, h.act = method, n, act
}

// HostileMethods are the methods that can be passed to At.
var HostileMethods = []string{"Done", "Err", "Deadline", "Value", "AfterFunc", "stop"}

// HostileActs returns the ways in which a context may misbehave. One that hangs does so
// until release is closed.
func HostileActs(release <-chan struct{}) map[string]func() {
	return map[string]func(){
		"panics": func() { panic("hostile") },
		"exits":  runtime.Goexit,
		"hangs":  func() { <-release },
	}
}

// Calls returns the number of method calls so far.
func (h *Hostile) Calls() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls
}

// Acted is closed when h has acted.
func (h *Hostile) Acted() <-chan struct{} { return h.acted }

// HasActed reports whether h has acted.
func (h *Hostile) HasActed() bool {
	select {
	case <-h.acted:
		return true
	default:
		return false
	}
}

func (h *Hostile) called(method string) {
	h.mu.Lock()
	h.calls++
	var act func()
	if method == h.method {
		if h.n--; h.n == 0 {
			act = h.act
			close(h.acted)
		}
	}
	h.mu.Unlock()
	if act != nil {
		act()
	}
}

// Done is part of context.Context.
func (h *Hostile) Done() <-chan struct{} {
	h.called("Done")
	return h.Context.Done()
}

// Err is part of context.Context.
func (h *Hostile) Err() error {
	h.called("Err")
	return h.Context.Err()
}

// Deadline is part of context.Context.
func (h *Hostile) Deadline() (time.Time, bool) {
	h.called("Deadline")
	return h.Context.Deadline()
}

// Value is part of context.Context.
func (h *Hostile) Value(key any) any {
	h.called("Value")
	return h.Context.Value(key)
}

// WithAfterFunc returns h as a context that has an AfterFunc of its own, and a Done channel
// that package context does not know.
func (h *Hostile) WithAfterFunc() context.Context {
	c := hostileAfter{h, make(chan struct{})}
	context.AfterFunc(h.Context, func() { close(c.done) })
	return c
}

type hostileAfter struct {
	*Hostile
	done chan struct{}
}

func (c hostileAfter) Done() <-chan struct{} {
	c.called("Done")
	return c.done
}

func (c hostileAfter) AfterFunc(f func()) (stop func() bool) {
	c.called("AfterFunc")
	stop = context.AfterFunc(c.Context, f)
	return func() bool {
		c.called("stop")
		return stop()
	}
}

// RunHostile runs an operation with a context whose n-th call of method does act. The context
// is derived from base; parked reports whether the operation waits there. When it does,
// RunHostile cancels the context. Then it calls works, which checks that other operations
// can go on. met is false if there were fewer calls of method.
func RunHostile(t testing.TB, method, act string, n int, base context.Context, parked func() bool, run func(ctx context.Context) error, works func()) (met bool) {
	t.Helper()
	release, ended := make(chan struct{}), make(chan struct{})
	h := NewHostile()
	h.At(method, n, HostileActs(release)[act])
	base, stop := context.WithCancel(base)
	h.Context = base
	ctx := h.WithAfterFunc()
	go func() {
		defer close(ended)
		defer func() { _ = recover() }()
		_ = run(ctx)
	}()
	Await(t, "an operation that waits or has ended", func() bool {
		select {
		case <-ended:
			return true
		default:
			return parked() || h.HasActed()
		}
	})
	stop()
	select {
	case <-ended:
	case <-h.Acted():
	}
	if act != "hangs" {
		<-ended
	}
	works()
	met = h.HasActed()
	close(release)
	<-ended
	return met
}
