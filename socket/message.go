package socket

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
)

// A Message is what [Socket.RecvMsg] and [Socket.SendMsg] move: bytes, an address, and ancillary
// data. Its zero value is an empty message to the connected peer. A Message may be reused; to send
// a received Message back, first cut Buffers and Control to N and ControlN bytes. It may be used by
// one operation at a time.
type Message struct {
	// Buffers hold the bytes to send, or receive the bytes, one buffer after the other.
	Buffers [][]byte

	// Control holds the ancillary data to send (see ControlMessage), or is the space for received
	// ancillary data.
	Control []byte

	// AddrPort and Addr are the destination: AddrPort if it is valid, otherwise Addr if it is not
	// nil, otherwise the connected peer. RecvMsg sets one of them to the sender's address and the
	// other to zero: AddrPort on sockets of the Internet families, as it needs no allocation, and
	// Addr on sockets of the Unix domain. Both are zero if the system did not report a sender.
	AddrPort netip.AddrPort
	Addr     net.Addr

	// RecvMsg and SendMsg set these fields. N is the number of bytes moved, and ControlN the number
	// of bytes of Control that were filled. Flags are the flags of a received message: MSG_TRUNC if
	// it was longer than Buffers, MSG_CTRUNC if Control had too little space for the ancillary
	// data, MSG_EOR, MSG_OOB.
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

// RecvMsg receives one message into m with one recvmsg(2) and returns its length in bytes, which is
// also m.N. On a stream it receives the bytes that have arrived. flags are as for RecvFlags. At the
// end of a stream or of a SOCK_SEQPACKET connection it returns io.EOF; see Recv. If ctx is done
// first, RecvMsg returns an error that wraps ctx's error and has received nothing, except with
// MSG_WAITALL.
//
// Descriptors in the ancillary data are close-on-exec and belong to the caller, who must extract
// them with ParseControl and close them. RecvFDs does that.
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

// SendMsg sends m with one sendmsg(2) and returns how many bytes the system has accepted: on a
// stream possibly only some, otherwise all or none. flags are as for SendFlags. If ctx is done
// first, SendMsg returns an error that wraps ctx's error and has sent nothing. On a stream,
// ancillary data must accompany at least one byte.
func (s *Socket) SendMsg(ctx context.Context, m *Message, flags int) (n int, err error) {
	return s.sendMsg(ctx, m, flags, false)
}

// SendMsgAll sends all of m, with as many calls of sendmsg(2) as it takes on a stream. The
// ancillary data goes with the first part. If ctx is done or sending fails halfway, it returns the
// error and how many bytes the system has accepted. On other sockets than streams it is the same as
// SendMsg.
func (s *Socket) SendMsgAll(ctx context.Context, m *Message, flags int) (n int, err error) {
	return s.sendMsg(ctx, m, flags, true)
}

var errNothingToGoWith = fmt.Errorf("ancillary data on a stream needs at least one byte of data with it: %w", syscall.EINVAL)

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
