package foreign_test

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio/internal/foreign"
	"github.com/curio-go/curio/internal/wait"
)

const patience = 5 * time.Second // the same as in package foreign

var (
	errBoom     = errors.New("boom")
	errReleased = errors.New("released at the end of the test")
)

// An unruly is a net.Conn whose methods do what they like. goOut makes a call return that
// waits for the other side.
type unruly struct {
	set, takeBack, shut func(u *unruly) error // SetDeadline to the past, to none, and Close

	locks   bool          // a call that waits for the other side holds lock
	lock    chan struct{} // full while it is held; with a sync.Mutex, a bubble's time would not pass
	out     chan struct{}
	goOut   func()
	release chan struct{} // ends all calls at the end of the test
}

func (u *unruly) init() *unruly {
	u.lock, u.out, u.release = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	u.goOut = sync.OnceFunc(func() { close(u.out) })
	return u
}

func (u *unruly) wait() error {
	if u.locks {
		u.lock <- struct{}{}
		defer func() { <-u.lock }()
	}
	select {
	case <-u.out:
		return os.ErrDeadlineExceeded
	case <-u.release:
		return errReleased
	}
}

func (u *unruly) deadline(at time.Time) error {
	switch {
	case !at.IsZero():
		return u.set(u)
	case u.takeBack != nil:
		return u.takeBack(u)
	}
	return nil
}

func (u *unruly) Read([]byte) (int, error)           { return 0, u.wait() }
func (u *unruly) Write([]byte) (int, error)          { return 0, u.wait() }
func (u *unruly) CloseWrite() error                  { return u.wait() }
func (u *unruly) Close() error                       { return u.shut(u) }
func (u *unruly) SetDeadline(at time.Time) error     { return u.deadline(at) }
func (u *unruly) SetReadDeadline(at time.Time) error { return u.deadline(at) }
func (u *unruly) SetWriteDeadline(t time.Time) error { return u.deadline(t) }
func (u *unruly) LocalAddr() net.Addr                { return &net.UnixAddr{Name: "here", Net: "odd"} }

func (u *unruly) RemoteAddr() net.Addr { return &net.UnixAddr{Name: "there", Net: "odd"} }

// A shy is an unruly that has a handshake.
type shy struct{ *unruly }

func (s shy) HandshakeContext(context.Context) error { return s.wait() }

// What the methods may do.
func works(u *unruly) error   { u.goOut(); return nil }
func ignores(*unruly) error   { return nil }
func refuses(*unruly) error   { return errors.New("deadline not supported") }
func hangs(u *unruly) error   { <-u.release; return nil }
func panics(*unruly) error    { panic(errBoom) }
func exits(*unruly) error     { runtime.Goexit(); return nil }
func blurts(u *unruly) error  { u.goOut(); panic(errBoom) }
func leaves(u *unruly) error  { u.goOut(); runtime.Goexit(); return nil }
func lingers(u *unruly) error { u.goOut(); return hangs(u) }

func locked(then func(*unruly) error) func(*unruly) error {
	return func(u *unruly) error {
		select {
		case u.lock <- struct{}{}:
			defer func() { <-u.lock }()
			return then(u)
		case <-u.release:
			return errReleased
		}
	}
}

const never = -1

