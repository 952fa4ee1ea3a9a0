package network

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// NetListener makes a net.Listener from l, for http.Server and similar libraries, and takes
// ownership of l.
//
// ctx limits Accept, and every connection that it returns, as [NetConn] describes. When ctx is
// done, Accept returns an error that wraps ctx's error; the listener stays open until Close.
//
// The settings of l's [ServerConfig] apply to the connections that Accept returns:
//
//   - TLS: each connection is a *tls.Conn, which net/http needs for HTTP/2 and Request.TLS. The
//     net.Conn below it is as NetConn describes. The handshake begins at once, in a goroutine of
//     its own.
//   - Proxy: the addresses are the client's. The first call of Read, Write, RemoteAddr or LocalAddr
//     reads the header and waits for it.
//   - HandshakeTimeout limits the handshake and the header, even if no deadline is set. When it is
//     over, Read and Write fail with ErrHandshakeTimeout.
//   - MaxConnections: while that many connections are open, Accept waits until one is closed.
//   - IdleTimeout limits each wait for the peer, which then fails with ErrIdle. As net/http waits
//     for the peer even while a handler runs, there it also limits how long a request may take
//     after the last byte was received.
//   - Lifetime: when it is over, every operation on the connection fails with ErrLifetime, whatever
//     deadlines are set.
//
// These three errors also match os.ErrDeadlineExceeded.
//
// Grace is for handlers, which only the library knows: NetListener panics if it is set. Such a
// library has its own call for that, such as http.Server.Shutdown.
//
// Running out of descriptors or memory is not an error: Accept pauses and logs a warning, as
// TCPServer does. The result also has SetDeadline, for Accept, as *net.TCPListener has; if l has a
// socket, it has SyscallConn and File, and for a Unix socket SetUnlinkOnClose. Errors are of type
// [*net.OpError] with Op "accept". The result is safe for concurrent use.
func NetListener(ctx context.Context, l *Listener) net.Listener {
	mustListen(l)
	if l.config.Grace != 0 {
		panic("curio/network: NetListener of a Listener with Grace, which is for handlers of RunServer; leave it out, and stop gracefully in the way of the library")
	}
	if l.socket == nil {
		n := new(netListener)
		n.init(ctx, l)
		return n
	}
	if _, unix := l.LocalAddr().(*net.UnixAddr); unix {
		n := new(unixListener)
		n.init(ctx, l)
		return n
	}
	n := new(socketListener)
	n.init(ctx, l)
	return n
}

type netListener struct {
	// Set at birth.
	ctx      context.Context
	listener *Listener

	accepts  deadline
	acceptor acceptor
}

func (n *netListener) init(ctx context.Context, l *Listener) {
	n.ctx, n.listener = lasting(ctx), l
	n.acceptor.name, n.acceptor.next = nameOf(l.LocalAddr()), l.accept
	n.accepts.init(n.ctx)
}

// Accept implements net.Listener.
func (n *netListener) Accept() (net.Conn, error) {
	for {
		scope := n.accepts.scope.Load()
		conn, free, err := n.acceptOne(scope)
		if err == nil {
			return n.dress(conn, free), nil
		}
		again, cause := n.accepts.failed(n.ctx, scope, err)
		if !again {
			return nil, n.listener.opError("accept", cause)
		}
	}
}

// acceptOne accepts a connection when there is a slot for it; free gives the slot back.
// Running out of a system resource is not an error.
func (n *netListener) acceptOne(ctx context.Context) (conn Conn, free func(), err error) {
	full := n.listener.slots != nil && !n.listener.slots.haveFree()
	if full {
		n.acceptor.full.seen(ctx, n.acceptor.name, msgFull, "max", n.listener.config.MaxConnections)
	}
	if free, err = n.listener.admit(ctx); err != nil {
		return nil, nil, err
	}
	if full {
		n.acceptor.full.still(ctx)
	}
	if conn, err = n.acceptor.accept(ctx); err != nil {
		if free != nil {
			free()
		}
		return nil, nil, err
	}
	return conn, free, nil
}

