package socket

import (
	"context"
	"io"
	"net"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

// Recv waits until there is something to receive, puts as much of it into buf as
// fits, and returns how many bytes that was: recv(2), once. When the other side has
// ended the stream it returns io.EOF. If buf is empty it returns 0 at once. A call
// that is cancelled has received nothing.
//
// On a datagram socket it receives one datagram, which may be empty: that is 0 and no
// error. What does not fit into buf is lost; RecvMsg tells.
//
// With SOCK_SEQPACKET there are messages, which are received like datagrams, and an end,
// which is io.EOF. As recv(2) returns 0 both for an empty message and at the end, Recv asks
// the system whether the connection has ended and what else there is. Only empty messages
// that come last, and have nothing with them, such as ancillary data, are taken for the
// end.
func (s *Socket) Recv(ctx context.Context, buf []byte) (int, error) {
	if err := s.usable(); err != nil {
		return 0, s.failed("recv", err)
	}
	if s.fd.Type() != SOCK_STREAM {
		return s.recv(ctx, buf, 0)
	}
	if len(buf) == 0 {
		return 0, s.nothing(ctx, "recv")
	}
	n, err := s.fd.Read(ctx, buf)
	switch {
	case err != nil:
		return n, s.failed("recv", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Send waits until there is room in the system's buffer, puts as much of buf there as
// fits, and returns how many bytes that was: send(2), once. A call that is cancelled
// has sent nothing. A socket that the other side has closed does not raise SIGPIPE:
// Send returns syscall.EPIPE.
//
// On other sockets than streams buf is one message, which is sent whole or not at all,
// an empty one, too.
func (s *Socket) Send(ctx context.Context, buf []byte) (int, error) {
	if err := s.usable(); err != nil {
		return 0, s.failed("send", err)
	}
	if s.fd.Type() != SOCK_STREAM {
		return s.send(ctx, buf, 0)
	}
	if len(buf) == 0 {
		return 0, s.nothing(ctx, "send")
	}
	n, err := s.fd.Write(ctx, buf)
	if err != nil {
		return n, s.failed("send", err)
	}
	return n, nil
}

// SendAll sends all of buf: send(2), as often as it takes. Other tasks that send
// wait meanwhile, so that what they send is not mixed in. If it is cancelled or fails
// halfway, it returns how many bytes the system has taken; all of these, and no
// others, reach the other side if the connection lasts. On other sockets than streams
// it is Send.
func (s *Socket) SendAll(ctx context.Context, buf []byte) (int, error) {
	if err := s.usable(); err != nil {
		return 0, s.failed("send", err)
	}
	if s.fd.Type() != SOCK_STREAM {
		return s.send(ctx, buf, 0)
	}
	if len(buf) == 0 {
		return 0, s.nothing(ctx, "send")
	}
	n, err := s.fd.WriteAll(ctx, buf)
	if err != nil {
		return n, s.failed("send", err)
	}
	return n, nil
}

// nothing is an operation on an empty buffer. It has no system call, on which what
// it means would depend on the system.
func (s *Socket) nothing(ctx context.Context, op string) error {
	if _, err := wait.At(ctx); err != nil {
		return s.failed(op, err)
	}
	if s.fd.Fd() < 0 {
		return s.failed(op, net.ErrClosed)
	}
	return nil
}

// WaitRead waits until Recv or Accept would not wait: there is something to receive,
// the end of the stream, a connection, or an error. It receives nothing. A server
// with many idle connections calls it before it takes a buffer. Another task may be
// faster, so the Recv that follows may wait after all.
func (s *Socket) WaitRead(ctx context.Context) error {
	if err := s.usable(); err != nil {
		return s.failed("wait", err)
	}
	if err := s.fd.WaitRead(ctx); err != nil {
		return s.failed("wait", err)
	}
	return nil
}

// WaitWrite waits until Send would not wait: there is room in the system's buffer, or
// an error.
func (s *Socket) WaitWrite(ctx context.Context) error {
	if err := s.usable(); err != nil {
		return s.failed("wait", err)
	}
	if err := s.fd.WaitWrite(ctx); err != nil {
		return s.failed("wait", err)
	}
	return nil
}

// Shutdown ends the connection in one direction or both: shutdown(2). how is ShutRD,
// ShutWR or ShutRDWR. After ShutWR the other side receives what was sent and then
// io.EOF, and can go on sending. It does not wait for those who send at the moment.
func (s *Socket) Shutdown(how int) error {
	return s.control("shutdown", func(fd int) error {
		if !poll.FitsInt(how) {
			return syscall.EINVAL
		}
		return syscall.Shutdown(fd, how)
	})
}

// CloseWrite is Shutdown with ShutWR for those who share the socket: it waits for its
// turn, and so does not cut off what another task sends at the moment.
func (s *Socket) CloseWrite(ctx context.Context) error {
	if err := s.usable(); err != nil {
		return s.failed("shutdown", err)
	}
	if err := s.fd.CloseWrite(ctx); err != nil {
		return s.failed("shutdown", err)
	}
	return nil
}

// control runs a system call that does not wait.
func (s *Socket) control(op string, call func(fd int) error) error {
	if err := s.usable(); err != nil {
		return s.failed(op, err)
	}
	if err := s.fd.Control(call); err != nil {
		return s.failed(op, err)
	}
	return nil
}
