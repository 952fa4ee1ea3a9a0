package socket

import (
	"context"
	"fmt"
	"io"
	"math"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
)

// Splice waits until there is something to receive from src, and sends what is there, up to most
// bytes: Recv and SendAll in one, without a buffer. It returns how many bytes it has sent. If most
// is negative, that is as much as the system moves at once. At the end of src it returns io.EOF.
//
// On Linux this is splice(2), in which nothing is copied through the program. Elsewhere, and where
// the system cannot do that, it receives and sends. A task that waits in it for an idle src holds
// neither a buffer nor a descriptor. A proxy calls it in a loop:
//
//	for {
//		_, err := to.Splice(ctx, from, -1)
//		if err == io.EOF {
//			return to.CloseWrite(ctx)
//		}
//		if err != nil {
//			return err
//		}
//	}
//
// Both sockets must be streams. Others that receive from src, or send, wait for their turn, as
// with Recv and SendAll. If ctx ends while Splice waits for something to receive, it has received
// nothing. If it ends, or the sending fails, later than that, what was received and not sent is
// lost: then the error wraps io.ErrShortWrite as well.
//
// splice(2) raises SIGPIPE if the other side has closed the connection. Go programs ignore that,
// unless they ask for it with os/signal; the error is syscall.EPIPE.
func (s *Socket) Splice(ctx context.Context, src *Socket, most int) (n int, err error) {
	if err := s.usable(); err != nil {
		return 0, s.failed("splice", err)
	}
	if err := src.usable(); err != nil {
		return 0, src.failed("splice", err)
	}
	if s.fd.Type() != SOCK_STREAM || src.fd.Type() != SOCK_STREAM {
		return 0, s.failed("splice", syscall.EOPNOTSUPP)
	}
	switch {
	case most == 0:
		return 0, s.nothing(ctx, "splice")
	case most < 0:
		most = math.MaxInt
	}
	n, lost, receiving, err := s.fd.Splice(ctx, &src.fd, most)
	switch {
	case err == poll.ErrNoSplice:
		return s.copyFrom(ctx, src, most)
	case err != nil && receiving:
		return 0, src.failed("splice", err)
	case err != nil:
		return n, short(s.failed("splice", err), lost)
	}
	return n, nil
}

// copyFrom is Splice through a buffer.
func (s *Socket) copyFrom(ctx context.Context, src *Socket, most int) (int, error) {
	if err := src.WaitRead(ctx); err != nil {
		return 0, err
	}
	p := buffers.Get().(*poll.Pooled)
	defer buffers.Put(p)
	received, err := src.Recv(ctx, p.Space[:min(most, len(p.Space))])
	if err != nil {
		return 0, err
	}
	n, err := s.SendAll(ctx, p.Space[:received])
	return n, short(err, received-n)
}

// short adds to err that something is lost.
func short(err error, lost int) error {
	if lost == 0 {
		return err
	}
	return fmt.Errorf("%w; %w: %d bytes that were received are lost", err, io.ErrShortWrite, lost)
}
