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

// Read copies data that has already been received into p, or waits for data if there is none, and
// returns the number of bytes. At the end of the stream it returns 0 and io.EOF. If p is empty, it
// returns 0. If ctx is done first, Read returns an error that wraps ctx's error and has read
// nothing.
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
	const patience = 100 // as in package bufio
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

// ReadFull fills p and returns the number of bytes read, which is less than len(p) only with an
// error: io.EOF if the stream ended before the first byte, io.ErrUnexpectedEOF if it ended later.
// If ctx is done first, ReadFull returns an error that wraps ctx's error and the number of bytes
// read so far. It is Curio's readinto.
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

// ReadExactly reads n bytes. With an error it returns the bytes read so far. The error is io.EOF if
// the stream ended before the first byte, io.ErrUnexpectedEOF if it ended later, and ctx's error if
// ctx is done first. ReadExactly allocates memory for data that has arrived, not for the n that a
// peer announces; the caller still has to limit n. It panics if n is negative.
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

// ReadAll reads up to the end of the stream, but at most limit bytes. If there is more, it returns
// the first limit bytes and an error that wraps ErrTooLong; the rest is left for the next call.
// limit may be NoLimit. If ctx is done or reading fails, ReadAll returns the error with what it has
// read. It panics if limit is less than NoLimit.
func (s *Stream) ReadAll(ctx context.Context, limit int64) ([]byte, error) {
	if limit < NoLimit {
		panic(fmt.Sprintf("curio/stream: ReadAll of %d bytes; use NoLimit for no limit", limit))
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

// Peek waits for the next n bytes and returns a copy of them without reading them. If there are
// fewer, it returns those with an error: io.EOF at the end of the stream, or ctx's error if ctx is
// done first. The buffer grows to hold what has arrived, so a peer should not choose n. Peek panics
// if n is negative.
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

// Discard reads n bytes and drops them, without holding them all in memory. It returns how many
// bytes it dropped, which is less than n only with an error: io.EOF if the stream ended before the
// first byte, io.ErrUnexpectedEOF if it ended later, and ctx's error if ctx is done first. Discard
// panics if n is negative.
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
