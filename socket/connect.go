package socket

import (
	"context"
	"math"
	"net"
	"net/netip"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
)

// Bind gives the socket its local address: bind(2). Port 0 is any free port, which
// LocalAddr tells. A path of the Unix domain is made in the file system, and left
// there by Close. On Linux, a name that begins with "@" is an abstract one, and an empty
// name is any free abstract one. A path with a zero byte is refused, as the system would
// truncate it there.
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

// BindAddrPort is Bind for a socket of the Internet families, whatever its type.
func (s *Socket) BindAddrPort(addr netip.AddrPort) error { return s.Bind(s.inetAddr(addr)) }

// Listen makes the socket one that accepts connections: listen(2). backlog is how
// many connections may wait for Accept; if it is 0 or less, as many as the system
// allows.
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
	s.LocalAddr() // while it is certain, as whoever closes it may want to say what that was
	return nil
}

// Accept waits for a connection and returns a socket for it, whose RemoteAddr is who
// has connected: accept(2). If a connection comes at the moment at which the call is
// cancelled, it is either returned or there for the next call.
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

// Connect connects the socket with addr: connect(2). The attempt takes as long as the
// system goes on trying, which may be minutes, unless ctx ends it. After an error
// all that can be done with the socket is to close it; after a cancellation
// the attempt goes on until then.
//
// A datagram socket is connected at once, and hears nothing of whether there is somebody
// at addr: from then on that is where it sends to, and the only one from whom it
// receives. A host that has nobody at addr may say so when something is sent: one of the
// next operations then fails with syscall.ECONNREFUSED. Another Connect connects it
// with another.
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

// ConnectAddrPort is Connect for a socket of the Internet families, whatever its type.
func (s *Socket) ConnectAddrPort(ctx context.Context, addr netip.AddrPort) error {
	return s.Connect(ctx, s.inetAddr(addr))
}
