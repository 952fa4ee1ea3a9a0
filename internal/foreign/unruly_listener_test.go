package foreign_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio/internal/foreign"
	"github.com/curio-go/curio/internal/wait"
)

// An unrulyListener does what it likes, although it has a SetDeadline method.
type unrulyListener struct {
	accept   func(l *unrulyListener) (net.Conn, error)
	shut     func(l *unrulyListener) error
	deadline func(l *unrulyListener) error
	closed   chan struct{}
	goOut    func()
	release  chan struct{}
}

func (l *unrulyListener) Accept() (net.Conn, error)   { return l.accept(l) }
func (l *unrulyListener) Close() error                { return l.shut(l) }
func (l *unrulyListener) Addr() net.Addr              { return &net.UnixAddr{Name: "here", Net: "odd"} }
func (l *unrulyListener) SetDeadline(time.Time) error { return l.deadline(l) }

func (l *unrulyListener) wait() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	case <-l.release:
		return nil, errReleased
	}
}

// newUnruly makes a listener that behaves well, until its methods are replaced.
func newUnruly() *unrulyListener {
	l := &unrulyListener{closed: make(chan struct{}), release: make(chan struct{})}
	l.goOut = sync.OnceFunc(func() { close(l.closed) })
	l.accept = (*unrulyListener).wait
	l.shut = func(l *unrulyListener) error { l.goOut(); return nil }
	l.deadline = func(*unrulyListener) error { return nil }
	return l
}

// Whatever a net.Listener does, a cancellation ends a call of Accept at once, and all other
// waits, too.
func TestUnrulyListener(t *testing.T) {
	hang := func(l *unrulyListener) error { <-l.release; return nil }
	for name, change := range map[string]func(l *unrulyListener){
		"all is well":            func(*unrulyListener) {},
		"Close hangs":            func(l *unrulyListener) { l.shut = hang },
		"Close ignored":          func(l *unrulyListener) { l.shut = func(*unrulyListener) error { return nil } },
		"SetDeadline hangs":      func(l *unrulyListener) { l.deadline = hang },
		"SetDeadline panics":     func(l *unrulyListener) { l.deadline = func(*unrulyListener) error { panic(errBoom) } },
		"SetDeadline exits":      func(l *unrulyListener) { l.deadline = func(*unrulyListener) error { runtime.Goexit(); return nil } },
		"SetDeadline is ignored": func(l *unrulyListener) { l.deadline = func(*unrulyListener) error { return nil } },
	} {
		for _, how := range []string{"cancelled", "timed out"} {
			t.Run(name+"/"+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					inner := newUnruly()
					change(inner)
					l := foreign.NewListener(inner)
					err := others(t).end(t, how, "ACCEPT_WAIT", 0, inner.release, func(ctx context.Context) error {
						_, err := l.Accept(ctx)
						return err
					})
					want(t, err, wait.ErrCancelled)
					// Close ends all calls of Accept, even if it hangs itself.
					waits, closed := make(chan error, 1), false
					go func() { _, err := l.Accept(background); waits <- err }()
					synctest.Wait()
					go func() { _ = l.Close(); closed = true }()
					synctest.Wait()
					if closed == (name == "Close hangs") {
						t.Errorf("closed: %v", closed)
					}
					if len(waits) == 0 {
						t.Fatal("the caller stays in Accept when the listener has been closed")
					}
					want(t, <-waits, net.ErrClosed)
					_, err = l.Accept(background)
					want(t, err, net.ErrClosed)
				})
			})
		}
	}
}

// A panic in the net.Listener's Accept, which runs in a goroutine of ours, reaches the
// caller.
func TestListenerPanics(t *testing.T) {
	accept := func(l *foreign.Listener) (panicked any, err error) {
		defer func() { panicked = recover() }()
		_, err = l.Accept(background)
		return nil, err
	}
	inner := newUnruly()
	l := foreign.NewListener(inner)
	inner.accept = func(*unrulyListener) (net.Conn, error) { panic(errBoom) }
	for range 3 {
		panicked, err := accept(l)
		fault, _ := panicked.(error)
		if err != nil || !errors.Is(fault, errBoom) || !strings.HasPrefix(fault.Error(), "panic in Accept of *foreign_test.unrulyListener: boom (unruly_listener_test.go:") {
			t.Errorf("%v, %v", err, panicked)
		}
	}
	inner.accept = func(*unrulyListener) (net.Conn, error) { runtime.Goexit(); return nil, nil }
	for range 3 {
		if panicked, err := accept(l); err == nil || !strings.Contains(err.Error(), "Accept of *foreign_test.unrulyListener called runtime.Goexit") {
			t.Errorf("%v, %v", err, panicked)
		}
	}
	inner.accept = (*unrulyListener).wait
	check(t, l.Close())
}

// A connection that is accepted after the listener was closed is closed, too, with no lock
// held, whatever its Close does.
func TestAcceptedTooLate(t *testing.T) {
	for name, shut := range map[string]func(*unruly) error{"works": works, "hangs": hangs, "panics": panics, "exits": exits} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				late := (&unruly{shut: func(u *unruly) error { u.goOut(); return shut(u) }}).init()
				inner := newUnruly()
				inner.accept = func(l *unrulyListener) (net.Conn, error) { <-l.closed; return late, nil }
				l := foreign.NewListener(inner)
				scope := wait.NewTimeout(background, wait.After(time.Second))
				_, err := l.Accept(scope)
				want(t, err, wait.ErrCancelled)
				check(t, l.Close())
				synctest.Wait()
				select {
				case <-late.out:
				default:
					t.Error("it was not closed")
				}
				_, err = l.Accept(background)
				want(t, err, net.ErrClosed)
				close(late.release)
			})
		})
	}
}
