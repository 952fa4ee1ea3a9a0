package socket

import (
	"context"
	"fmt"
	"io"
	"math"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
)

// Splice receives from src what is there, up to most bytes, and sends it to s. Like Recv it waits
// for something to receive, and like SendAll until all of that is sent. It returns how many bytes it
// has sent. If most is negative, only the system bounds them. At the end of src it returns io.EOF.
//
// On Linux this is splice(2), which does not copy the bytes through the program. Elsewhere, and when
// the system cannot splice, it receives into a buffer and sends that. While it waits for something
// to receive it needs neither a buffer nor a descriptor. A proxy calls it in a loop:
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
// Both sockets must be streams. Other tasks that receive from src or send to s take turns with it.
// If ctx is done while Splice waits for something to receive, it has received nothing. If ctx is
// done or the sending fails after that, the bytes that were received and not sent are lost, and the
// error also wraps io.ErrShortWrite.
//
// If the peer has closed the connection, splice(2) raises SIGPIPE, which a Go program ignores unless
// it asks for it with os/signal, and the error wraps syscall.EPIPE.
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

// short adds to err how many bytes are lost, if any.
func short(err error, lost int) error {
	if lost == 0 {
		return err
	}
	return fmt.Errorf("%w; %w: %d bytes that were received are lost", err, io.ErrShortWrite, lost)
}
