package socket

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
)

// A Message is what RecvMsg and SendMsg move: bytes, and what goes with them. Its zero
// value is an empty message to the connected peer. It may be used again, and sent back
// as it was received once Buffers and Control have been cut to N and ControlN. It is for
// one operation at a time.
type Message struct {
	// Buffers are where the bytes come from, or where they are put, one after the
	// other.
	Buffers [][]byte

	// Control is the ancillary data (see ControlMessage), or the room for it.
	Control []byte

	// AddrPort and Addr are where the message goes: AddrPort if it is valid, or else
	// Addr if it is not nil, or else the connected peer. RecvMsg sets one of them to
	// where the message came from, and the other to zero: AddrPort on sockets of the
	// Internet families, as it costs no allocation, and Addr on those of the Unix
	// domain. Both are zero if the system did not say.
	AddrPort netip.AddrPort
	Addr     net.Addr

	// Set by RecvMsg and SendMsg. N is how many bytes have been moved. ControlN is
	// how many bytes of Control have been filled. Flags came with the message:
	// MSG_TRUNC if it was longer than Buffers, MSG_CTRUNC if there was no room in
	// Control for all that came, MSG_EOR, MSG_OOB.
	N        int
	ControlN int
	Flags    int
}

func length(buffers [][]byte) (n int) {
	for _, b := range buffers {
		n += len(b)
	}
	return n
}

// arrange makes p what has to be moved for m.
func (s *Socket) arrange(p *poll.Message, m *Message) {
	p.Stream, p.Unix = s.fd.Type() == SOCK_STREAM, s.family == AF_UNIX
	p.Buffers, p.Control = m.Buffers, m.Control
	m.N, m.ControlN, m.Flags = 0, 0, 0
}

// address makes p one to where m goes.
func (s *Socket) address(p *poll.Message, m *Message) error {
	switch {
	case m.AddrPort.IsValid():
		return s.setName(&p.Name, m.AddrPort)
	case m.Addr != nil:
		return s.setAddr(&p.Name, m.Addr)
	}
	return nil
}

// to is where m goes, for an error.
func (s *Socket) to(m *Message) net.Addr {
	if m.AddrPort.IsValid() {
		return s.inetAddr(m.AddrPort)
	}
	return m.Addr
}

// arrived puts into m what has been received.
func (s *Socket) arrived(m *Message, p *poll.Message) {
	m.N, m.ControlN, m.Flags = p.N, p.ControlN, p.Got
	m.AddrPort, m.Addr = netip.AddrPort{}, nil
	if s.family == AF_UNIX {
		m.Addr = s.sender(&p.Name)
	} else {
		m.AddrPort = nameAddrPort(&p.Name)
	}
}

// RecvMsg receives one message into m, with one recvmsg(2), and returns how many bytes
// that was; on a stream, as many as there are. flags are those of RecvFlags. On a stream,
// and with SOCK_SEQPACKET, it returns io.EOF at the end; see Recv. A call that is cancelled
// has received nothing, except with MSG_WAITALL.
//
// Descriptors that come in the ancillary data are closed on exec, and the caller's: he
// has to look for them, with ParseControl, and close them. RecvFDs does so.
func (s *Socket) RecvMsg(ctx context.Context, m *Message, flags int) (n int, err error) {
	if err := s.usable(); err != nil {
		return 0, s.failed("recvmsg", err)
	}
	p := s.message(flags)
	defer free(p)
	s.arrange(p, m)
	err = s.receive(ctx, "recvmsg", p, length(m.Buffers))
	s.arrived(m, p)
	return m.N, err
}

// SendMsg sends m, with one sendmsg(2), and returns how many bytes the system has taken:
// on a stream perhaps not all, otherwise all or none. flags are those of SendFlags. A
// call that is cancelled has sent nothing. On a stream, ancillary data needs at least
// one byte to go with.
func (s *Socket) SendMsg(ctx context.Context, m *Message, flags int) (n int, err error) {
	return s.sendMsg(ctx, m, flags, false)
}

// SendMsgAll is SendMsg that on a stream goes on until all is sent, as SendAll does. The
// ancillary data goes with the first part. If it is cancelled or fails halfway, it
// returns how many bytes the system has taken.
func (s *Socket) SendMsgAll(ctx context.Context, m *Message, flags int) (n int, err error) {
	return s.sendMsg(ctx, m, flags, true)
}

var errNothingToGoWith = fmt.Errorf("ancillary data needs at least one byte to go with, on a stream: %w", syscall.EINVAL)

func (s *Socket) sendMsg(ctx context.Context, m *Message, flags int, all bool) (int, error) {
	if err := s.usable(); err != nil {
		return 0, s.failedTo("sendmsg", s.to(m), err)
	}
	p := s.message(flags)
	defer free(p)
	s.arrange(p, m)
	err := s.address(p, m)
	switch {
	case err != nil:
	case p.Stream && length(m.Buffers) == 0 && len(m.Control) > 0:
		err = errNothingToGoWith
	case p.Stream && length(m.Buffers) == 0:
		return 0, s.nothing(ctx, "sendmsg")
	default:
		p.All = all && p.Stream
		err = s.fd.SendMsg(ctx, p)
		m.N = p.N
	}
	if err != nil {
		return m.N, s.failedTo("sendmsg", s.to(m), err)
	}
	return m.N, nil
}
