package socket

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
)

// A Socket is a socket of the operating system. Sockets come from [New], [SocketPair],
// [Socket.Accept], [Socket.Dup], [FromFD], [FromConn] and [Activated]. The zero value is not a
// socket: its methods return an error that wraps syscall.EINVAL. A Socket must not be copied. It is
// safe for concurrent use.
type Socket struct {
	// It is the first field, and no pointer, because Recv and SendAll need only its first cache line
	// of the Socket.
	fd poll.FD

	// Set at birth.
	family  int
	adopted bool // made elsewhere: it got our settings later

	shared atomic.Bool // others may have the same open file, as far as is known

	// The addresses. They are not known before somebody asks for them, and no longer known
	// after an operation that changes them. Once closed, a socket keeps what is known.
	mu            sync.Mutex
	local, remote end
}

// New makes a socket: socket(2). family is AF_INET, AF_INET6 or AF_UNIX. typ is SOCK_STREAM or
// SOCK_DGRAM; in the Internet families also SOCK_RAW, which most systems allow only to privileged
// processes; and in the Unix domain also SOCK_SEQPACKET, which macOS does not have. proto is 0 or
// the number of a protocol such as IPPROTO_TCP or IPPROTO_ICMP.
//
// The socket is non-blocking and close-on-exec. As in package net, TCP sockets have TCP_NODELAY on
// (see [NoDelay]), which accepted connections inherit.
func New(family, typ, proto int) (*Socket, error) {
	network := networkOf(family, typ)
	switch {
	case networkOf(family, SOCK_STREAM) == "":
		return nil, &net.OpError{Op: "socket", Net: "socket", Err: os.NewSyscallError("socket", syscall.EAFNOSUPPORT)}
	case network == "":
		network = networkOf(family, SOCK_STREAM)
		return nil, &net.OpError{Op: "socket", Net: network, Err: os.NewSyscallError("socket", errWrongType)}
	}
	if !poll.FitsInt(proto) {
		return nil, &net.OpError{Op: "socket", Net: network, Err: os.NewSyscallError("socket", syscall.EPROTONOSUPPORT)}
	}
	fd, err := poll.Socket(family, typ, proto)
	if err != nil {
		return nil, &net.OpError{Op: "socket", Net: network, Err: os.NewSyscallError("socket", err)}
	}
	if family != AF_UNIX && typ == SOCK_STREAM {
		// It is no option of every protocol there is.
		_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	}
	s, err := own(fd, family, typ, "socket")
	if err == nil && family != AF_UNIX && typ == SOCK_STREAM && (proto == 0 || proto == IPPROTO_TCP) {
		s.fd.SetPlain()
	}
	return s, err
}

// SocketPair makes two connected sockets of the Unix domain: socketpair(2). typ is SOCK_STREAM,
// SOCK_DGRAM or, except on macOS, SOCK_SEQPACKET.
func SocketPair(typ int) (a, b *Socket, err error) {
	network := networkOf(AF_UNIX, typ)
	if network == "" {
		return nil, nil, &net.OpError{Op: "socketpair", Net: "unix", Err: os.NewSyscallError("socketpair", errWrongType)}
	}
	pair, err := poll.Socketpair(AF_UNIX, typ, 0)
	if err != nil {
		return nil, nil, &net.OpError{Op: "socketpair", Net: network, Err: os.NewSyscallError("socketpair", err)}
	}
	if a, err = own(pair[0], AF_UNIX, typ, "socketpair"); err != nil {
		syscall.Close(pair[1])
		return nil, nil, err
	}
	if b, err = own(pair[1], AF_UNIX, typ, "socketpair"); err != nil {
		a.Close()
		return nil, nil, err
	}
	return a, b, nil
}

// own makes a Socket of a descriptor, for the operation op.
func own(sysfd, family, typ int, op string) (*Socket, error) {
	s := &Socket{family: family}
	if err := s.fd.Init(sysfd, typ); err != nil {
		return nil, &net.OpError{Op: op, Net: networkOf(family, typ), Err: err}
	}
	s.fd.SetObject(s)
	return s, nil
}

// networkOf is what package net calls sockets of this family and type, "" for those
// that are not known here.
func networkOf(family, typ int) string {
	switch family {
	case AF_INET, AF_INET6:
		switch typ {
		case SOCK_STREAM:
			return "tcp"
		case SOCK_DGRAM:
			return "udp"
		case SOCK_RAW:
			return "ip"
		}
	case AF_UNIX:
		switch typ {
		case SOCK_STREAM:
			return "unix"
		case SOCK_DGRAM:
			return "unixgram"
		case SOCK_SEQPACKET:
			return "unixpacket"
		}
	}
	return ""
}

// Close closes the socket: close(2). Operations in progress and all later ones fail with
// net.ErrClosed, including a second Close. Close waits until all operations have ended; then the
// descriptor's number is free for reuse. It does not wait for sent data to arrive, unless [Linger]
// is set.
func (s *Socket) Close() error {
	if err := s.usable(); err != nil {
		return s.failed("close", err)
	}
	if err := s.fd.CloseAfter(s.remember); err != nil {
		return s.failed("close", err)
	}
	return nil
}

// FD returns the descriptor's number, or -1 if the socket has been closed. The descriptor still
// belongs to the socket: the caller must not close it or make it blocking, and must not use it
// after Close.
func (s *Socket) FD() int {
	if s.usable() != nil {
		return -1
	}
	s.fd.Distrust() // the caller may set any option
	return s.fd.Fd()
}

// String returns the network and the addresses, such as "tcp 127.0.0.1:80->127.0.0.1:4711".
func (s *Socket) String() string {
	if s.usable() != nil {
		return "no socket"
	}
	ends := ""
	if local := s.LocalAddr(); local != nil {
		ends = local.String()
	}
	if remote := s.RemoteAddr(); remote != nil {
		ends += "->" + remote.String()
	}
	if ends == "" {
		return s.network()
	}
	return s.network() + " " + ends
}
