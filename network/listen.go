package network

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"

	"github.com/curio-go/curio/internal/foreign"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

// A Listener accepts connections, and holds the [ServerConfig] for serving them. Listeners come
// from [ListenTCP], [ListenUnix], [NewListener] and [FromListener]. The zero value cannot be used.
// A Listener must not be copied. It is safe for concurrent use.
type Listener struct {
	// Set at birth.
	socket  *socket.Socket    // nil if it is somebody else's net.Listener
	foreign *foreign.Listener // then this is it
	config  ServerConfig
	slots   *slots // for callers of Accept; nil if connections are not counted
	adopted bool   // the socket was made elsewhere; connections may be waiting that are older than its settings

	serving registry // what its servers serve

	closing context.Context // ended by Close, through closed
	closed  context.CancelFunc

	unlinking sync.Mutex
	file      os.FileInfo // the file of the Unix socket, if there is one that may be removed
	path      string      // where it is
	unlink    bool        // whether Close removes it
	unlinked  bool        // Close has removed the file, or left it
}

// NewListener makes a Listener from a socket that is already listening, and takes ownership of it.
// A nil config means the default. Connections get TCP_NODELAY and SO_KEEPALIVE, as with ListenTCP.
// If s already has SO_KEEPALIVE, it keeps its times unless config.KeepAlive sets others.
// NewListener panics if config is invalid, or has settings for the listening socket, which come too
// late. It also panics if config has TLS or Proxy and the connections move messages, as on
// "unixpacket".
func NewListener(s *socket.Socket, config *ServerConfig) *Listener {
	if s == nil {
		panic("curio/network: NewListener of a nil socket")
	}
	l := newListener(config)
	l.config.mustNotListen("NewListener")
	l.config.mustFit(s.LocalAddr(), "NewListener")
	l.config.mustCarry("NewListener", s.LocalAddr())
	l.adopted = adopt(s)
	if l.config.KeepAlive != (KeepAliveConfig{}) {
		if err := l.config.KeepAlive.apply(s); err != nil && !errors.Is(err, net.ErrClosed) {
			panic("curio/network: NewListener with a KeepAlive that the system refuses: " + err.Error())
		}
	}
	l.socket = s
	return l
}

// newListener is a Listener that has no socket yet.
func newListener(config *ServerConfig) *Listener {
	l := new(Listener)
	l.closing, l.closed = context.WithCancel(context.Background())
	if config != nil {
		l.config = *config
	}
	l.config.mustMakeSense()
	if n := l.config.MaxConnections; n > 0 {
		l.slots = &slots{free: n}
	}
	return l
}

