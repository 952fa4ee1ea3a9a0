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

// receive fills m, for a buffer of so many bytes: with MSG_WAITALL all of it.
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

// RecvFlags is Recv with flags: recv(2). Beyond what these mean to the system,
//
//   - with MSG_DONTWAIT it returns syscall.EAGAIN where it would wait, be it for data or
//     for its turn;
//   - with MSG_WAITALL, on a stream, it waits until buf is full or the stream has ended;
//     if it is cancelled or fails before, it returns how many bytes it has received.
//     Together with MSG_PEEK it has no effect.
//   - With MSG_TRUNC it returns, on Linux, the length of the datagram, even if it was
//     longer than buf.
//
// With other flags, a call that is cancelled has received nothing.
func (s *Socket) RecvFlags(ctx context.Context, buf []byte, flags int) (int, error) {
	if err := s.usable(); err != nil {
		return 0, s.failed("recv", err)
	}
	return s.recv(ctx, buf, flags)
}

// SendFlags is Send with flags: send(2). With MSG_DONTWAIT it returns syscall.EAGAIN where
// it would wait, be it for room or for its turn. MSG_NOSIGNAL is always set.
func (s *Socket) SendFlags(ctx context.Context, buf []byte, flags int) (int, error) {
	if err := s.usable(); err != nil {
		return 0, s.failed("send", err)
	}
	return s.send(ctx, buf, flags)
}

// RecvFrom is RecvFlags that also tells where the data came from: recvfrom(2). from is a
// *net.UDPAddr, *net.IPAddr or *net.UnixAddr, as the socket is. It is nil if the system
// does not say, as on streams, or if the sender is a socket of the Unix domain that is
// not bound.
//
// Each call receives one datagram. What of it does not fit into buf is lost, without a
// word: buf should be as long as a datagram may be, or RecvMsg be called, which tells. A
// call that is cancelled has received nothing.
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

// RecvFromAddrPort is RecvFrom for sockets of the Internet families. It allocates
// nothing. An IPv4 address is given as such, on a socket of AF_INET6, too. On other
// sockets from is the zero AddrPort.
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

// SendTo is SendFlags to the address to, or to the connected peer if that is nil:
// sendto(2). A datagram is sent whole or not at all, and may be empty; one that is too
// long is refused with syscall.EMSGSIZE. A call that is cancelled has sent nothing.
//
// A datagram socket of the Unix domain whose receiver's queue is full waits for room in
// it. If it is not connected, and but on Linux in any case, nothing tells it of that: it
// tries again up to fifty times a second.
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

// SendToAddrPort is SendTo for sockets of the Internet families. It allocates nothing.
// The zero AddrPort is the connected peer.
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
