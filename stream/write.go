package stream

import (
	"context"
	"errors"
	"iter"
	"net"

	"github.com/curio-go/curio/internal/wait"
)

// startWriting takes the turn of those who write, having asked whether ctx is alive. After
// it s.writing.Release(ctx) passes it on.
func (s *Stream) startWriting(ctx context.Context) error {
	if err := s.usable(); err != nil {
		return s.failed("write", err)
	}
	if err := s.writing.Acquire(ctx); err != nil {
		return s.failed("write", err)
	}
	if s.closed.Load() {
		s.writing.Release(ctx)
		return s.failed("write", net.ErrClosed)
	}
	return nil
}

// Write writes all of p: when it returns, the system has it. If it is cancelled or fails
// halfway, it returns how many bytes have been sent, or will be sent by the next write,
// Flush or CloseContext: a transport with TLS cannot take back what it has encrypted. If there is
// nothing more to write, Flush, or Write of an empty p, sends what is kept. What other
// tasks write comes before or after.
//
// With a write buffer, see SetWriteBuffer, it returns how many bytes the stream has taken
// over, and these are sent when there are enough of them, or by Flush. If it fails then
// because of what was written before, it has taken none.
func (s *Stream) Write(ctx context.Context, p []byte) (int, error) {
	if err := s.startWriting(ctx); err != nil {
		return 0, err
	}
	defer s.writing.Release(ctx)
	return s.write(ctx, p)
}

// WriteString is Write for a string.
func (s *Stream) WriteString(ctx context.Context, text string) (int, error) {
	if err := s.startWriting(ctx); err != nil {
		return 0, err
	}
	defer s.writing.Release(ctx)
	switch {
	case len(text) == 0 || len(text) > bufferSize:
		return s.write(ctx, []byte(text))
	case len(text) <= int(s.writeBuffer.Load())-s.out.len():
		return keep(s, text)
	}
	block := takeBlock()
	defer giveBlock(block)
	return s.write(ctx, block[:copy(block, text)])
}

// write is Write in turn.
func (s *Stream) write(ctx context.Context, p []byte) (int, error) {
	size := int(s.writeBuffer.Load())
	if s.out.len()+len(p) > size || len(p) == 0 && s.cut.Load() {
		if err := s.flush(ctx); err != nil {
			return 0, err
		}
	}
	switch {
	case len(p) == 0:
		return 0, nil
	case len(p) <= size-s.out.len():
		return keep(s, p)
	}
	n, err := s.send(ctx, p)
	if err != nil {
		err = s.ended("write", err)
	}
	return n, err
}

// send calls SendAll of the transport, with the writers' turn held.
func (s *Stream) send(ctx context.Context, p []byte) (int, error) {
	n, err := s.transport.SendAll(ctx, p)
	if cut := err != nil && !s.exact; cut != s.cut.Load() {
		s.cut.Store(cut)
	}
	return n, err
}

// keep adds p to what is to be sent, unless the stream has been closed meanwhile.
func keep[T string | []byte](s *Stream, p T) (int, error) {
	appendTo(&s.out, p)
	s.unsent.Store(int64(s.out.len()))
	if s.closed.Load() {
		s.out.cut(len(p))
		s.unsent.Store(int64(s.out.len()))
		return 0, s.failed("write", net.ErrClosed)
	}
	return len(p), nil
}

// Flush sends what has been written and not sent yet: what is in the write buffer, and what
// an interrupted write has left in the transport, as happens with TLS. If it is cancelled
// or fails halfway, exactly what has not been sent is kept for the next Flush.
func (s *Stream) Flush(ctx context.Context) error {
	if err := s.startWriting(ctx); err != nil {
		return err
	}
	defer s.writing.Release(ctx)
	return s.flush(ctx)
}

// flush is Flush in turn.
func (s *Stream) flush(ctx context.Context) error {
	if err := s.sendOut(ctx); err != nil {
		return s.ended("write", err)
	}
	return nil
}

// sendOut is flush, except that it returns the transport's error as it is.
func (s *Stream) sendOut(ctx context.Context) error {
	if s.out.len() == 0 && !s.cut.Load() {
		return nil
	}
	n, err := s.send(ctx, s.out.bytes())
	s.out.drop(n)
	s.unsent.Store(int64(s.out.len()))
	return err
}

// WriteLines writes the lines as they are: an end of line is not added. It asks for a
// line when it needs it, so there may be any number of them; it gathers them to make few
// system calls, and what it has gathered waits as long as the next line does, but it has
// sent all when it returns. It returns how many bytes have been
// sent, also if it is cancelled or fails halfway, or with a write buffer how many the
// stream has taken over. What other tasks write may come between two lines, not inside of
// one.
func (s *Stream) WriteLines(ctx context.Context, lines iter.Seq[string]) (int64, error) {
	g := gathering{s: s, ctx: ctx, block: takeBlock()}
	defer func() { giveBlock(g.block) }()
	if err := s.mayWrite(ctx); err != nil {
		return 0, err
	}
	for line := range lines { // which runs code of the user's, so it is nobody's turn
		if err := g.add(line); err != nil {
			return g.sent, err
		}
	}
	return g.sent, g.send()
}

// mayWrite is what startWriting asks, without the turn.
func (s *Stream) mayWrite(ctx context.Context) error {
	err := s.usable()
	if err == nil {
		_, err = wait.At(ctx)
	}
	if err == nil && s.closed.Load() {
		err = net.ErrClosed
	}
	if err != nil {
		return s.failed("write", err)
	}
	return nil
}

// A gathering is what WriteLines has got and not sent.
type gathering struct {
	s     *Stream
	ctx   context.Context
	block []byte
	n     int // of the block
	sent  int64
}

func (g *gathering) add(line string) error {
	if err := g.s.mayWrite(g.ctx); err != nil { // endless empty lines must come to an end too
		return err
	}
	if g.n+len(line) > len(g.block) {
		if err := g.send(); err != nil {
			return err
		}
	}
	if len(line) > len(g.block) {
		n, err := g.s.Write(g.ctx, []byte(line))
		g.sent += int64(n)
		return err
	}
	g.n += copy(g.block[g.n:], line)
	return nil
}

func (g *gathering) send() error {
	if g.n == 0 && !g.s.cut.Load() {
		return nil
	}
	n, err := g.s.Write(g.ctx, g.block[:g.n])
	g.sent += int64(n)
	g.n = 0
	return err
}

// CloseWrite sends what has been written and not sent yet, as Flush does, and then ends
// the stream in this direction: the other side reads the rest and then its end, and can
// go on writing. If the transport has no CloseWrite, the error is errors.ErrUnsupported.
func (s *Stream) CloseWrite(ctx context.Context) error {
	if err := s.startWriting(ctx); err != nil {
		return err
	}
	defer s.writing.Release(ctx)
	half, ok := s.transport.(interface{ CloseWrite(context.Context) error })
	if !ok {
		return s.failed("shutdown", errors.ErrUnsupported)
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	if err := half.CloseWrite(ctx); err != nil {
		return s.ended("shutdown", err)
	}
	return nil
}
