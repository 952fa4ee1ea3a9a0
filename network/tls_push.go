package network

import (
	"context"
	"net"
	"sync"

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

	mu       sync.Mutex // pusher.mu < wire.mu
	waiting  bool       // somebody waits for the peer
	closed   bool       // by close, for good
	lost     bool       // the connection below has failed, which the next sender will be told
	panicked any        // with which the goroutine has ended
	scope    *wait.Scope
	done     chan struct{} // of the goroutine, as scope; nil if there is none
}

// nobody is the context of what is done in no task's name. A lock that was taken with it
// may be released by another goroutine.
var nobody = context.Background()

// begin is called by who is about to wait for the peer, and end after that.
func (p *pusher) begin() {
	p.mu.Lock()
	p.waiting = true
	p.mu.Unlock()
	p.push()
}

func (p *pusher) end() {
	p.mu.Lock()
	p.waiting = false
	scope, done, panicked := p.scope, p.done, p.panicked
	p.mu.Unlock()
	if scope != nil && !fragile(p.wire.below) {
		scope.Close()
		<-done
		p.mu.Lock()
		panicked = p.panicked
		p.mu.Unlock()
	}
	if panicked != nil {
		panic(panicked) // of the Conn below, which this task has to do with
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
	if err := p.wire.push(nobody, false); err == nil || !p.waiting {
		p.senders.Release(nobody)
		return
	}
	p.scope, p.done = wait.NewTimeout(nobody, 0), make(chan struct{})
	go p.run(p.scope, p.done)
}

// run is the goroutine.
func (p *pusher) run(scope *wait.Scope, done chan struct{}) {
	lost := true // if it does not return
	defer func() {
		v := recover()
		p.senders.Release(nobody)
		p.mu.Lock()
		p.scope, p.done, p.lost, p.panicked = nil, nil, lost, v
		p.mu.Unlock()
		scope.Close()
		p.push() // an answer may have come too late for flush
		close(done)
	}()
	err := p.wire.flush(scope)
	lost = err != nil && !goesOn(err)
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
