package socket

import (
	"context"
	"math"
	"net"
	"net/netip"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
)

// Bind assigns the local address to the socket: bind(2). Port 0 means any free port; LocalAddr
// returns which. A Unix domain path is created in the file system, and Close does not remove it. On
// Linux, a name that begins with "@" is an abstract name, and an empty name means any free abstract
// name. Bind refuses a path that contains a zero byte, at which the system would truncate it.
func (s *Socket) Bind(addr net.Addr) error {
	if err := s.usable(); err != nil {
		return s.failedAt("bind", addr, err)
	}
	name := new(poll.Name)
	err := s.setAddr(name, addr)
	if err == nil {
		err = s.fd.Control(func(fd int) error { return poll.Bind(fd, name) })
	}
	if err != nil {
		return s.failedAt("bind", addr, err)
	}
	s.forget()
	return nil
}

// BindAddrPort assigns the local address to a socket of the Internet families, of any type. See
// Bind.
func (s *Socket) BindAddrPort(addr netip.AddrPort) error { return s.Bind(s.inetAddr(addr)) }

// Listen makes the socket accept connections: listen(2). At most backlog connections wait to be
// accepted. If backlog is 0 or negative, Listen uses the system's maximum.
func (s *Socket) Listen(backlog int) error {
	if err := s.usable(); err != nil {
		return s.failedAt("listen", nil, err)
	}
	if backlog <= 0 {
		backlog = maxBacklog()
	}
	backlog = min(backlog, math.MaxInt32) // more than any system allows
	err := s.fd.Control(func(fd int) error { return syscall.Listen(fd, backlog) })
	if err != nil {
		return s.failedAt("listen", s.LocalAddr(), err)
	}
	s.forget()    // a socket that was not bound has a port now
	s.LocalAddr() // while it is certain: the address may be asked for after a Close
	return nil
}

// Accept waits for a connection and returns a socket for it: accept(2). The new socket's RemoteAddr
// is the client's address. If ctx is done first, Accept returns an error that wraps ctx's error. A
// connection that arrives at the same moment is not lost: either this call returns it or the next
// one does.
func (s *Socket) Accept(ctx context.Context) (*Socket, error) {
	if err := s.usable(); err != nil {
		return nil, s.failedAt("accept", nil, err)
	}
	sysfd, peer, err := s.fd.Accept(ctx)
	if err != nil {
		return nil, s.failedAt("accept", s.LocalAddr(), err)
	}
	conn, err := own(sysfd, s.family, s.fd.Type(), "accept")
	if err != nil {
		return nil, err
	}
	conn.remote.keep(conn, peer)
	if s.fd.IsPlain() { // it has the listener's options
		conn.fd.SetPlain()
	}
	if s.adopted {
		_ = s.fd.Control(func(fd int) error { poll.InheritTCP(fd, sysfd); return nil })
	}
	return conn, nil
}

// Connect connects the socket to addr: connect(2). The attempt ends when ctx is done or the system
// gives up, which may take minutes. If ctx is done first, the error wraps ctx's error, and the
// system may go on with the attempt until the socket is closed. After any error, a stream socket
// can only be closed.
//
// On a datagram socket Connect does not wait and does not find out whether anything listens at
// addr. It sets the address to send to, and the only address to receive from. If nothing listens
// there, a host may answer what is sent with an error, and a later operation then fails with
// syscall.ECONNREFUSED. Another call of Connect changes the address.
func (s *Socket) Connect(ctx context.Context, addr net.Addr) error {
	if err := s.usable(); err != nil {
		return s.failedAt("connect", addr, err)
	}
	name := new(poll.Name)
	err := s.setAddr(name, addr)
	if err == nil {
		err = s.fd.Connect(ctx, name)
	}
	if err != nil {
		return s.failedAt("connect", addr, err)
	}
	s.forget()
	s.RemoteAddr() // while it is certain: there is none any more after a reset
	return nil
}

// ConnectAddrPort connects a socket of the Internet families, of any type, to addr. See Connect,
// also for cancellation.
func (s *Socket) ConnectAddrPort(ctx context.Context, addr netip.AddrPort) error {
	return s.Connect(ctx, s.inetAddr(addr))
}
