package network

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

// A ConnectConfig configures how connections are opened. The zero value is the default. The
// functions of this package do not modify it, so it may be used by any number of tasks at the same
// time.
type ConnectConfig struct {
	// Source is the local address to connect from. The system chooses the port if it is 0, and the
	// address if that is the zero Addr, as in netip.AddrPortFrom(netip.Addr{}, 4711). If there is
	// an address, only peer addresses of its family are tried. The zero value leaves both to the
	// system.
	//
	// A port is bound with SO_REUSEADDR, so that several attempts can share it and it is available
	// again soon after an earlier connection.
	Source netip.AddrPort

	// TLS, if not nil, makes OpenConnection do a TLS handshake and return a *TLSConn. If its
	// ServerName is empty, the host of addr is used. It must not be modified while it is in use.
	TLS *tls.Config

	// HandshakeTimeout limits the TLS handshake. When it is exceeded, the error wraps
	// ErrHandshakeTimeout and os.ErrDeadlineExceeded. 0 means 10 seconds; a negative value means no
	// limit except ctx. It is an error to set it without TLS.
	HandshakeTimeout time.Duration

	// AttemptDelay is how long to wait for an attempt to connect before also trying the next
	// address. 0 means 250 ms, and values below 10 ms mean 10 ms, as RFC 8305 recommends. If it is
	// negative, the next address is tried only after an attempt has failed.
	AttemptDelay time.Duration

	// ResolutionDelay is how long to wait for a name's IPv6 addresses after its IPv4 addresses are
	// known. 0 means 50 ms, as RFC 8305 recommends; a negative value means not to wait.
	ResolutionDelay time.Duration

	// Resolver looks up names. nil means net.DefaultResolver.
	Resolver Resolver

	// KeepAlive controls when TCP probes an idle peer. The zero value is the default. It is an
	// error to set it for a network other than TCP.
	KeepAlive KeepAliveConfig

	// Control, if not nil, is called for each socket before it is bound or connected: once for each
	// attempt to connect, possibly by several tasks at once.
	Control ControlFunc
}

// What RFC 8305, section 8, recommends, and the least that it allows.
const (
	usualAttemptDelay    = 250 * time.Millisecond
	leastAttemptDelay    = 10 * time.Millisecond
	usualResolutionDelay = 50 * time.Millisecond
)

// OpenConnection connects to addr, a "host:port", over TCP. If config has TLS, it also does the TLS
// handshake and returns a [*TLSConn]. An empty host means this machine. A nil config means the
// default.
//
// It looks up a name's IPv4 and IPv6 addresses at the same time and tries them as RFC 8305 ("Happy
// Eyeballs") describes: it begins with IPv6, alternates between the families, and starts the next
// attempt after a delay or as soon as one has failed. The first connection wins. An address that
// does not answer costs no more than one AttemptDelay. Each lookup and each attempt is a task, with
// a name such as "connect to [::1]:80", unless there is only one address to try.
//
// If ctx is done first, OpenConnection returns an error that wraps ctx's error. In every case, when
// it returns it has left behind no task and no socket other than the connection's.
//
// TCP probes an idle peer every 15 seconds and gives up after nine unanswered probes: SO_KEEPALIVE,
// as in package net. KeepAlive changes that.
//
// Errors are of type [*net.OpError]. If several attempts have failed, also before ctx was done,
// errors.Is and errors.As find the errors of all of them.
//
// It is Curio's open_connection.
func OpenConnection(ctx context.Context, addr string, config *ConnectConfig) (Conn, error) {
	if config == nil {
		config = new(ConnectConfig)
	}
	return openTCP(ctx, addr, config, attempt)
}

