package network

import (
	"crypto/tls"
	"io/fs"
	"net"
	"time"
)

// A ServerConfig configures how a server listens and how it serves connections. The zero value is
// the default. Making a Listener with invalid values, such as a negative number of connections or
// TLS without a certificate, panics. A field that has no meaning for the kind of listener, such as
// Mode for TCP, is an error, or a panic in NewListener and FromListener; it is never ignored.
type ServerConfig struct {
	// How it listens.

	// Backlog is how many connections may wait to be accepted: listen(2). 0 means the system's
	// maximum, to which the system also lowers larger values.
	Backlog int

	// ReusePort lets several servers, also in different processes, listen on the same address if
	// all of them set it: SO_REUSEPORT. For a Unix socket it is an error.
	ReusePort bool

	// NoReuseAddr leaves SO_REUSEADDR off. Listening on a port then fails while connections of an
	// earlier listener still exist, for about a minute. For a Unix socket, a file that is left
	// behind is then not replaced.
	NoReuseAddr bool

	// Control, if not nil, is called for the listening socket before it is bound. The connections
	// that it accepts inherit most options. NewListener and FromListener panic if it is set, as
	// their sockets are already listening.
	Control ControlFunc

	// Mode holds the permissions of a Unix socket's file. 0 leaves them to the umask. If there is
	// no file, it is an error to set Mode.
	Mode fs.FileMode

	// What each connection is.

	// KeepAlive controls when TCP probes an idle peer. The zero value is the default. It is an
	// error to set it for a Unix socket. FromListener panics if it is set, as the net.Listener
	// decides.
	KeepAlive KeepAliveConfig

	// TLS, if not nil, makes each connection a *TLSConn with this configuration.
	TLS *tls.Config

	// Proxy, if not nil, identifies the peers that are proxies, which send a header that names
	// their client. It is an error if no proxy can connect: on TCP without From, and on a Unix
	// socket without Unix.
	Proxy *ProxyConfig

	// HandshakeTimeout limits the time before the handler is called: the TLS handshake and a
	// proxy's header. If it is exceeded, the error wraps ErrHandshakeTimeout. 0 means 10 seconds; a
	// negative value means no limit.
	HandshakeTimeout time.Duration

	// How each connection is served. This is for RunServer and, except for Grace, also for
	// connections from Accept of the Listener or of a NetListener.

	// MaxConnections is how many connections are served at a time. Others wait in the backlog until
	// they are accepted. 0 means no limit.
	MaxConnections int

	// IdleTimeout limits each wait for the peer: Recv and WaitRead fail if nothing arrives for that
	// long, SendAll if the peer accepts nothing for that long. The error then wraps ErrIdle. The
	// waits in the handshake count too; the TLS handshake of a connection from a net.Listener (see
	// FromListener) counts as one wait. 0 means no limit.
	IdleTimeout time.Duration

	// Lifetime limits how long a connection is served, including the handshake. After that, its
	// handler's context is done, with ErrLifetime. 0 means no limit.
	Lifetime time.Duration

	// Grace is how long handlers may go on when the server stops; see RunServer. 0 means that
	// they are cancelled with the server's context; a negative value means that there is no limit.
	Grace time.Duration
}

// mustMakeSense panics if c does not.
func (c *ServerConfig) mustMakeSense() {
	if c.Proxy != nil {
		if err := c.Proxy.check(); err != nil {
			panic("curio/network: " + err.Error())
		}
	}
	if err := c.KeepAlive.check(); err != nil {
		panic("curio/network: ServerConfig: " + err.Error())
	}
	switch {
	case c.TLS != nil && len(c.TLS.Certificates) == 0 && c.TLS.GetCertificate == nil && c.TLS.GetConfigForClient == nil:
		panic("curio/network: ServerConfig.TLS has no certificate; set Certificates, GetCertificate or GetConfigForClient")
	case c.Backlog < 0:
		panic("curio/network: ServerConfig.Backlog is negative; 0 means as many as the system allows")
	case c.Mode&^fs.ModePerm != 0:
		panic("curio/network: ServerConfig.Mode has more than permissions: " + c.Mode.String())
	case c.MaxConnections < 0:
		panic("curio/network: ServerConfig.MaxConnections is negative; 0 means no limit")
	case c.IdleTimeout < 0:
		panic("curio/network: ServerConfig.IdleTimeout is negative; 0 means no limit")
	case c.Lifetime < 0:
		panic("curio/network: ServerConfig.Lifetime is negative; 0 means no limit")
	}
}

// mustNotListen panics if c says how to listen although that has been done.
func (c *ServerConfig) mustNotListen(call string) {
	if c.Backlog != 0 || c.ReusePort || c.NoReuseAddr || c.Mode != 0 || c.Control != nil {
		panic("curio/network: " + call + " with a ServerConfig that has settings for the listening socket, which exists already; leave out Backlog, ReusePort, NoReuseAddr, Control and Mode")
	}
}

// refuse returns an error if c has a setting that a listener on addr cannot have.
func (c *ServerConfig) refuse(addr net.Addr) error {
	switch addr := addr.(type) {
	case *net.TCPAddr:
		switch {
		case c.Mode != 0:
			return misused("Mode, for TCP")
		case c.Proxy != nil && len(c.Proxy.From) == 0:
			return misused("Proxy without From, for TCP")
		}
	case *net.UnixAddr:
		switch {
		case c.ReusePort:
			return &net.AddrError{Err: "a Unix socket has no port for ReusePort", Addr: addr.Name}
		case c.Mode != 0 && isAbstract(addr.Name):
			return misused("Mode, for an abstract name")
		case c.KeepAlive != KeepAliveConfig{}:
			return misused("KeepAlive, for a Unix socket")
		case c.Proxy != nil && !c.Proxy.Unix:
			return misused("Proxy without Unix, for a Unix socket")
		}
	}
	return nil
}

// mustFit panics if c has a setting that a listener on addr, which listens already, cannot
// have.
func (c *ServerConfig) mustFit(addr net.Addr, call string) {
	if err := c.refuse(addr); err != nil {
		panic("curio/network: " + call + " with " + err.Error())
	}
}
