package network

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/network/proxyproto"
)

// A proxied is the connection of a proxy, which begins with a header. Reading it is its
// handshake; after that it is the connection of the proxy's client.
//
//	unread ──► early   when the header has been read, and something after it
//	       ──► plain   when the header has been read, and nothing else
//	early ──► plain    when what came with the header has been received, or by Close
//
// No task holds mu while it waits. A task that has the turn may take it.
type proxied struct {
	// Set at birth.
	conn  Conn
	limit int
	bound time.Duration // of the handshake, if that is left to the first operation; 0 for no bound

	phase atomic.Int32

	turn curio.Lock // of who reads the header
	buf  []byte     // what has been read of it
	bad  error      // what is wrong with it

	// Set before the phase is no longer unread.
	header        *proxyproto.Header
	local, remote net.Addr // nil: conn's addresses

	mu     sync.Mutex
	early  []byte // what came with the header and has not been received
	closed bool
}

const (
	proxyUnread = iota
	proxyEarly
	proxyPlain
)

// firstRead has room for every header without TLVs.
const firstRead = 256

// newProxied returns conn as the connection of a proxy's client, if its peer is a proxy.
// Otherwise, and without a config, it returns conn itself.
func newProxied(conn Conn, config *ProxyConfig) Conn {
	if config == nil || !config.trusts(conn) {
		return conn
	}
	p := &proxied{conn: conn, limit: config.MaxHeader}
	if p.limit == 0 {
		p.limit = defaultMaxHeader
	}
	return p
}

// Below returns the connection with the proxy.
func (p *proxied) Below() Conn { return p.conn }

// Handshake reads the header, unless that has been done. If it is cut short, it keeps what it has
// read. After a wrong header, every call fails.
func (p *proxied) Handshake(ctx context.Context) error {
	if _, err := wait.At(ctx); err != nil {
		return p.failed("proxy", err)
	}
	return p.ready(ctx)
}

// handshake is Handshake for those who ask later whether ctx is alive.
func (p *proxied) handshake(ctx context.Context) error {
	if p.phase.Load() != proxyUnread {
		return nil
	}
	if err := p.turn.Acquire(ctx); err != nil {
		return p.failed("proxy", err)
	}
	defer p.turn.Release(ctx)
	if p.phase.Load() != proxyUnread || p.bad != nil {
		return p.bad
	}
	if below, ok := p.conn.(handshaker); ok {
		if err := below.Handshake(ctx); err != nil {
			return err
		}
	}
	for {
		header, n, err := proxyproto.Parse(p.buf)
		switch {
		case n > p.limit: // even if that much has not arrived yet
			return p.refuse(fmt.Errorf("%w: it has %d bytes or more, and at most %d are accepted", proxyproto.ErrHeader, n, p.limit))
		case err == nil:
			p.begin(header, n)
			return nil
		case err != io.ErrUnexpectedEOF:
			return p.refuse(err)
		}
		if err := p.more(ctx); err != nil {
			return p.failed("proxy", err)
		}
	}
}

// refuse makes err what is wrong with the header, for this and all later operations.
func (p *proxied) refuse(err error) error {
	p.bad, p.buf = p.failed("proxy", err), nil
	return p.bad
}

// ready does the handshake within its bound.
func (p *proxied) ready(ctx context.Context) error {
	if p.bound == 0 || p.phase.Load() != proxyUnread {
		return p.handshake(ctx)
	}
	return within(ctx, p.bound, p, "handshake", lateError(p.bound), p.handshake)
}

// more receives some more of the header. Its memory grows with what has arrived.
func (p *proxied) more(ctx context.Context) error {
	if len(p.buf) == cap(p.buf) {
		grown := make([]byte, len(p.buf), max(2*cap(p.buf), firstRead))
		copy(grown, p.buf)
		p.buf = grown
	}
	n, err := p.conn.Recv(ctx, p.buf[len(p.buf):cap(p.buf)])
	p.buf = p.buf[:len(p.buf)+n]
	if err == io.EOF && len(p.buf) > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// begin ends the handshake: of what has been read, n bytes are the header.
func (p *proxied) begin(header *proxyproto.Header, n int) {
	p.header = header
	if !header.Local {
		p.local, p.remote = header.Destination, header.Source
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	phase := int32(proxyPlain)
	if n < len(p.buf) && !p.closed {
		p.early, phase = bytes.Clone(p.buf[n:]), proxyEarly
	}
	p.buf = nil
	p.phase.Store(phase)
}

func (p *proxied) Recv(ctx context.Context, buf []byte) (int, error) {
	if err := p.ready(ctx); err != nil {
		return 0, err
	}
	if p.phase.Load() == proxyEarly {
		if _, err := wait.At(ctx); err != nil {
			return 0, p.failed("recv", err)
		}
		if n := p.takeEarly(buf); n > 0 {
			return n, nil
		}
	}
	return p.conn.Recv(ctx, buf)
}

// takeEarly receives what came with the header. Of two at a time one may get nothing.
func (p *proxied) takeEarly(buf []byte) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := copy(buf, p.early)
	p.early = p.early[n:]
	if len(p.early) == 0 {
		p.early = nil
		p.phase.Store(proxyPlain)
	}
	return n
}

func (p *proxied) SendAll(ctx context.Context, buf []byte) (int, error) {
	if err := p.ready(ctx); err != nil {
		return 0, err
	}
	return p.conn.SendAll(ctx, buf)
}

func (p *proxied) WaitRead(ctx context.Context) error {
	if err := p.ready(ctx); err != nil {
		return err
	}
	if p.phase.Load() == proxyEarly {
		if _, err := wait.At(ctx); err != nil {
			return p.failed("wait", err)
		}
		return nil
	}
	return p.conn.WaitRead(ctx)
}

func (p *proxied) CloseWrite(ctx context.Context) error { return p.conn.CloseWrite(ctx) }

// Close discards data that has not been received.
func (p *proxied) Close() error {
	p.drop()
	return p.conn.Close()
}

// CloseContext calls CloseContext of the connection with the proxy, or Close if it has
// none.
func (p *proxied) CloseContext(ctx context.Context) error {
	p.drop()
	return closeConn(ctx, p.conn)
}

func (p *proxied) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.phase.Load() == proxyEarly {
		p.early = nil
		p.phase.Store(proxyPlain)
	}
}

// LocalAddr is the address that the client has connected to, once that is known.
func (p *proxied) LocalAddr() net.Addr {
	if p.phase.Load() != proxyUnread && p.local != nil {
		return p.local
	}
	return p.conn.LocalAddr()
}

// RemoteAddr is the address of the client, once that is known.
func (p *proxied) RemoteAddr() net.Addr {
	if p.phase.Load() != proxyUnread && p.remote != nil {
		return p.remote
	}
	return p.conn.RemoteAddr()
}

// failed returns the error of an operation of this layer. It names the connection with the proxy,
// as that connection's own errors do: that is the connection that fails, and the server knows
// whether it is lost.
func (p *proxied) failed(op string, err error) error { return opError(op, p.conn, causeOf(err)) }