// unrulies are the ways in which a net.Conn may misbehave, with the time after which a
// cancelled operation ends.
var unrulies = map[string]struct {
	conn  unruly
	after time.Duration
	fault string // what else the error says
	stays bool   // the connection can be used afterwards
}{
	"all is well":                                {unruly{set: works, shut: works}, 0, "", true},
	"no deadlines":                               {unruly{set: refuses, shut: works}, 0, "", false},
	"no deadlines, Close hangs":                  {unruly{set: refuses, shut: hangs}, never, "", false},
	"no deadlines, Close hangs at last":          {unruly{set: refuses, shut: lingers}, patience, "", false},
	"no deadlines, Close panics":                 {unruly{set: refuses, shut: panics}, never, "panic in Close of", false},
	"no deadlines, Close panics at last":         {unruly{set: refuses, shut: blurts}, 0, "panic in Close of", false},
	"no deadlines, Close exits at last":          {unruly{set: refuses, shut: leaves}, 0, "Close of", false},
	"no deadlines, Close needs a lock":           {unruly{set: refuses, shut: locked(works), locks: true}, never, "", false},
	"SetDeadline hangs":                          {unruly{set: hangs, shut: works}, patience, "", false},
	"SetDeadline hangs, having worked":           {unruly{set: lingers, shut: works}, patience, "", false},
	"SetDeadline and Close hang":                 {unruly{set: hangs, shut: hangs}, never, "", false},
	"SetDeadline hangs, having worked, as Close": {unruly{set: lingers, shut: hangs}, 2 * patience, "", false},
	"SetDeadline needs a lock":                   {unruly{set: locked(works), shut: works, locks: true}, patience, "", false},
	"SetDeadline and Close need a lock":          {unruly{set: locked(works), shut: locked(works), locks: true}, never, "", false},
	"SetDeadline panics":                         {unruly{set: panics, shut: works}, 0, "Deadline of", false},
	"SetDeadline panics, Close hangs":            {unruly{set: panics, shut: hangs}, never, "boom", false},
	"SetDeadline exits":                          {unruly{set: exits, shut: works}, 0, "called runtime.Goexit", false},
	"deadlines ignored":                          {unruly{set: ignores, shut: works}, patience, "", false},
	"deadlines ignored, Close panics":            {unruly{set: ignores, shut: blurts}, patience, "boom (unruly_test.go:", false},
	"deadlines ignored, Close exits":             {unruly{set: ignores, shut: leaves}, patience, "called runtime.Goexit", false},
	"deadlines ignored, Close hangs":             {unruly{set: ignores, shut: hangs}, never, "", false},
	"deadlines and Close ignored":                {unruly{set: ignores, shut: ignores}, never, "", false},
	"taking back hangs":                          {unruly{set: works, takeBack: hangs, shut: works}, patience, "", false},
	"taking back hangs, Close hangs":             {unruly{set: works, takeBack: hangs, shut: hangs}, 2 * patience, "", false},
	"taking back panics":                         {unruly{set: works, takeBack: panics, shut: works}, 0, "boom", false},
	"taking back exits":                          {unruly{set: works, takeBack: exits, shut: works}, 0, "called runtime.Goexit", false},
	"taking back fails":                          {unruly{set: works, takeBack: refuses, shut: works}, 0, "", false},
}

// unrulyOps are the operations that can wait, with the state in which they are shown.
var unrulyOps = map[string]struct {
	shy   bool
	state string
	do    func(ctx context.Context, f *foreign.Conn) error
}{
	"Recv":       {false, "READ_WAIT", func(ctx context.Context, f *foreign.Conn) error { return received(f.Recv(ctx, make([]byte, 9))) }},
	"WaitRead":   {false, "READ_WAIT", func(ctx context.Context, f *foreign.Conn) error { return f.WaitRead(ctx) }},
	"SendAll":    {false, "WRITE_WAIT", func(ctx context.Context, f *foreign.Conn) error { return received(f.SendAll(ctx, []byte("x"))) }},
	"CloseWrite": {false, "WRITE_WAIT", func(ctx context.Context, f *foreign.Conn) error { return f.CloseWrite(ctx) }},
	"Handshake":  {true, "HANDSHAKE_WAIT", func(ctx context.Context, f *foreign.Conn) error { return f.Handshake(ctx) }},
	"first Recv": {true, "HANDSHAKE_WAIT", func(ctx context.Context, f *foreign.Conn) error { return received(f.Recv(ctx, make([]byte, 9))) }},
}

