package stream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/curio-go/curio/socket"
)

// direct is the size of a buffer of the user's into which is received without ours in
// between.
const direct = 4 << 10

// startReading takes the turn of those who read, having asked whether ctx is alive. After
// it s.reading.Release(ctx) passes it on.
func (s *Stream) startReading(ctx context.Context) error {
	if err := s.usable(); err != nil {
		return s.failed("read", err)
	}
	if err := s.reading.Acquire(ctx); err != nil {
		return s.failed("read", err)
	}
	if s.closed.Load() {
		s.reading.Release(ctx)
		return s.failed("read", net.ErrClosed)
	}
	return nil
}

// Read puts into p as much as has been received already. If that is nothing, it waits
// until there is something to receive. It returns how many bytes it has put into p; at the
// end of the stream 0 and io.EOF, again and again. If p is empty it returns 0. A call that
// is cancelled has read nothing.
func (s *Stream) Read(ctx context.Context, p []byte) (int, error) {
	if err := s.startReading(ctx); err != nil {
		return 0, err
	}
	defer s.reading.Release(ctx)
	return s.read(ctx, p)
}

// read is Read in turn.
func (s *Stream) read(ctx context.Context, p []byte) (int, error) {
	switch {
	case len(p) == 0:
		return 0, nil
	case s.in.len() > 0:
	case len(p) >= direct:
		return s.recv(ctx, p)
	default:
		if err := s.fill(ctx); err != nil {
			return 0, err
		}
	}
	return s.in.take(p), nil
}

// fill waits for more and puts it into the buffer. While it waits with nothing in the
// buffer it needs none, if the transport can wait without one.
func (s *Stream) fill(ctx context.Context) error {
	if sock, ok := s.transport.(*socket.Socket); ok && s.in.len() == 0 {
		return s.fillFrom(ctx, sock)
	}
	if s.in.len() == 0 && s.waiter != nil {
		if err := s.waiter.WaitRead(ctx); err != nil {
			return s.ended("read", err)
		}
	}
	n, err := s.recv(ctx, s.in.space())
	s.in.added(n)
	return err
}

// fillFrom puts what a socket has for us into the empty buffer, as it is.
func (s *Stream) fillFrom(ctx context.Context, sock *socket.Socket) error {
	for s.in.len() == 0 { // again after an empty datagram
		received, err := sock.RecvBuffer(ctx)
		switch {
		case err == io.EOF:
			return io.EOF
		case err != nil:
			return s.ended("read", err)
		}
		s.in.hold(received)
		s.in.settle()
	}
	return nil
}

// recv receives at least a byte, or returns an error.
func (s *Stream) recv(ctx context.Context, p []byte) (int, error) {
	const patience = 100 // as package bufio has it
	for range patience {
		n, err := s.transport.Recv(ctx, p)
		if n > 0 {
			return n, nil // an error that comes with it, which should not be, comes again
		}
		if err == io.EOF {
			return 0, io.EOF
		}
		if err != nil {
			return 0, s.ended("read", err)
		}
	}
	return 0, s.failed("read", io.ErrNoProgress)
}

// ReadFull fills p, and returns how many bytes it has put into p: all, or fewer with an
// error. That is io.EOF if the stream has ended and there was nothing, io.ErrUnexpectedEOF
// if there was not enough. A call that is cancelled returns what it has read until then.
// It is Curio's readinto.
func (s *Stream) ReadFull(ctx context.Context, p []byte) (n int, err error) {
	if err := s.startReading(ctx); err != nil {
		return 0, err
	}
	defer s.reading.Release(ctx)
	for n < len(p) && err == nil {
		var k int
		k, err = s.read(ctx, p[n:])
		n += k
	}
	return n, unexpected(err, n)
}

