package socket

import (
	"context"
	"io"
	"net"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

// Recv waits until there is something to receive, copies as much of it into buf as fits, and
// returns the number of bytes: recv(2), once. When the peer has ended the stream, Recv returns
// io.EOF. If buf is empty and the socket is a stream, it returns 0 at once. If ctx is done first,
// Recv returns an error that wraps ctx's error and has received nothing.
//
// On a datagram socket Recv receives one datagram. An empty datagram is 0 bytes and no error. Bytes
// that do not fit into buf are lost; RecvMsg reports that.
//
// On a SOCK_SEQPACKET socket Recv receives one message at a time, as on a datagram socket, and
// io.EOF at the end. As recv(2) returns 0 both for an empty message and at the end, Recv then asks
// the system whether the connection has ended and whether anything is left. Only empty messages at
// the very end that have no ancillary data are taken for the end.
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

// Send waits until there is room in the system's buffer, copies as much of buf into it as fits, and
// returns the number of bytes: send(2), once. If ctx is done first, Send returns an error that
// wraps ctx's error and has sent nothing. If the peer has closed the connection, Send returns
// syscall.EPIPE and raises no SIGPIPE.
//
// On sockets other than streams buf is one message, which may be empty and is sent whole or not at
// all.
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

// SendAll sends all of buf: send(2), as often as it takes. Other tasks that send wait until it has
// returned, so their data is not mixed in. If ctx is done or sending fails halfway, SendAll returns
// the error and how many bytes the system has accepted; the peer receives exactly these, if the
// connection lasts. On sockets other than streams it is the same as Send.
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

// WaitRead waits until Recv or Accept would not wait: there is something to receive, the end of the
// stream, a connection, or an error. It receives nothing, so a server with many idle connections
// can call it before it takes a buffer. Another task may receive first, so the Recv that follows
// may still wait. If ctx is done first, WaitRead returns an error that wraps ctx's error.
func (s *Socket) WaitRead(ctx context.Context) error {
	if err := s.usable(); err != nil {
		return s.failed("wait", err)
	}
	if err := s.fd.WaitRead(ctx); err != nil {
		return s.failed("wait", err)
	}
	return nil
}

// WaitWrite waits until Send would not wait: there is room in the system's buffer, or an error. If
// ctx is done first, WaitWrite returns an error that wraps ctx's error.
func (s *Socket) WaitWrite(ctx context.Context) error {
	if err := s.usable(); err != nil {
		return s.failed("wait", err)
	}
	if err := s.fd.WaitWrite(ctx); err != nil {
		return s.failed("wait", err)
	}
	return nil
}

// Shutdown ends the connection in one direction or both: shutdown(2). how is ShutRD, ShutWR or
// ShutRDWR. After ShutWR the peer receives the data that was sent and then io.EOF, and can still
// send. Shutdown does not wait for other tasks; with ShutWR, a send in progress fails.
func (s *Socket) Shutdown(how int) error {
	return s.control("shutdown", func(fd int) error {
		if !poll.FitsInt(how) {
			return syscall.EINVAL
		}
		return syscall.Shutdown(fd, how)
	})
}

// CloseWrite ends the sending direction, as Shutdown with ShutWR does, but first waits for other
// tasks that are sending, so it does not cut their data short. If ctx is done first, CloseWrite
// returns an error that wraps ctx's error and the direction stays open.
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
