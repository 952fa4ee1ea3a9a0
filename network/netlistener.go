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

// NetListener makes l a net.Listener, for http.Server and similar libraries, and takes it
// over.
//
// ctx bounds Accept, and every connection that it returns, as NetConn describes. When ctx
// ends, Accept returns its error; the listener stays open until Close.
//
// What l's ServerConfig says of connections holds for those that Accept returns:
//
//   - TLS: they are each a *tls.Conn, which net/http needs for HTTP/2 and Request.TLS.
//     What NetConn describes is the net.Conn below it. The handshake begins at once, in a
//     goroutine of its own.
//   - Proxy: their addresses are the client's. The header is read by the first Read or
//     Write, or by the first call of RemoteAddr or LocalAddr, which waits for it.
//   - HandshakeTimeout bounds all that comes first, also if no deadline is set. Read and
//     Write then fail with ErrHandshakeTimeout.
//   - MaxConnections: while there are that many, Accept waits until one of them is closed.
//   - IdleTimeout bounds each wait for the peer, which fails with ErrIdle. net/http waits for the peer also while a
//     handler runs, so there it bounds how long a request may take of which nothing more is
//     received.
//   - Lifetime: when it is over, everything on the connection fails with ErrLifetime,
//     whatever deadlines are set.
//
// These three are os.ErrDeadlineExceeded as well.
//
// Grace is about handlers, which only the library knows: NetListener panics if it is set.
// Such libraries have a call for it, as http.Server.Shutdown.
//
// Running out of descriptors or memory is no error: Accept pauses and says so in the log,
// as TCPServer does. It has SetDeadline, for Accept, as *net.TCPListener has, and, if l has a
// socket, SyscallConn and File; for a Unix socket also SetUnlinkOnClose. Errors are *net.OpError of "accept". It is safe for
// concurrent use.
func NetListener(ctx context.Context, l *Listener) net.Listener {
	mustListen(l)
	if l.config.Grace != 0 {
		panic("curio/network: NetListener of a Listener with Grace, which is for handlers of RunServer; leave it out, and use what the library has to stop gracefully")
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

// acceptOne accepts a connection when there is a slot for it, with free to give that back.
// Running out of something is no error.
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

// dress makes of what was accepted what the configuration says.
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

// shakeTLS does the handshake of a connection that was accepted, within the time that its
// configuration has for it. Whoever uses the connection meanwhile waits for that in package
// tls, or gets the error, which package tls keeps.
//
// It is done here because nothing else can bound it: whether its handshake is over, a
// *tls.Conn tells nobody who is within one of its calls, as the connection below it is.
func shakeTLS(ctx context.Context, conn *tls.Conn, below *bounded) {
	over := false
	defer func() {
		if over {
			return
		}
		// A function of the configuration has panicked. It has done so in nobody's Read, so
		// the connection has to be ended for those who use it. (Whoever was faster, and does
		// the handshake in an operation, gets the panic, as with package tls.)
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
	// ctx ends it through the connection below, so that its error is as that has it.
	err := conn.HandshakeContext(context.WithoutCancel(ctx))
	over = true
	if err == nil {
		below.live()
	}
}

// Close stops listening. Who is in Accept, be it in a pause, gets net.ErrClosed.
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

// SetUnlinkOnClose is as that of *net.UnixListener, and of the Listener.
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
