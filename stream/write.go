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

// Write writes all of p. When it returns without an error, the system has accepted the data. Data
// of other tasks comes before or after it, never between. If ctx is done or writing fails halfway,
// Write returns the error and how many bytes have been sent or will be sent by the next write,
// Flush or CloseContext: a TLS transport cannot take back what it has encrypted. If there is
// nothing more to write, call Flush, or Write with an empty p, to send the rest.
//
// With a write buffer, Write returns how many bytes the stream has accepted; see SetWriteBuffer. If
// it fails while it sends data that was written before, it has accepted none of p.
func (s *Stream) Write(ctx context.Context, p []byte) (int, error) {
	if err := s.startWriting(ctx); err != nil {
		return 0, err
	}
	defer s.writing.Release(ctx)
	return s.write(ctx, p)
}

// WriteString writes all of text. Cancellation and errors are as for Write.
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

// Flush sends the written data that has not been sent: the contents of the write buffer, and what
// an interrupted write has left in the transport, as happens with TLS. If ctx is done or sending
// fails halfway, exactly the data that has not been sent is kept for the next Flush.
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

// WriteLines writes the lines unchanged: it adds no "\n". It takes lines from the iterator as it
// needs them, so there may be any number. It collects lines to make fewer system calls; collected
// lines wait for the next line, and WriteLines sends all of them before it returns. It returns how
// many bytes have been sent, or with a write buffer how many the stream has accepted, even if ctx
// is done or writing fails halfway. Data of other tasks may come between two lines, but not inside
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

// CloseWrite sends the written data that has not been sent, as Flush does, and then ends the
// sending direction: the peer reads the rest and then io.EOF, and can still write. If ctx is done
// first, the direction stays open. If the transport has no CloseWrite method, the error wraps
// errors.ErrUnsupported.
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
