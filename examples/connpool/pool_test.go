package main

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// A fakeConn is a connection that only counts: for tests in which no time passes.
type fakeConn struct {
	network.Conn

	closed atomic.Bool
}

func (c *fakeConn) Close() error       { c.closed.Store(true); return nil }
func (*fakeConn) RemoteAddr() net.Addr { return nil }

// fakes opens fakeConns, each of which takes a second.
type fakes struct {
	err error

	mu     sync.Mutex
	opened []*fakeConn
}

func (f *fakes) open(ctx context.Context) (network.Conn, error) {
	if err := curio.Sleep(ctx, time.Second); err != nil || f.err != nil {
		return nil, errors.Join(err, f.err)
	}
	c := new(fakeConn)
	f.mu.Lock()
	f.opened = append(f.opened, c)
	f.mu.Unlock()
	return c, nil
}

// inPool runs body with a pool of fakes in a bubble, and closes the pool.
func inPool(t *testing.T, c config, body func(ctx context.Context, t *testing.T, p *pool, f *fakes)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, f := curiotest.NoLeaks(t), new(fakes)
		c.Open = f.open
		p := newPool(ctx, c)
		body(ctx, t, p, f)
		if err := p.Close(ctx); err != nil || p.open != 0 || len(p.idle)+len(p.lent) > 0 {
			t.Errorf("Close: %v; left is %v", err, p)
		}
		for _, c := range f.opened {
			if !c.closed.Load() {
				t.Error("a connection is not closed")
			}
		}
	})
}

func get(ctx context.Context, t *testing.T, p *pool) *borrowed {
	t.Helper()
	b, err := p.Get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Connections are lent in order of arrival, shown, and used again, the freshest first.
func TestLending(t *testing.T) {
	inPool(t, config{Max: 2}, func(ctx context.Context, t *testing.T, p *pool, f *fakes) {
		one, two := get(ctx, t, p), get(ctx, t, p)
		var order []int
		var tasks []*curio.Task[struct{}]
		for i := range 3 {
			tasks = append(tasks, curio.Go(ctx, func(ctx context.Context) error {
				return p.Do(ctx, func(ctx context.Context, conn network.Conn) error {
					order = append(order, i)
					return curio.Sleep(ctx, time.Second)
				})
			}))
			synctest.Wait()
		}
		if s := p.Snapshot(); len(s.Waiters) != 3 || s.Waiters[0] != (curio.Waiter{Task: tasks[0].AnyTask, Op: "POOL_GET"}) || s.Holders[0].N != 2 {
			t.Errorf("it shows %v", s)
		}
		p.Put(ctx, two, true)
		for _, task := range tasks {
			if _, err := task.Join(ctx); err != nil {
				t.Error(err)
			}
		}
		if !slices.Equal(order, []int{0, 1, 2}) || len(f.opened) != 2 {
			t.Errorf("the order is %v, and %d were opened", order, len(f.opened))
		}
		p.Put(ctx, one, true)
		if b := get(ctx, t, p); b.Conn != one.Conn {
			t.Error("it is not the one used last")
		} else {
			p.Put(ctx, b, true)
		}
	})
}

// What has failed is closed and makes room; a panic and a cancellation count as failures.
func TestBroken(t *testing.T) {
	inPool(t, config{Max: 1}, func(ctx context.Context, t *testing.T, p *pool, f *fakes) {
		errBroken := errors.New("broken")
		for _, fn := range []func(context.Context, network.Conn) error{
			func(context.Context, network.Conn) error { return errBroken },
			func(context.Context, network.Conn) error { panic(errBroken) },
			func(ctx context.Context, _ network.Conn) error {
				return curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) })
			},
		} {
			func() {
				defer func() { _ = recover() }()
				if p.Do(ctx, fn) == nil {
					t.Error("it does not fail")
				}
			}()
		}
		f.err = errBroken
		if _, err := p.Get(ctx); !errors.Is(err, errBroken) {
			t.Error(err)
		}
		f.err = nil
		if err := p.Do(ctx, func(context.Context, network.Conn) error { return nil }); err != nil || len(f.opened) != 4 {
			t.Errorf("%v; %d were opened", err, len(f.opened))
		}
	})
}

