package network

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/foreign"
	"github.com/curio-go/curio/internal/wait"
)

// A pusher sends what is left in a wire while somebody waits for the peer: it may be the
// end of the request whose answer is waited for, and nobody else would send it.
//
// To send first and receive then would not do. If both sides were cut short in the middle
// of much, each would wait for the other to receive. So what finds no room at once is sent
// by a goroutine, while the receiver receives. When the receiver has what it waited for, it
// stops the goroutine, and waits for its end: what is left then is for the next one.
//
// A connection of somebody else's may not survive a write that is cut short; see fragile.
// There the goroutine is not stopped but by Close, and goes on between two calls.
//
// The goroutine holds TLSConn.senders. Whoever releases that calls push, in case somebody
// waits meanwhile; whoever begins to wait calls it too. As the one notes that there is
// something to send before he releases, and the other notes that he waits before he looks,
// one of them finds both.
type pusher struct {
	// Set at birth.
	wire    *wire
	senders *curio.Lock

	// As hardly anything is ever left, who waits takes no mutex unless something is. He
	// leaves by taking waiting back, and then looks at active; push sets active, and then
	// looks at waiting: so no goroutine is left to nobody.
	waiting atomic.Bool // somebody waits for the peer
	active  atomic.Bool // push may be about to make a goroutine, or has

	mu       sync.Mutex    // pusher.mu < wire.mu
	watch    *wait.Scope   // under which he does, if he began while the goroutine ran
	scope    *wait.Scope   // of the goroutine, nil if there is none
	done     chan struct{} // as scope
	closed   bool          // by close, for good
	lost     bool          // sending has failed for good, which the next sender will be told
	failure  error         // that, if who waits is to be told, too
	panicked any           // with which the goroutine has ended
}

// nobody is the context of what is done in no task's name. A lock that was taken with it
// may be released by another goroutine.
var nobody = context.Background()

// recv is Recv of the Conn below. What is left to be sent goes out meanwhile. If that turns
// out to be impossible, and the peer will not notice, recv says so once: what it waits for
// may be the answer.
func (p *pusher) recv(ctx context.Context, buf []byte) (int, error) {
	watch, err := p.begin(ctx)
	defer p.end(watch)
	switch {
	case err != nil:
		return 0, err
	case watch == nil:
		return p.wire.below.Recv(ctx, buf)
	}
	n, err := p.wire.below.Recv(watch, buf)
	if errors.Is(err, curio.ErrCancelled) {
		if _, ended := wait.At(ctx); ended != nil {
			return n, ended // and not as it looks from inside of watch
		}
		if failure := p.told(); failure != nil {
			return n, failure
		}
	}
	return n, err
}

// begin is called by who is about to wait for the peer: under watch, if that is not nil.
func (p *pusher) begin(ctx context.Context) (watch *wait.Scope, err error) {
	p.waiting.Store(true)
	if p.wire.unsent.Load() == 0 {
		return nil, nil
	}
	p.push()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.failure != nil:
		err, p.failure = p.failure, nil
	case p.scope != nil:
		p.watch = wait.NewTimeout(ctx, 0)
	}
	return p.watch, err
}

// told returns the failure that who waits has not been told of.
func (p *pusher) told() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	failure := p.failure
	p.failure = nil
	return failure
}

// end is called by who has waited.
func (p *pusher) end(watch *wait.Scope) {
	p.waiting.Store(false)
	if watch == nil && !p.active.Load() {
		return
	}
	p.mu.Lock()
	p.watch = nil
	scope, done := p.scope, p.done
	p.mu.Unlock()
	if watch != nil {
		watch.Close()
	}
	if scope != nil && !fragile(p.wire.below) {
		scope.Close()
		<-done
	}
	p.rethrow()
}

// rethrow panics as the Conn below has done in the goroutine, in which nobody could recover.
func (p *pusher) rethrow() {
	p.mu.Lock()
	panicked := p.panicked
	if panicked != nil {
		p.panicked = nil
		p.active.Store(false)
	}
	p.mu.Unlock()
	if panicked != nil {
		panic(panicked)
	}
}

// push sends what there is room for, unless somebody else sends, and leaves the rest to a
// goroutine if somebody waits for the peer.
func (p *pusher) push() {
	if p.wire.unsent.Load() == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.lost || p.scope != nil || !p.senders.TryAcquire(nobody) {
		return
	}
	p.active.Store(true)
	defer func() { // also if the Conn below panics
		if p.scope == nil {
			p.active.Store(false)
			p.senders.Release(nobody)
		}
	}()
	if err := p.wire.push(nobody, false); err != nil && p.waiting.Load() {
		p.scope, p.done = wait.NewTimeout(nobody, 0), make(chan struct{})
		go p.run(p.scope, p.done)
	}
}

// run is the goroutine.
func (p *pusher) run(scope *wait.Scope, done chan struct{}) {
	lost, failure := true, error(nil) // if it panics
	defer func() {
		v := recover()
		p.senders.Release(nobody)
		p.mu.Lock()
		p.scope, p.done = nil, nil
		p.lost, p.failure, p.panicked = lost, failure, v
		p.active.Store(v != nil) // who waits is to find that
		watch := p.watch
		p.mu.Unlock()
		scope.Close()
		if watch != nil && failure != nil {
			watch.Close()
		}
		p.push() // an answer may have come too late for flush
		close(done)
	}()
	err := p.wire.flush(scope)
	lost = err != nil && !goesOn(err)
	if lost && !errors.Is(err, net.ErrClosed) && !isAny(err, syscall.EPIPE, syscall.ECONNRESET) {
		failure = &unsentError{p.wire.unsent.Load(), plain(err)}
	}
}

// close ends the goroutine, and lets none begin any more. It reports whether there was one,
// which then releases senders.
func (p *pusher) close() bool {
	p.mu.Lock()
	p.closed = true
	scope := p.scope
	p.mu.Unlock()
	if scope == nil {
		return false
	}
	scope.Close()
	return true
}

// fragile reports whether sending on conn that is cut short may be the end of it. TLS of
// package crypto/tls does not survive that, nor does what has no deadlines and is closed
// instead. Only of sockets it is known that they do.
func fragile(conn Conn) bool {
	for c := range layersOf(conn) {
		if f, ok := c.(*foreign.Conn); ok {
			switch f.NetConn().(type) {
			case *net.TCPConn, *net.UnixConn:
			default:
				return true
			}
		}
	}
	return false
}
