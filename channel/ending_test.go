package channel_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/stream"
)

// Every operation × every way to end it while it waits, and before.

// A subject is what an operation is done with.
type subject struct {
	run   func(ctx context.Context) error
	close func() error
	works func(t *testing.T) // nothing has been lost
	queue string             // where a second one waits, "" for where the first one does
}

// operations are all that can wait. One that is added to the package comes here.
var operations = map[string]func(t *testing.T) subject{
	"Recv": receives(func(ctx context.Context, c *channel.Conn) error { return c.Recv(ctx, new(string)) }),
	"RecvBytes": receives(func(ctx context.Context, c *channel.Conn) error {
		_, err := c.RecvBytes(ctx)
		return err
	}),
	"RecvBytesInto": receives(func(ctx context.Context, c *channel.Conn) error {
		_, err := c.RecvBytesInto(ctx, make([]byte, 100))
		return err
	}),
	"Recv in a message": receivesRest(func(ctx context.Context, c *channel.Conn) error { return c.Recv(ctx, new(string)) }),
	"RecvBytes in a message": receivesRest(func(ctx context.Context, c *channel.Conn) error {
		_, err := c.RecvBytes(ctx)
		return err
	}),
	"RecvBytesInto in a message": receivesRest(func(ctx context.Context, c *channel.Conn) error {
		_, err := c.RecvBytesInto(ctx, make([]byte, 100))
		return err
	}),
	"Send":       sends(func(ctx context.Context, c *channel.Conn) error { return c.Send(ctx, "text") }),
	"SendBytes":  sends(func(ctx context.Context, c *channel.Conn) error { return c.SendBytes(ctx, []byte(`"text"`)) }),
	"Accept":     accepts,
	"Server":     shakes(channel.Server),
	"Client":     shakes(channel.Client),
	"Connect":    connecting,
	"CloseWrite": closesWrite,
}

func receives(run func(ctx context.Context, c *channel.Conn) error) func(t *testing.T) subject {
	return func(t *testing.T) subject { return receiving(t, run, "") }
}

func receivesRest(run func(ctx context.Context, c *channel.Conn) error) func(t *testing.T) subject {
	return func(t *testing.T) subject { return receiving(t, run, "\x00\x00\x00\x06\"te") }
}

func receiving(t *testing.T, run func(ctx context.Context, c *channel.Conn) error, come string) subject {
	c, peer := half(t, nil)
	put(t, peer, come)
	return subject{
		run: func(ctx context.Context) error { return run(ctx, c) }, close: c.Close, queue: "LOCK_ACQUIRE",
		works: func(t *testing.T) {
			put(t, peer, frame(`"text"`)[len(come):])
			b, err := c.RecvBytes(background)
			got(t, b, err, `"text"`)
		},
	}
}

func sends(run func(ctx context.Context, c *channel.Conn) error) func(t *testing.T) subject {
	return func(t *testing.T) subject {
		a, b := socketPair(t)
		c := over(t, a, nil)
		filled := fill(t, a)
		return subject{
			run: func(ctx context.Context) error { return run(ctx, c) }, close: c.Close, queue: "LOCK_ACQUIRE",
			works: func(t *testing.T) {
				exactly(t, b, filled)
				check(t, run(background, c))
				same(t, exactly(t, b, 10), []byte(frame(`"text"`)))
			},
		}
	}
}

func accepts(t *testing.T) subject {
	l, err := channel.Listen(background, "unix", filepath.Join(t.TempDir(), "s"), nil)
	check(t, err)
	t.Cleanup(func() { l.Close() })
	accept := func(ctx context.Context) error {
		c, err := l.Accept(ctx)
		if err == nil {
			c.Close()
		}
		return err
	}
	return subject{run: accept, close: l.Close, works: func(t *testing.T) {
		c, err := channel.Connect(background, "unix", l.LocalAddr().String(), nil)
		check(t, err)
		check(t, accept(background))
		c.Close()
	}}
}

// shakes is a handshake with a peer that is silent. What it is done with is lost then.
func shakes(side func(context.Context, stream.Transport, *channel.Config) (*channel.Conn, error)) func(t *testing.T) subject {
	return func(t *testing.T) subject {
		a, b := socketPair(t)
		return subject{run: func(ctx context.Context) error {
			c, err := side(ctx, a, &channel.Config{Key: []byte("secret")})
			if err == nil || c != nil {
				t.Error("there is a connection")
			}
			return err
		}, works: func(t *testing.T) { rest(t, b) }}
	}
}

// connecting waits for somebody to listen.
func connecting(t *testing.T) subject {
	path := filepath.Join(t.TempDir(), "s")
	connect := func(ctx context.Context) error {
		c, err := channel.Connect(ctx, "unix", path, nil)
		if err == nil {
			c.Close()
		}
		return err
	}
	return subject{run: connect, works: func(t *testing.T) {
		l, err := channel.Listen(background, "unix", path, nil)
		check(t, err)
		defer l.Close()
		check(t, connect(background))
	}}
}

// closesWrite waits for one that sends.
func closesWrite(t *testing.T) subject {
	a, b := socketPair(t)
	c := over(t, a, nil)
	filled := fill(t, a)
	o, join := in(t, func(ctx context.Context) error { return c.SendBytes(ctx, nil) })
	awaitIn(t, o, "WRITE_WAIT")
	t.Cleanup(func() {
		cancel(o)
		_ = join()
	})
	return subject{run: c.CloseWrite, close: c.Close, works: func(t *testing.T) {
		exactly(t, b, filled)
		check(t, c.CloseWrite(background))
		same(t, rest(t, b), []byte(frame("")))
	}}
}