// The line is bounded, and whoever cannot open a connection leaves that to the next.
func TestLine(t *testing.T) {
	inPool(t, config{Max: 1, MaxWaiting: 1, OpenWithin: time.Minute}, func(ctx context.Context, t *testing.T, p *pool, f *fakes) {
		first := curio.Go(ctx, func(ctx context.Context) error { _, err := p.Get(ctx); return err }) // is opening it
		synctest.Wait()
		second := curio.Spawn(ctx, p.Get)
		synctest.Wait()
		if _, err := p.Get(ctx); err != errPoolBusy {
			t.Errorf("a third: %v", err)
		}
		first.CancelNow()
		b, err := second.Join(ctx)
		if err != nil || len(f.opened) != 1 {
			t.Fatalf("%v; %d were opened", err, len(f.opened))
		}
		p.Put(ctx, b, true)
	})
}

// Close waits for what is lent, refuses the others, and gives up with its context.
func TestClose(t *testing.T) {
	inPool(t, config{Max: 1}, func(ctx context.Context, t *testing.T, p *pool, f *fakes) {
		b := get(ctx, t, p)
		waits := curio.Spawn(ctx, p.Get, curio.ReportCrash(false))
		synctest.Wait()
		err := curio.TimeoutAfter(ctx, time.Second, p.Close)
		if !errors.Is(err, curio.ErrTaskTimeout) || !errors.Is(waits.Err(), errPoolClosed) {
			t.Errorf("%v, %v", err, waits.Err())
		}
		closes := curio.Go(ctx, p.Close)
		synctest.Wait()
		if closes.State() != "POOL_CLOSE" {
			t.Error(closes)
		}
		p.Put(ctx, b, true)
		if _, err := closes.Join(ctx); err != nil {
			t.Error(err)
		}
		if _, err := p.Get(ctx); err != errPoolClosed {
			t.Error(err)
		}
		defer func() {
			if recover() == nil {
				t.Error("it was put back twice")
			}
		}()
		p.Put(ctx, b, true)
	})
}

// What nobody uses is closed after a while, also if nobody comes.
func TestIdle(t *testing.T) {
	inPool(t, config{Max: 2, MaxIdle: time.Minute}, func(ctx context.Context, t *testing.T, p *pool, f *fakes) {
		p.Put(ctx, get(ctx, t, p), true)
		_ = curio.Sleep(ctx, 2*time.Minute)
		if p.open != 0 || !f.opened[0].closed.Load() {
			t.Errorf("it is %v", p)
		}
	})
}

// A connection that the other side has closed, or on which it says something unasked, is not lent
// again.
func TestDead(t *testing.T) {
	ctx := curiotest.NoLeaks(t)
	var peers []*socket.Socket
	p := newPool(ctx, config{Max: 1, Open: func(context.Context) (network.Conn, error) {
		a, b, err := socket.SocketPair(socket.SOCK_STREAM)
		peers = append(peers, b)
		return a, err
	}})
	use := func() { p.Put(ctx, get(ctx, t, p), true) }
	use()
	use()
	if len(peers) != 1 {
		t.Fatalf("%d were opened, as the first was taken for dead", len(peers))
	}
	peers[0].Close()
	use()
	if _, err := peers[1].SendAll(ctx, []byte("unasked")); err != nil {
		t.Fatal(err)
	}
	use()
	if len(peers) != 3 {
		t.Errorf("%d were opened", len(peers))
	}
	if err := p.Close(ctx); err != nil {
		t.Error(err)
	}
	for _, peer := range peers[1:] {
		peer.Close()
	}
}

// Connections are handed over, given up, broken and closed all at the same time.
func TestEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		curiotest.CancelEverywhere(t, func(ctx context.Context) error {
			f := new(fakes)
			p := newPool(ctx, config{Max: 2, Open: f.open})
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
				for range 4 {
					g.Go(func(ctx context.Context) error {
						return p.Do(ctx, func(ctx context.Context, _ network.Conn) error { return curio.Sleep(ctx, time.Second) })
					})
				}
				return nil
			})
			closed := curio.DisableCancellation(ctx, p.Close)
			if left := len(p.Snapshot().Holders) + len(p.Snapshot().Waiters) + p.open; left > 0 {
				return errors.New("left is " + p.String())
			}
			return errors.Join(err, closed)
		})
	})
}