// OpenUnixConnection connects to the Unix stream socket at path. If config has TLS, it also does
// the TLS handshake; config.TLS must then have a ServerName or InsecureSkipVerify. On Linux, a path
// that begins with "@" is an abstract name. A nil config means the default. Fields other than TLS,
// HandshakeTimeout and Control are for the Internet, and setting them is an error.
//
// If the listener's backlog is full, OpenUnixConnection waits. If ctx is done first, it returns an
// error that wraps ctx's error and leaves no socket open. Errors are of type [*net.OpError].
//
// It is Curio's open_unix_connection.
func OpenUnixConnection(ctx context.Context, path string, config *ConnectConfig) (Conn, error) {
	if config == nil {
		config = new(ConnectConfig)
	}
	addr := &net.UnixAddr{Name: path, Net: "unix"}
	failed := func(err error) (Conn, error) { return nil, opening(addr, err) }
	if _, err := wait.At(ctx); err != nil {
		return failed(err)
	}
	if err := config.refuseUnix(path); err != nil {
		return failed(err)
	}
	s, err := socket.New(socket.AF_UNIX, socket.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	connected := false
	defer unlessDone(&connected, s)
	if err := callControl(config.Control, s, "connect", addr); err != nil {
		return nil, err
	}
	if err := s.Connect(ctx, addr); err != nil {
		return nil, err
	}
	connected = true
	conn, err := secure(ctx, s, "", config)
	if err != nil {
		return failed(err)
	}
	return conn, nil
}

// opening is the error of opening a connection with addr.
func opening(addr net.Addr, err error) error {
	return &net.OpError{Op: "connect", Net: addr.Network(), Addr: addr, Err: err}
}

// refuse returns what is wrong with c, for a connection with host, "" if that is not
// known.
func (c *ConnectConfig) refuse(host string) error {
	switch {
	case c.TLS == nil && c.HandshakeTimeout != 0:
		return misused("HandshakeTimeout without TLS")
	case c.TLS != nil && c.TLS.Renegotiation != tls.RenegotiateNever:
		return misused("TLS with Renegotiation, which is not supported")
	case c.TLS != nil && host == "" && c.TLS.ServerName == "" && !c.TLS.InsecureSkipVerify:
		return misused("TLS without ServerName, and the address has no host")
	}
	return c.KeepAlive.check()
}

func (c *ConnectConfig) refuseUnix(path string) error {
	if err := refusePath(path); err != nil {
		return err
	}
	switch {
	case c.Source != netip.AddrPort{}:
		return misused("Source, for a Unix socket")
	case c.AttemptDelay != 0:
		return misused("AttemptDelay, for a Unix socket")
	case c.ResolutionDelay != 0:
		return misused("ResolutionDelay, for a Unix socket")
	case c.Resolver != nil:
		return misused("Resolver, for a Unix socket")
	case c.KeepAlive != KeepAliveConfig{}:
		return misused("KeepAlive, for a Unix socket")
	}
	return c.refuse("")
}

// attempt makes one attempt to connect. One with a free port of this machine can meet
// itself: both ends of the connection are then the one socket, which is of no use to
// anybody. Mostly another attempt has another port. If the system has no other to give,
// it is as if it had given none: nobody listens there.
func attempt(ctx context.Context, to netip.AddrPort, config *ConnectConfig) (Conn, error) {
	for range 10 {
		s, err := attemptOnce(ctx, to, config)
		if err != nil {
			return nil, err
		}
		if config.Source.Port() != 0 || !meetsItself(s) {
			return s, nil
		}
		s.Close()
	}
	return nil, opening(net.TCPAddrFromAddrPort(to), os.NewSyscallError("connect", syscall.ECONNREFUSED))
}

func meetsItself(s *socket.Socket) bool {
	local, ok := s.LocalAddr().(*net.TCPAddr)
	if !ok {
		return false
	}
	remote, ok := s.RemoteAddr().(*net.TCPAddr)
	return ok && local.Port == remote.Port && local.IP.Equal(remote.IP)
}

func attemptOnce(ctx context.Context, to netip.AddrPort, config *ConnectConfig) (*socket.Socket, error) {
	addr := net.TCPAddrFromAddrPort(to)
	s, err := socket.New(familyOf(addr), socket.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	connected := false
	defer unlessDone(&connected, s)
	err = config.KeepAlive.apply(s)
	if err == nil {
		err = callControl(config.Control, s, "connect", addr)
	}
	if err == nil && config.Source != (netip.AddrPort{}) {
		err = bindSource(s, config.Source)
	}
	if err == nil {
		err = s.Connect(ctx, addr)
	}
	if err != nil {
		return nil, err
	}
	connected = true
	return s, nil
}

func bindSource(s *socket.Socket, source netip.AddrPort) error {
	if source.Port() != 0 {
		if err := sharePort(s); err != nil {
			return err
		}
	}
	local := &net.TCPAddr{Port: int(source.Port())}
	if source.Addr().IsValid() {
		local = net.TCPAddrFromAddrPort(netip.AddrPortFrom(source.Addr().Unmap(), source.Port()))
	}
	return s.Bind(local)
}

// attempts are the errors of several attempts to connect, and of looking up where to.
type attempts []error

func (a attempts) Error() string   { return errors.Join(a...).Error() }
func (a attempts) Unwrap() []error { return a }

// Timeout says whether the last one ran out of time.
func (a attempts) Timeout() bool {
	last, ok := a[len(a)-1].(interface{ Timeout() bool })
	return ok && last.Timeout()
}

// err is a as one error. It must not be empty.
func (a attempts) err() error {
	if len(a) == 1 {
		return a[0]
	}
	return a
}

// A cutShort is the error of a scope that ended when some attempts had failed. It wraps
// the scope's alone, so that a task that ends with it counts as cancelled, and not as
// failed; but errors.Is and errors.As see the others as well.
type cutShort struct {
	ended  error
	before attempts
}

func (c *cutShort) Error() string     { return append(slices.Clone(c.before), c.ended).Error() }
func (c *cutShort) Unwrap() error     { return c.ended }
func (c *cutShort) Is(err error) bool { return errors.Is(c.before, err) }
func (c *cutShort) As(to any) bool    { return errors.As(c.before, to) }
func (c *cutShort) Timeout() bool     { return attempts{c.ended}.Timeout() }
