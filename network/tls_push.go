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

// A pusher sends what is left in a wire while a task waits for the peer. That may be the
// end of the request whose answer the task waits for, and nobody else would send it.
//
// Sending first and receiving afterwards would not do: if both sides were cut short in the
// middle of a lot of data, each would wait for the other to receive. So what finds no room
// at once is sent by a goroutine, while the receiver receives. When the receiver has what
// it waited for, it stops the goroutine, and waits for its end: what is left then is for
// the next receiver or sender.
//
// A foreign connection may not survive a write that is cut short; see fragile. There only
// Close stops the goroutine, which otherwise goes on between two calls.
//
// The goroutine holds TLSConn.senders. A task that releases senders calls push, in case
// another one has begun to wait; a task that begins to wait calls push, too. The former
// notes that there is something to send before it releases senders, and the latter notes
// that it waits before it looks for something to send: so at least one of them sees both.
type pusher struct {
	// Set at birth.
	wire    *wire
	senders *curio.Lock

	// As there is hardly ever anything left, the waiting task takes a mutex only if there
	// is. When it leaves, it clears waiting, and then looks at active; push sets active,
	// and then looks at waiting: so no goroutine is left without a task that stops it.
	waiting atomic.Bool // somebody waits for the peer
	active  atomic.Bool // push may be about to start the goroutine, or has

	mu       sync.Mutex    // pusher.mu < wire.mu
	watch    *wait.Scope   // the task waits under it, if it began to while the goroutine ran
	scope    *wait.Scope   // the goroutine's scope, nil if there is none
	done     chan struct{} // closed when the goroutine ends, nil if there is none
	closed   bool          // by close, for good
	lost     bool          // sending has failed for good; the next sender will be told
	failure  error         // that failure, if the waiting task is to be told, too
	panicked any           // the value of the panic that has ended the goroutine
}

// nobody is the context of operations that belong to no task. A lock that was taken with it
// may be released by another goroutine.
var nobody = context.Background()

// recv calls Recv of the Conn below. What is left to be sent goes out meanwhile. If that
// turns out to be impossible, and the peer will not notice, recv returns the error once: it
// may be waiting for the answer to what cannot be sent.
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
			return n, ended // and not the error that watch has made of it
		}
		if failure := p.told(); failure != nil {
			return n, failure
		}
	}
	return n, err
}

// begin is called by a task that is about to wait for the peer. It has to wait under watch,
// if that is not nil.
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

// told returns the failure, if the waiting task has not been told of it yet.
func (p *pusher) told() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	failure := p.failure
	p.failure = nil
	return failure
}

// end is called by a task that has waited.
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

// rethrow panics with the value with which the Conn below has panicked in the goroutine,
// where the user could not recover.
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

// push sends what there is room for, unless another task is sending. It leaves the rest to
// a goroutine, if a task waits for the peer.
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
	defer func() { // even if the Conn below panics
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

// run is the function of the goroutine.
func (p *pusher) run(scope *wait.Scope, done chan struct{}) {
	lost, failure := true, error(nil) // if it panics
	defer func() {
		v := recover()
		p.senders.Release(nobody)
		p.mu.Lock()
		p.scope, p.done = nil, nil
		p.lost, p.failure, p.panicked = lost, failure, v
		p.active.Store(v != nil) // the waiting task has to find the panic
		watch := p.watch
		p.mu.Unlock()
		scope.Close()
		if watch != nil && failure != nil {
			watch.Close()
		}
		p.push() // an answer may have been queued too late for flush
		close(done)
	}()
	err := p.wire.flush(scope)
	lost = err != nil && !goesOn(err)
	if lost && !errors.Is(err, net.ErrClosed) && !isAny(err, syscall.EPIPE, syscall.ECONNRESET) {
		failure = &unsentError{p.wire.unsent.Load(), plain(err)}
	}
}

// close makes the goroutine end, and lets no other one start. It reports whether there was
// one, which then releases senders.
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

// fragile reports whether conn may not survive a send that is cut short. TLS of package
// crypto/tls does not, nor does a connection without deadlines, which is closed instead.
// Only sockets are known to survive it.
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
