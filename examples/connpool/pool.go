package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// What a pool refuses.
var (
	errPoolClosed = errors.New("connpool: the pool is closed")
	errPoolBusy   = errors.New("connpool: too many are waiting for a connection")
)

// A config says how a pool works. Open is required, and what is 0 has a default.
type config struct {
	// Open opens a connection. It is called with the context of the Get that needs one, and at
	// most for OpenWithin.
	Open       func(ctx context.Context) (network.Conn, error)
	OpenWithin time.Duration // 10 s by default

	// Max is how many connections there are at most: lent, idle or being opened. 10 by default.
	Max int

	// MaxWaiting is how many may wait for one. More are refused with errPoolBusy: a line that only
	// grows is no help to anybody. 1,000 by default.
	MaxWaiting int

	// MaxIdle is how long a connection may be idle. 1 min by default. Make it less than what the
	// server allows.
	MaxIdle time.Duration
}

// A pool lends connections to one address, and takes them back to lend them again. When all are lent,
// callers of Get wait, in order of arrival. A connection that the other side has closed meanwhile is not
// lent again. All methods are safe for concurrent use.
//
// A task that waits for a connection is in the state POOL_GET, and one that waits in Close in
// POOL_CLOSE.
type pool struct {
	config
	reaper *curio.Task[struct{}]

	mu     sync.Mutex
	idle   []idleConn                   // the one that was used last comes last
	lent   map[*borrowed]*curio.AnyTask // and to whom; nil for a goroutine of no task
	open   int                          // how many there are: idle, lent or being opened
	closed bool
	line   curio.WaitList[turn]
	ending curio.WaitList[struct{}] // the callers of Close, until open is 0
}

type idleConn struct {
	conn  network.Conn
	since time.Time
}

// A turn is what a waiting task is given: a connection, permission to open one if conn is nil, or an
// error.
type turn struct {
	conn network.Conn
	err  error
}

// newPool makes a pool, which Close ends. It looks after idle connections in a daemon of ctx's
// kernel, so a pool that is made under a timeout, or in a task that ends soon, is not harmed by
// that, and one that nobody closes ends with the kernel.
func newPool(ctx context.Context, c config) *pool {
	if c.Open == nil {
		panic("connpool: a config without Open")
	}
	p := &pool{config: c, lent: make(map[*borrowed]*curio.AnyTask)}
	setDefault(&p.OpenWithin, 10*time.Second)
	setDefault(&p.Max, 10)
	setDefault(&p.MaxWaiting, 1000)
	setDefault(&p.MaxIdle, time.Minute)
	p.line.Mutex, p.line.State, p.line.Object, p.line.Serve = &p.mu, "POOL_GET", p, p.serve
	p.ending.Mutex, p.ending.State, p.ending.Object, p.ending.Serve = &p.mu, "POOL_CLOSE", p, p.serve
	p.reaper = curio.Go(ctx, p.reap, curio.Daemon(), curio.Name("connpool reaper"))
	return p
}

func setDefault[T ~int | ~int64](to *T, v T) {
	if *to <= 0 {
		*to = v
	}
}

// serve hands out what is available. It runs when a task begins to wait or gives up, and wherever the
// code below has changed something. p.mu is held.
func (p *pool) serve() {
	switch {
	case p.closed:
		p.line.HandAll(turn{err: errPoolClosed})
	default:
		for p.serveOne() {
		}
		p.refuseLocked()
	}
	if p.open == 0 {
		p.ending.HandAll(struct{}{})
	}
}

// serveOne gives a connection, or permission to open one, to the task that has waited longest.
func (p *pool) serveOne() (did bool) {
	if last := len(p.idle) - 1; last >= 0 {
		if did = p.line.Hand(turn{conn: p.idle[last].conn}); did {
			p.idle[last] = idleConn{}
			p.idle = p.idle[:last]
		}
		return did
	}
	if p.open >= p.Max || !p.line.Hand(turn{}) {
		return false
	}
	p.open++
	return true
}

// refuseLocked refuses those for whom the line is too long.
func (p *pool) refuseLocked() {
	if p.line.Len() <= p.MaxWaiting {
		return
	}
	n := 0
	for w := range p.line.All() {
		if n++; n > p.MaxWaiting {
			w.Grant(turn{err: errPoolBusy})
		}
	}
}

// A borrowed connection has been lent. It is given back by Put, once.
type borrowed struct {
	network.Conn

	pool *pool
}

// String is what a test is told of a connection that was not given back.
func (b *borrowed) String() string { return fmt.Sprintf("connection with %v", b.RemoteAddr()) }

// Get returns a connection that was idle, or opens one if there may be one more, or waits for one.
// If ctx is done first, the error is ctx's error. The caller gives the connection back by Put; Do
// sees to that by itself.
func (p *pool) Get(ctx context.Context) (*borrowed, error) {
	for {
		t, err := p.line.Wait(ctx, turn{})
		switch {
		case err != nil:
			return nil, err
		case t.err != nil:
			return nil, t.err
		case t.conn == nil:
			if t.conn, err = p.openOne(ctx); err != nil {
				return nil, err
			}
		case !alive(t.conn):
			t.conn.Close()
			p.gone(1)
			continue
		}
		b := &borrowed{t.conn, p}
		p.mu.Lock()
		p.lent[b] = curio.CurrentTask(ctx)
		p.mu.Unlock()
		curio.NoteHeld(ctx, b, 1)
		return b, nil
	}
}

