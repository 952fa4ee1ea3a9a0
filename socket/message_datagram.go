package socket

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"

	"github.com/curio-go/curio/internal/poll"
)

// All of this file is RecvMsg and SendMsg with one buffer. The messages that the system
// gets are kept, so that a datagram costs no allocation.

var messages = sync.Pool{New: func() any { return new(poll.Message) }}

// message takes a message from the pool, for this socket. free gives it back.
func (s *Socket) message(flags int) *poll.Message {
	m := messages.Get().(*poll.Message)
	m.Flags, m.Stream, m.Unix = flags, s.fd.Type() == SOCK_STREAM, s.family == AF_UNIX
	return m
}

func free(m *poll.Message) {
	m.Clear()
	messages.Put(m)
}

// receive fills m, whose buffer has room bytes: with MSG_WAITALL all of it.
func (s *Socket) receive(ctx context.Context, op string, m *poll.Message, room int) error {
	if m.Stream && room == 0 && m.Flags&msgErrqueue == 0 {
		return s.nothing(ctx, op)
	}
	m.All = m.Stream && m.Flags&(MSG_WAITALL|MSG_PEEK) == MSG_WAITALL
	err := s.fd.RecvMsg(ctx, m)
	switch {
	case err == io.EOF:
		return io.EOF
	case err != nil:
		return s.failed(op, err)
	case m.N == 0 && m.Stream && room > 0 && m.Got&msgErrqueue == 0:
		return io.EOF
	}
	return nil
}

func (s *Socket) recv(ctx context.Context, buf []byte, flags int) (int, error) {
	m := s.message(flags)
	defer free(m)
	m.SetBuffer(buf)
	err := s.receive(ctx, "recv", m, len(buf))
	return m.N, err
}

func (s *Socket) send(ctx context.Context, buf []byte, flags int) (int, error) {
	m := s.message(flags)
	defer free(m)
	m.SetBuffer(buf)
	if m.Stream && len(buf) == 0 {
		return 0, s.nothing(ctx, "send")
	}
	if err := s.fd.SendMsg(ctx, m); err != nil {
		return m.N, s.failed("send", err)
	}
	return m.N, nil
}

// RecvFlags receives like [Socket.Recv], with flags: recv(2). Some flags also change how it waits:
//
//   - With MSG_DONTWAIT it returns syscall.EAGAIN where it would wait, for data or for another
//     task's receive to end.
//   - With MSG_WAITALL, on a stream, it waits until buf is full or the stream has ended. If ctx is
//     done or receiving fails before that, it returns the error and how many bytes it has received.
//     Together with MSG_PEEK, MSG_WAITALL has no effect.
//   - With MSG_TRUNC it returns, on Linux, the length of the datagram, even if that is longer than
//     buf.
//
// Without MSG_WAITALL, a call that is cancelled has received nothing.
func (s *Socket) RecvFlags(ctx context.Context, buf []byte, flags int) (int, error) {
	if err := s.usable(); err != nil {
		return 0, s.failed("recv", err)
	}
	return s.recv(ctx, buf, flags)
}

// SendFlags sends like [Socket.Send], with flags: send(2). With MSG_DONTWAIT it returns
// syscall.EAGAIN where it would wait, for room or for another task's send to end. MSG_NOSIGNAL is
// always set. A call that is cancelled has sent nothing.
func (s *Socket) SendFlags(ctx context.Context, buf []byte, flags int) (int, error) {
	if err := s.usable(); err != nil {
		return 0, s.failed("send", err)
	}
	return s.send(ctx, buf, flags)
}

// RecvFrom receives one datagram and returns the sender's address: recvfrom(2). flags are as for
// RecvFlags. from is a *net.UDPAddr, *net.IPAddr or *net.UnixAddr, depending on the socket. from is
// nil if the system does not report a sender, as on streams, or if the sender is a Unix domain
// socket that is not bound.
//
// Bytes of the datagram that do not fit into buf are lost without an error. Make buf as long as a
// datagram may be, or use RecvMsg, which reports truncation. If ctx is done first, RecvFrom returns
// an error that wraps ctx's error and has received nothing.
func (s *Socket) RecvFrom(ctx context.Context, buf []byte, flags int) (n int, from net.Addr, err error) {
	if err := s.usable(); err != nil {
		return 0, nil, s.failed("recvfrom", err)
	}
	m := s.message(flags)
	defer free(m)
	m.SetBuffer(buf)
	err = s.receive(ctx, "recvfrom", m, len(buf))
	return m.N, s.sender(&m.Name), err
}

// RecvFromAddrPort receives one datagram on a socket of the Internet families and returns the
// sender's address. It allocates no memory. IPv4 addresses are returned as such, also on an
// AF_INET6 socket. On other sockets from is the zero AddrPort. Cancellation and everything else is
// as for RecvFrom.
func (s *Socket) RecvFromAddrPort(ctx context.Context, buf []byte, flags int) (n int, from netip.AddrPort, err error) {
	if err := s.usable(); err != nil {
		return 0, netip.AddrPort{}, s.failed("recvfrom", err)
	}
	m := s.message(flags)
	defer free(m)
	m.SetBuffer(buf)
	err = s.receive(ctx, "recvfrom", m, len(buf))
	return m.N, nameAddrPort(&m.Name), err
}

// SendTo sends buf to an address: sendto(2). If to is nil, it sends to the connected peer. flags
// are as for SendFlags. A datagram is sent whole or not at all, and may be empty. One that is too
// long is refused with syscall.EMSGSIZE. If ctx is done first, SendTo returns an error that wraps
// ctx's error and has sent nothing.
//
// If the receiver's queue is full, a Unix domain datagram socket waits for room. On Linux the
// system reports room to a connected socket. Otherwise nothing reports it, and SendTo tries again
// up to fifty times a second.
func (s *Socket) SendTo(ctx context.Context, buf []byte, flags int, to net.Addr) (n int, err error) {
	if err := s.usable(); err != nil {
		return 0, s.failedTo("sendto", to, err)
	}
	m := s.message(flags)
	defer free(m)
	if to != nil {
		if err := s.setAddr(&m.Name, to); err != nil {
			return 0, s.failedTo("sendto", to, err)
		}
	}
	if n, err = s.sendTo(ctx, m, buf); err != nil {
		return n, s.failedTo("sendto", to, err)
	}
	return n, nil
}

// SendToAddrPort sends buf to an address, on a socket of the Internet families. It allocates no
// memory. The zero AddrPort means the connected peer. Cancellation and everything else is as for
// SendTo.
func (s *Socket) SendToAddrPort(ctx context.Context, buf []byte, flags int, to netip.AddrPort) (n int, err error) {
	if err := s.usable(); err != nil {
		return 0, s.failed("sendto", err)
	}
	m := s.message(flags)
	defer free(m)
	if to.IsValid() {
		if err := s.setName(&m.Name, to); err != nil {
			return 0, s.failedTo("sendto", s.inetAddr(to), err)
		}
	}
	if n, err = s.sendTo(ctx, m, buf); err != nil {
		return n, s.failedTo("sendto", s.inetAddr(to), err)
	}
	return n, nil
}

// sendTo sends m with one buffer.
func (s *Socket) sendTo(ctx context.Context, m *poll.Message, buf []byte) (int, error) {
	m.SetBuffer(buf)
	err := s.fd.SendMsg(ctx, m)
	return m.N, err
}