// Whatever a net.Conn does, a cancellation or a timeout around it and other waiters ends
// the others at once, and the operation as soon as possible.
func TestUnruly(t *testing.T) {
	for name, kind := range unrulies {
		for opName, op := range unrulyOps {
			for _, how := range []string{"cancelled", "timed out"} {
				t.Run(name+"/"+opName+"/"+how, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						u := kind.conn
						u.init()
						var inner net.Conn = &u
						if op.shy {
							inner = shy{&u}
						}
						f := foreign.New(inner)
						o := others(t)
						err := o.end(t, how, op.state, kind.after, u.release, func(ctx context.Context) error { return op.do(ctx, f) })
						want(t, err, wait.ErrCancelled)
						says(t, err, kind.fault)
						again, after := op.do(background, f), net.ErrClosed
						if kind.stays {
							after = os.ErrDeadlineExceeded // the error of a call that goOut has ended
						}
						want(t, again, after)
						says(t, f.Close(), kind.fault)
						if time.Since(o.began) != o.took {
							t.Errorf("closing took %v", time.Since(o.began)-o.took)
						}
					})
				})
			}
		}
	}
}

// says fails the test unless err mentions fault. If fault is "", err must be nil or the
// cancellation alone.
func says(t *testing.T, err error, fault string) {
	t.Helper()
	switch {
	case fault != "":
		if err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%v, which does not say %q", err, fault)
		}
	case err != nil && strings.Contains(err.Error(), "panic"), err != nil && !errors.Is(err, wait.ErrCancelled):
		t.Errorf("%v", err)
	}
}

// A crowd sleeps under a scope.
type crowd struct {
	scope *wait.Scope
	began time.Time
	took  time.Duration // how long the test has waited
	ended atomic.Int32
}

const many = 100

func others(t *testing.T) *crowd {
	c := &crowd{scope: wait.NewTimeout(newTask(t), wait.After(time.Hour)), began: time.Now()}
	for range many {
		go func() {
			defer c.ended.Add(1)
			_ = wait.Sleep(taskUnder(t, c.scope), wait.After(1000*time.Hour))
		}()
	}
	return c
}

// end calls op in a task beside the sleepers, and ends the scope around them all. It fails
// the test if the sleepers do not end at once, or if op does not end exactly after the
// given time, and returns op's error.
func (c *crowd) end(t *testing.T, how, state string, after time.Duration, release chan struct{}, op func(ctx context.Context) error) error {
	t.Helper()
	o := taskUnder(t, c.scope)
	returned := make(chan error, 1)
	var ended time.Time
	go func() {
		err := op(o)
		ended = time.Now()
		returned <- err
	}()
	synctest.Wait()
	if how == "cancelled" {
		cancelled := false
		go func() {
			c.scope.Cancel(wait.NewCause(c.scope, wait.Cancelled, nil))
			cancelled = true
		}()
		synctest.Wait()
		if !cancelled {
			t.Error("the canceller is held up")
		}
	} else {
		time.Sleep(time.Hour)
		synctest.Wait()
	}
	moment := time.Now()
	if n := c.ended.Load(); n != many {
		t.Errorf("%d of %d sleepers have ended", n, many)
	}
	if after == never {
		time.Sleep(time.Minute)
		if p, ok := o.Parked(); !ok || p.Op != state || len(returned) > 0 {
			t.Errorf("an operation that cannot be ended is shown as %+v, %v", p, ok)
		}
		close(release)
		err := <-returned
		c.took = time.Since(c.began)
		return err
	}
	time.Sleep(after)
	synctest.Wait()
	if len(returned) == 0 {
		t.Errorf("it has not ended after %v", after)
	}
	err := <-returned
	if got := ended.Sub(moment); got != after {
		t.Errorf("it has ended after %v", got)
	}
	c.took = time.Since(c.began)
	t.Cleanup(func() { close(release) })
	return err
}

func taskUnder(t testing.TB, ctx context.Context) *wait.Owner {
	o := new(wait.Owner)
	o.InitTask(ctx, wait.Default)
	t.Cleanup(o.Close)
	return o
}