// openOne opens a connection for a caller that has permission to. However that fails, the next in line
// may try.
func (p *pool) openOne(ctx context.Context) (conn network.Conn, err error) {
	defer func() {
		if conn == nil {
			p.gone(1)
		}
	}()
	err = curio.TimeoutAfter(ctx, p.OpenWithin, func(ctx context.Context) (err error) {
		conn, err = p.Open(ctx)
		return err
	})
	switch {
	case err != nil && conn != nil: // it came too late
		conn.Close()
		conn = nil
	case err == nil && conn == nil:
		err = errors.New("connpool: Open has returned no connection and no error")
	}
	return conn, err
}

// gone notes that n connections less are open.
func (p *pool) gone(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open -= n
	p.serve()
}

// Put gives a connection back. Pass ok only if the next one can go on where this one has stopped:
// all of each answer was read, and nothing has failed. If not, the connection is closed. Put never
// waits, and does not ask whether ctx is done.
func (p *pool) Put(ctx context.Context, b *borrowed, ok bool) {
	now := curio.Clock(ctx)
	p.mu.Lock()
	if _, lent := p.lent[b]; !lent || b.pool != p {
		p.mu.Unlock()
		panic("connpool: Put of a connection that is not lent; put each back once")
	}
	delete(p.lent, b)
	keep := ok && !p.closed
	if keep {
		p.idle = append(p.idle, idleConn{b.Conn, now})
		p.serve()
	}
	p.mu.Unlock()
	curio.NoteReleased(ctx, b, 1)
	if !keep {
		b.Conn.Close() // before another one is opened in its place
		p.gone(1)
	}
}

// Do calls fn with a connection. It is used again if fn returns nil. After an error, a panic, or a
// cancellation, which may have come in the middle of an answer, it is closed.
func (p *pool) Do(ctx context.Context, fn func(ctx context.Context, conn network.Conn) error) error {
	b, err := p.Get(ctx)
	if err != nil {
		return err
	}
	ok := false
	defer func() { p.Put(ctx, b, ok) }()
	err = fn(ctx, b)
	ok = err == nil
	return err
}

// Close refuses all callers of Get, waiting and new, closes the idle connections, and waits until the
// others have been given back. If ctx is done first, the error is ctx's error, and what is lent is closed when
// it comes back. It may be called more than once.
func (p *pool) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	p.serve()
	p.mu.Unlock()
	p.drop(idle)
	p.reaper.CancelNow()
	if _, err := p.ending.Wait(ctx, struct{}{}); err != nil {
		return err
	}
	return p.reaper.Wait(ctx)
}

// drop closes connections that are not in p.idle any more.
func (p *pool) drop(conns []idleConn) {
	for _, c := range conns {
		c.conn.Close()
	}
	if len(conns) > 0 {
		p.gone(len(conns))
	}
}

// reap closes connections that have been idle for too long, or have died, until it is cancelled.
// Without it, a pool that nobody uses would keep them.
func (p *pool) reap(ctx context.Context) error {
	for {
		if err := curio.Sleep(ctx, p.MaxIdle/2); err != nil {
			return err
		}
		p.drop(p.takeStale(curio.Clock(ctx)))
	}
}

// takeStale takes out of p.idle what is of no use at the time now.
func (p *pool) takeStale(now time.Time) (stale []idleConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fresh := p.idle[:0]
	for _, c := range p.idle {
		if now.Sub(c.since) >= p.MaxIdle || !alive(c.conn) {
			stale = append(stale, c)
		} else {
			fresh = append(fresh, c)
		}
	}
	clear(p.idle[len(fresh):])
	p.idle = fresh
	return stale
}

// alive reports whether an idle connection can be used again. It never waits. Here is nothing to
// receive on such a connection: what there is, is its end, or an answer that nobody has asked for,
// and would be taken for that to the next question. But TLS has messages of its own.
func alive(conn network.Conn) bool {
	s := network.SocketOf(conn)
	if s == nil {
		return true // a Conn of another kind, and its next user will find out
	}
	var one [1]byte
	n, err := s.RecvFlags(context.Background(), one[:], socket.MSG_PEEK|socket.MSG_DONTWAIT)
	if err != nil {
		wouldWait, ok := errors.AsType[net.Error](err)
		return ok && wouldWait.Timeout()
	}
	return n > 0 && conn != network.Conn(s)
}

// Snapshot returns the tasks that have borrowed connections, how many each, and those that wait.
func (p *pool) Snapshot() (s curio.Snapshot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	each := make(map[*curio.AnyTask]int64)
	for _, t := range p.lent {
		each[t]++
	}
	for t, n := range each {
		s.Holders = append(s.Holders, curio.HolderOf(t, n))
	}
	s.Waiters = append(p.line.Waiters(), p.ending.Waiters()...)
	return s
}

// String returns how many connections there are, which tasks have them, and how many tasks wait.
func (p *pool) String() string {
	p.mu.Lock()
	details := fmt.Sprintf("%d of %d open, %d idle", p.open, p.Max, len(p.idle))
	p.mu.Unlock()
	return p.Snapshot().Text("Pool", details)
}