// unexpected is the error for an end after n bytes where more are needed.
func unexpected(err error, n int) error {
	if err == io.EOF && n > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// ReadExactly reads n bytes. If it does not come to that it returns those that it has
// read, with an error: io.EOF if the stream has ended and there was nothing,
// io.ErrUnexpectedEOF if there was not enough. So does a call that is cancelled. n may
// come from the other side: memory is used for what arrives, not for what is announced.
// It panics if n is negative.
func (s *Stream) ReadExactly(ctx context.Context, n int) ([]byte, error) {
	if n < 0 {
		panic(fmt.Sprintf("curio/stream: ReadExactly of %d bytes", n))
	}
	if err := s.startReading(ctx); err != nil {
		return nil, err
	}
	defer s.reading.Release(ctx)
	var all []byte
	for len(all) < n {
		var err error
		if all, err = s.readMore(ctx, all, n); err != nil {
			return all, unexpected(err, len(all))
		}
	}
	return all, nil
}

// readMore appends something to all, up to a length of most.
func (s *Stream) readMore(ctx context.Context, all []byte, most int) ([]byte, error) {
	if len(all) == cap(all) {
		// As much again, so that it is moved a few times at most, and no more.
		more := min(max(len(all), s.in.len(), direct), most-len(all))
		all = slices.Grow(all, more)
	}
	n, err := s.read(ctx, all[len(all):min(cap(all), most)])
	return all[:len(all)+n], err
}

// ReadAll reads all there is up to the end of the stream, at most limit bytes: if there is
// more, it returns the first limit bytes and an error that is ErrTooLong, and the rest is
// there for the next call. limit may be NoLimit. If it is cut short by an error, as by a
// cancellation, it returns with it what it has read until then. It panics if limit is
// negative otherwise.
func (s *Stream) ReadAll(ctx context.Context, limit int64) ([]byte, error) {
	if limit < NoLimit {
		panic(fmt.Sprintf("curio/stream: ReadAll of %d bytes; for no limit there is NoLimit", limit))
	}
	const maxInt = int(^uint(0) >> 1)
	most := maxInt
	if limit >= 0 && limit < int64(maxInt) {
		most = int(limit)
	}
	if err := s.startReading(ctx); err != nil {
		return nil, err
	}
	defer s.reading.Release(ctx)
	var err error
	all := []byte{}
	for err == nil && len(all) < most {
		all, err = s.readMore(ctx, all, most)
	}
	if err == nil && s.in.len() == 0 {
		err = s.fill(ctx) // whether that was all
	}
	switch err {
	case io.EOF:
		return all, nil
	case nil:
		err = s.failed("read", fmt.Errorf("%w: more than %d bytes", ErrTooLong, limit))
	}
	return all, err
}

// Peek returns the next n bytes, and leaves them to be read: it waits until they have come. They
// are the caller's own copy. If there are fewer it returns those, with an error: io.EOF at the end
// of the stream, or that of a cancellation; they are still there to be read. The buffer grows to
// what has come, so n should not be what the other side says. Peek panics if n is negative.
func (s *Stream) Peek(ctx context.Context, n int) ([]byte, error) {
	if n < 0 {
		panic(fmt.Sprintf("curio/stream: Peek of %d bytes", n))
	}
	if err := s.startReading(ctx); err != nil {
		return nil, err
	}
	defer s.reading.Release(ctx)
	var err error
	for s.in.len() < n && err == nil {
		err = s.fill(ctx)
	}
	return bytes.Clone(s.in.bytes()[:min(n, s.in.len())]), err
}

// Discard reads n bytes and drops them, without room for all of them. It returns how many it has
// dropped: all, or fewer with an error, which is io.EOF if the stream has ended and there was
// nothing, io.ErrUnexpectedEOF if there was not enough. A call that is cancelled has dropped what
// had come until then. Discard panics if n is negative.
func (s *Stream) Discard(ctx context.Context, n int64) (discarded int64, err error) {
	if n < 0 {
		panic(fmt.Sprintf("curio/stream: Discard of %d bytes", n))
	}
	if err := s.startReading(ctx); err != nil {
		return 0, err
	}
	defer s.reading.Release(ctx)
	for discarded < n {
		if s.in.len() == 0 {
			if err := s.fill(ctx); err != nil {
				if err == io.EOF && discarded > 0 {
					err = io.ErrUnexpectedEOF
				}
				return discarded, err
			}
		}
		k := min(int64(s.in.len()), n-discarded)
		s.in.drop(int(k))
		discarded += k
	}
	return discarded, nil
}