// Of two operations at once, one cannot be interrupted: the other one still ends, and so do
// all that come after.
func TestUnrulyBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := (&unruly{set: hangs, shut: ignores}).init()
		f := foreign.New(u)
		reads, writes, queues := make(chan error, 1), make(chan error, 1), make(chan error, 1)
		reader, writer := newTask(t), newTask(t)
		go func() { reads <- received(f.Recv(reader, make([]byte, 1))) }()
		go func() { writes <- received(f.SendAll(writer, []byte("x"))) }()
		synctest.Wait()
		go func() { queues <- received(f.Recv(background, make([]byte, 1))) }()
		synctest.Wait()
		cancel(reader)
		cancel(writer)
		synctest.Wait()
		if len(reads)+len(writes)+len(queues) > 0 {
			t.Error("one has ended, though until patience is at an end there is hope")
		}
		time.Sleep(patience)
		synctest.Wait()
		want(t, <-queues, net.ErrClosed)
		want(t, received(f.Recv(background, make([]byte, 1))), net.ErrClosed)
		want(t, f.CloseWrite(background), net.ErrClosed)
		check(t, f.Close())
		if len(reads)+len(writes) > 0 {
			t.Error("one that is in the net.Conn has ended")
		}
		u.goOut()
		want(t, <-reads, wait.ErrTaskCancelled)
		want(t, <-writes, wait.ErrTaskCancelled)
		close(u.release)
	})
}

// Close ends the waits of operations that queue behind one that stays in the net.Conn.
func TestQueueBehindTheStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := (&unruly{set: works, shut: ignores}).init()
		f := foreign.New(u)
		errs := make(chan error, 3)
		recv := func() { errs <- received(f.Recv(background, make([]byte, 1))) }
		for range 3 {
			go recv()
		}
		synctest.Wait()
		check(t, f.Close())
		synctest.Wait()
		if len(errs) != 2 {
			t.Fatalf("%d of 2 have ended", len(errs))
		}
		u.goOut()
		for range 3 {
			want(t, <-errs, net.ErrClosed)
		}
	})
}

// An operation that has returned by itself does not wait for a deadline that is no longer
// needed. One that has moved data has succeeded, whatever happens to the net.Conn.
func TestUnrulySucceeds(t *testing.T) {
	for name, set := range map[string]func(*unruly) error{"works": works, "hangs": hangs, "panics": panics, "refuses": refuses} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := (&unruly{set: set, shut: works}).init()
				goOn := make(chan struct{})
				f := foreign.New(generous{u, goOn})
				o := newTask(t)
				done := make(chan error, 1)
				go func() {
					n, err := f.Recv(o, make([]byte, 4))
					done <- received(n-4, err)
				}()
				synctest.Wait()
				cancel(o)
				close(goOn)
				check(t, <-done)
				close(u.release)
				if err := f.Close(); name == "panics" {
					says(t, err, "boom")
				} else {
					check(t, err)
				}
			})
		})
	}
}

// A generous is an unruly whose Read returns data as soon as goOn is closed.
type generous struct {
	*unruly
	goOn chan struct{}
}

func (g generous) Read(p []byte) (int, error) { <-g.goOn; return len(p), nil }

// A panic of a net.Conn in the operation itself reaches the caller, even if the caller has
// been cancelled, and the turn is passed on.
func TestUnrulyOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, read := range map[string]func([]byte) (int, error){
			"panics": func([]byte) (int, error) { panic(errBoom) },
			"exits":  func([]byte) (int, error) { runtime.Goexit(); return 0, nil },
		} {
			for _, cancelled := range []bool{false, true} {
				u := (&unruly{set: works, shut: works}).init()
				goOn := make(chan struct{})
				f := foreign.New(&odd{u, []func([]byte) (int, error){
					func(p []byte) (int, error) { <-goOn; return read(p) },
					func(p []byte) (int, error) { return len(p), nil },
				}})
				o := newTask(t)
				ended := make(chan any, 1)
				go func() {
					defer func() { ended <- recover() }()
					_, _ = f.Recv(o, make([]byte, 1))
				}()
				synctest.Wait()
				if cancelled {
					cancel(o)
					synctest.Wait()
				}
				close(goOn)
				if v := <-ended; (v == any(errBoom)) != (name == "panics") {
					t.Errorf("%s, cancelled: %v: %v", name, cancelled, v)
				}
				n, err := f.Recv(background, make([]byte, 1))
				check(t, received(n-1, err))
			}
		}
	})
}