// dress makes the configured kind of net.Conn of a connection that was accepted.
func (n *netListener) dress(conn Conn, free func()) net.Conn {
	config := &n.listener.config
	conn = n.listener.proxied(n.listener.bound(conn))
	if config.TLS == nil && config.Proxy == nil && config.Lifetime == 0 && free == nil {
		return adapt(n.ctx, conn, nil)
	}
	l := &limits{handshake: config.HandshakeTimeout, lifetime: config.Lifetime, free: free}
	if l.lifetime > 0 {
		l.ends = wait.After(l.lifetime)
	}
	made := adapt(n.ctx, conn, l)
	if config.TLS == nil {
		return made
	}
	secured := tls.Server(made, config.TLS)
	go shakeTLS(n.ctx, secured, made.(adapter).bound())
	return secured
}

// shakeTLS does the handshake of a connection that was accepted, within the configured
// time. Operations on the connection wait for that in package tls, or get its error, which
// package tls keeps.
//
// It is done here because nothing else can bound it: the connection below is called from
// within the methods of the *tls.Conn, where that cannot be asked whether its handshake is
// over.
func shakeTLS(ctx context.Context, conn *tls.Conn, below *bounded) {
	over := false
	defer func() {
		if over {
			return
		}
		// A function of the configuration has panicked. As it did so outside of any
		// operation, the connection has to be ended for its users. (An operation that was
		// faster, and does the handshake itself, gets the panic, as with package tls.)
		v := recover()
		below.end(errPanicked)
		say(ctx, slog.LevelError, "curio: a function of ServerConfig.TLS panicked",
			"peer", peerOf(below.conn), "panic", v, "stack", string(debug.Stack()))
	}()
	if limit := handshakeBound(below.limits.handshake); limit > 0 {
		if at := wait.After(limit); below.limits.ends == 0 || at < below.limits.ends {
			below.limits.term.set(at, lateError(limit))
		}
	}
	// When ctx is done, the connection below makes the handshake fail, with its error.
	err := conn.HandshakeContext(context.WithoutCancel(ctx))
	over = true
	if err == nil {
		below.live()
	}
}

// Close stops listening. An Accept in progress, even in a pause, fails with net.ErrClosed.
func (n *netListener) Close() error {
	n.accepts.close()
	if err := n.listener.Close(); err != nil {
		return n.listener.opError("close", causeOf(err))
	}
	return nil
}

// Addr implements net.Listener.
func (n *netListener) Addr() net.Addr { return n.listener.LocalAddr() }

// SetDeadline moves the deadline of Accept.
func (n *netListener) SetDeadline(t time.Time) error {
	if !n.accepts.set(t) {
		return n.listener.opError("set", net.ErrClosed)
	}
	return nil
}

// A socketListener is a Listener that has a socket.
type socketListener struct{ netListener }

// SyscallConn implements syscall.Conn. As with package net, only Control works.
func (n *socketListener) SyscallConn() (syscall.RawConn, error) {
	raw, err := n.listener.socket.SyscallConn()
	if err != nil {
		return nil, n.listener.opError("raw-control", causeOf(err))
	}
	return rawListener{n, raw}, nil
}

// File returns a duplicate of the descriptor, which the caller closes.
func (n *socketListener) File() (*os.File, error) {
	f, err := n.listener.socket.File()
	if err != nil {
		return nil, n.listener.opError("file", causeOf(err))
	}
	return f, nil
}

// A unixListener is a socketListener that may have a file.
type unixListener struct{ socketListener }

// SetUnlinkOnClose is like the method of *net.UnixListener, and of the Listener.
func (n *unixListener) SetUnlinkOnClose(unlink bool) { n.listener.SetUnlinkOnClose(unlink) }

// A rawListener is the socket of a listener as a syscall.RawConn.
type rawListener struct {
	of  *socketListener
	raw syscall.RawConn
}

func (r rawListener) Control(f func(fd uintptr)) error {
	if err := r.raw.Control(f); err != nil {
		return r.of.listener.opError("raw-control", causeOf(err))
	}
	return nil
}

func (rawListener) Read(func(fd uintptr) bool) error  { return syscall.EINVAL }
func (rawListener) Write(func(fd uintptr) bool) error { return syscall.EINVAL }