// An ending is a way to end an operation, and what the error is then and what not.
type ending struct {
	name  string
	end   func(t *testing.T, s subject) error
	is    []error
	isNot []error
}

var endings = []ending{
	{"cancelled before", func(t *testing.T, s subject) error {
		o := newTask(t)
		cancel(o)
		return s.run(&o.Scope)
	}, []error{wait.ErrTaskCancelled, wait.ErrCancelled, context.Canceled}, []error{context.DeadlineExceeded}},

	{"cancelled", func(t *testing.T, s subject) error {
		o, join := in(t, s.run)
		awaitParked(t, o)
		cancel(o)
		return join()
	}, []error{wait.ErrTaskCancelled, wait.ErrCancelled, context.Canceled}, []error{context.DeadlineExceeded}},

	{"cancelled in the queue", func(t *testing.T, s subject) error {
		first, joinFirst := in(t, s.run)
		awaitParked(t, first)
		second, joinSecond := in(t, s.run)
		awaitIn(t, second, s.queue)
		cancel(second)
		err := joinSecond()
		cancel(first)
		return errors.Join(err, joinFirst())
	}, []error{wait.ErrTaskCancelled, wait.ErrCancelled, context.Canceled}, []error{context.DeadlineExceeded}},

	{"timeout", func(t *testing.T, s subject) error {
		scope := wait.NewTimeout(&newTask(t).Scope, wait.After(time.Millisecond))
		defer scope.Close()
		return s.run(scope)
	}, []error{wait.ErrTaskTimeout, context.DeadlineExceeded, os.ErrDeadlineExceeded}, []error{context.Canceled}},

	{"outer timeout", func(t *testing.T, s subject) error {
		outer := wait.NewTimeout(&newTask(t).Scope, wait.After(time.Millisecond))
		defer outer.Close()
		inner := wait.NewTimeout(outer, wait.After(time.Hour))
		defer inner.Close()
		return s.run(inner)
	}, []error{wait.ErrTimeoutCancellation, context.DeadlineExceeded}, []error{wait.ErrTaskTimeout, os.ErrDeadlineExceeded}},

	{"foreign timeout", func(_ *testing.T, s subject) error {
		ctx, cancel := context.WithTimeout(background, time.Millisecond)
		defer cancel()
		return s.run(ctx)
	}, []error{wait.ErrCancelled, context.DeadlineExceeded}, []error{context.Canceled}},

	{"foreign timeout in a task", func(t *testing.T, s subject) error {
		ctx, cancel := context.WithTimeout(&newTask(t).Scope, time.Millisecond)
		defer cancel()
		return s.run(ctx)
	}, []error{wait.ErrCancelled, context.DeadlineExceeded}, []error{context.Canceled}},

	{"closed", func(t *testing.T, s subject) error {
		first, joinFirst := in(t, s.run)
		awaitParked(t, first)
		second, joinSecond := in(t, s.run)
		awaitParked(t, second)
		check(t, s.close())
		want(t, joinSecond(), net.ErrClosed)
		return joinFirst()
	}, []error{net.ErrClosed}, []error{wait.ErrCancelled}},

	{"closed before", func(t *testing.T, s subject) error {
		check(t, s.close())
		return s.run(&newTask(t).Scope)
	}, []error{net.ErrClosed}, []error{wait.ErrCancelled}},
}

func TestEndings(t *testing.T) {
	for name, start := range operations {
		for _, ending := range endings {
			t.Run(name+"/"+ending.name, func(t *testing.T) {
				testutil.NoLeaks(t)
				s := start(t)
				if s.queue == "" && ending.name == "cancelled in the queue" || s.close == nil && strings.HasPrefix(ending.name, "closed") {
					return // nobody waits for others that do the same; there is nothing to close yet
				}
				err := ending.end(t, s)
				for _, target := range ending.is {
					if !errors.Is(err, target) {
						t.Errorf("%v is not %v", err, target)
					}
				}
				for _, target := range append(ending.isNot, channel.ErrCut) {
					if errors.Is(err, target) {
						t.Errorf("%v is %v", err, target)
					}
				}
				if _, ok := errors.AsType[*net.OpError](err); !ok {
					t.Errorf("%#v is not wrapped", err)
				}
				if !errors.Is(err, net.ErrClosed) {
					s.works(t)
				}
			})
		}
	}
}

// Of those that wait one can see what for.
func TestWaitsAreSeen(t *testing.T) {
	for name, states := range map[string][]string{
		"RecvBytes": {"READ_WAIT", "LOCK_ACQUIRE"}, "SendBytes": {"WRITE_WAIT", "LOCK_ACQUIRE"}, "CloseWrite": {"LOCK_ACQUIRE"},
		"Accept": {"QUEUE_GET", "QUEUE_GET"}, "Server": {"READ_WAIT"}, "Client": {"READ_WAIT"}, "Connect": {"TIME_SLEEP"},
	} {
		t.Run(name, func(t *testing.T) {
			s := operations[name](t)
			for _, state := range states {
				o, join := in(t, s.run)
				awaitIn(t, o, state)
				defer func() {
					cancel(o)
					want(t, join(), wait.ErrTaskCancelled)
				}()
			}
		})
	}
}