// Accept waits for a connection and returns it. It does not do the TLS handshake or read a proxy's
// header: the connection does that when it is first used, within the HandshakeTimeout. If ctx is
// done first, Accept returns an error that wraps ctx's error, and no connection is lost.
//
// The other settings of the [ServerConfig] apply to the connection as well. With MaxConnections,
// Accept waits while that many connections are open. IdleTimeout and Lifetime limit the
// connection's waits, which then fail with ErrIdle or ErrLifetime. Grace is for the handlers of
// RunServer: if it is set, Accept fails.
func (l *Listener) Accept(ctx context.Context) (Conn, error) {
	if l.config.Grace != 0 {
		return nil, l.opError("accept", misused("ServerConfig.Grace, which is for RunServer"))
	}
	free, err := l.admit(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := l.accept(ctx)
	if err != nil {
		if free != nil {
			free()
		}
		return nil, err
	}
	return l.dress(l.limit(conn, free)), nil
}

// accept is Accept of what the system or somebody else's listener has.
func (l *Listener) accept(ctx context.Context) (Conn, error) {
	if l.foreign != nil {
		conn, err := l.foreign.Accept(ctx)
		if err != nil {
			return nil, err
		}
		return FromConn(conn), nil
	}
	conn, err := l.socket.Accept(ctx)
	if err != nil {
		return nil, err // and not a nil *socket.Socket
	}
	switch {
	case l.adopted && l.config.KeepAlive != KeepAliveConfig{}:
		_ = l.config.KeepAlive.apply(conn) // one that has been waiting may be older than the listener's
	case l.adopted:
		inherit(l.socket, conn)
	}
	return conn, nil
}

// dress puts on a connection what it is to wear: the header of a proxy comes before TLS.
func (l *Listener) dress(conn Conn) Conn {
	conn = l.proxied(conn)
	if l.config.TLS != nil {
		secured := TLSServer(conn, l.config.TLS)
		secured.bound = handshakeBound(l.config.HandshakeTimeout)
		conn = secured
	}
	return conn
}

// proxied returns conn as the connection of a proxy's client, if its peer is a proxy.
func (l *Listener) proxied(conn Conn) Conn {
	conn = newProxied(conn, l.config.Proxy)
	if p, ok := conn.(*proxied); ok {
		p.bound = handshakeBound(l.config.HandshakeTimeout)
	}
	return conn
}

// LocalAddr returns the address that l listens on.
func (l *Listener) LocalAddr() net.Addr {
	if l.foreign != nil {
		return l.foreign.Addr()
	}
	return l.socket.LocalAddr()
}

// Close stops listening. An Accept in progress fails with net.ErrClosed, and so does a second
// Close. Connections that have been accepted stay open.
func (l *Listener) Close() error {
	defer l.closed()
	if l.foreign != nil {
		return l.foreign.Close()
	}
	l.removeFile() // before others can take the name
	return l.socket.Close()
}

// untilClosed returns a context that ends with ctx, or as soon as l is closed. cancel must
// be called.
func (l *Listener) untilClosed(ctx context.Context) (_ context.Context, cancel func()) {
	until := wait.New(ctx, wait.Group)
	unhook := context.AfterFunc(l.closing, until.Close)
	return until, func() {
		unhook()
		until.Close()
	}
}

// opError is the error of an operation on l.
func (l *Listener) opError(op string, cause error) error {
	e := &net.OpError{Op: op, Net: "listener", Addr: l.LocalAddr(), Err: cause}
	if e.Addr != nil {
		e.Net = e.Addr.Network()
	}
	return e
}

// Socket returns the listening socket, for example to set options on it. It returns nil if the
// Listener was made from a net.Listener.
func (l *Listener) Socket() *socket.Socket { return l.socket }

// ListenTCP returns a [Listener] on addr, a "host:port". For names and empty hosts see [TCPServer].
// The listening socket has SO_REUSEADDR on, unless config turns it off, and connections have
// SO_KEEPALIVE on, as with OpenConnection. It is an error if config has a Mode, or a Proxy that is
// for Unix sockets only. If ctx is done before addr's name has been looked up, the error wraps
// ctx's error. Errors are of type [*net.OpError]. It is Curio's tcp_server_socket.
func ListenTCP(ctx context.Context, addr string, config *ServerConfig) (*Listener, error) {
	l := newListener(config)
	addrs, err := resolve(ctx, "listen", "tcp", addr)
	if err != nil {
		return nil, err
	}
	if err := l.config.refuse(addrs[0]); err != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: addrs[0], Err: err}
	}
	for i, a := range addrs { // prefer IPv4, as package net does
		if a.IP.To4() != nil {
			addrs[0], addrs[i] = addrs[i], addrs[0]
			break
		}
	}
	l.socket, err = listen(addrs[0], &l.config)
	if addrs[0].IP == nil && err != nil && !errors.Is(err, syscall.EADDRINUSE) && !errors.As(err, new(controlError)) {
		l.socket, err = listen(&net.TCPAddr{IP: net.IPv4zero, Port: addrs[0].Port}, &l.config) // no IPv6 here
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

func listen(addr *net.TCPAddr, config *ServerConfig) (*socket.Socket, error) {
	s, err := socket.New(familyOf(addr), socket.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	listens := false
	defer unlessDone(&listens, s)
	err = config.KeepAlive.apply(s)
	if err == nil && !config.NoReuseAddr {
		err = socket.ReuseAddr.Set(s, true)
	}
	if err == nil && config.ReusePort {
		err = socket.ReusePort.Set(s, true)
	}
	if err == nil && (addr.IP == nil || addr.IP.Equal(net.IPv6unspecified)) {
		err = socket.V6Only.Set(s, false) // LocalAddr returns "[::]:80" for ":80"
	}
	if err == nil {
		err = callControl(config.Control, s, "listen", addr)
	}
	if err == nil {
		err = s.Bind(addr)
	}
	if err == nil {
		err = s.Listen(config.Backlog)
	}
	if err != nil {
		return nil, err
	}
	listens = true
	return s, nil
}

// familyOf is the family of a socket for addr. No address stands for all, and an IPv6 socket can
// also accept IPv4 connections.
func familyOf(addr *net.TCPAddr) int {
	if addr.IP.To4() != nil {
		return socket.AF_INET
	}
	return socket.AF_INET6
}
