package stream_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"testing"

	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/stream"
)

// Buffered bytes come first, without waiting for more, and as many as were asked for.
func TestReadIsPartial(t *testing.T) {
	s, peer := pair(t)
	send(t, peer, "hello\nworld")
	line, err := s.ReadLine(background)
	got(t, line, err, "hello\n", nil)
	if s.Buffered() != 5 {
		t.Errorf("%d bytes are buffered", s.Buffered())
	}
	buf := make([]byte, 1000)
	n, err := s.Read(background, buf[:2])
	got(t, buf[:n], err, "wo", nil)
	n, err = s.Read(background, nil)
	got(t, buf[:n], err, "", nil)
	n, err = s.Read(background, buf)
	got(t, buf[:n], err, "rld", nil)
	n, err = s.Read(background, nil) // and does not wait
	got(t, buf[:n], err, "", nil)
}

func TestEndAgainAndAgain(t *testing.T) {
	s, peer := pair(t)
	check(t, peer.Close())
	for range 3 {
		for _, size := range []int{1, 1 << 20} {
			if n, err := s.Read(background, make([]byte, size)); n != 0 || err != io.EOF {
				t.Errorf("Read: %d, %v", n, err)
			}
		}
		if n, err := s.ReadFull(background, make([]byte, 5)); n != 0 || err != io.EOF {
			t.Errorf("ReadFull: %d, %v", n, err)
		}
		line, err := s.ReadLine(background)
		got(t, line, err, "", io.EOF)
		piece, err := s.ReadUntil(background, []byte("x"))
		got(t, piece, err, "", io.EOF)
		five, err := s.ReadExactly(background, 5)
		got(t, five, err, "", io.EOF)
		none, err := s.ReadExactly(background, 0)
		got(t, none, err, "", nil)
		all, err := s.ReadAll(background, 10)
		got(t, all, err, "", nil)
		lines, err := s.ReadLines(background)
		gotLines(t, lines, err, nil, nil)
		for line, err := range s.Lines(background) {
			t.Errorf("%q, %v", line, err)
		}
	}
}

func TestReadAll(t *testing.T) {
	s, peer := pair(t)
	_, join := in(t, func(ctx context.Context) error {
		for _, piece := range []string{"first\nof ", "several ", "arrivals"} {
			if err := peer.WaitWrite(ctx); err != nil {
				return err
			}
			send(t, peer, piece)
		}
		return peer.Shutdown(socket.ShutWR)
	})
	line, err := s.ReadLine(background)
	got(t, line, err, "first\n", nil)
	all, err := s.ReadAll(background, stream.NoLimit)
	got(t, all, err, "of several arrivals", nil)
	check(t, join())
}

func TestReadAllLimit(t *testing.T) {
	text := string(numbered(100_000))
	for _, limit := range []int{0, 1, 4095, 4096, 16 << 10, 50_000, len(text) - 1} {
		s := arriving(text[:10], text[10:])
		all, err := s.ReadAll(background, int64(limit))
		got(t, all, err, text[:limit], stream.ErrTooLong)
		if cap(all) > 3*limit+8192 {
			t.Errorf("limit %d: %d bytes of memory", limit, cap(all))
		}
		all, err = s.ReadAll(background, stream.NoLimit)
		got(t, all, err, text[limit:], nil)
	}
	for _, limit := range []int64{int64(len(text)), int64(len(text)) + 1, math.MaxInt64} {
		all, err := arriving(text[:10], text[10:]).ReadAll(background, limit)
		got(t, all, err, text, nil)
	}
}

// What has been read when a call is cancelled comes back with the error, and what was not
// is still there.
func TestReadingCutShort(t *testing.T) {
	for name, read := range map[string]func(ctx context.Context, s *stream.Stream) ([]byte, error){
		"ReadAll":     func(ctx context.Context, s *stream.Stream) ([]byte, error) { return s.ReadAll(ctx, stream.NoLimit) },
		"ReadExactly": func(ctx context.Context, s *stream.Stream) ([]byte, error) { return s.ReadExactly(ctx, 100_000) },
		"ReadFull": func(ctx context.Context, s *stream.Stream) ([]byte, error) {
			buf := make([]byte, 100_000)
			n, err := s.ReadFull(ctx, buf)
			return buf[:n], err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, peer := pair(t)
			send(t, peer, "line\nhalf ")
			line, err := s.ReadLine(background)
			got(t, line, err, "line\n", nil)
			send(t, peer, "of it")
			var had []byte
			err = during(t, func(ctx context.Context) (err error) {
				had, err = read(ctx, s)
				return err
			})
			got(t, had, err, "half of it", wait.ErrTaskCancelled)
			send(t, peer, "the rest")
			check(t, peer.Shutdown(socket.ShutWR))
			rest, err := s.ReadAll(background, stream.NoLimit)
			got(t, rest, err, "the rest", nil)
		})
	}
}

func TestReadExactly(t *testing.T) {
	s, peer := pair(t)
	send(t, peer, "Msg1\nMsg2\nMsg3\nMs")
	check(t, peer.Close())
	for _, text := range []string{"Msg1\n", "Msg2\n", "Msg3\n"} {
		five, err := s.ReadExactly(background, 5)
		got(t, five, err, text, nil)
	}
	five, err := s.ReadExactly(background, 5)
	got(t, five, err, "Ms", io.ErrUnexpectedEOF)
	five, err = s.ReadExactly(background, 5)
	if len(five) != 0 || err != io.EOF {
		t.Errorf("%q, %v", five, err)
	}
}

func TestReadFull(t *testing.T) {
	s := arriving("ab", "cd", "e", "f")
	buf := make([]byte, 5)
	n, err := s.ReadFull(background, buf)
	got(t, buf[:n], err, "abcde", nil)
	n, err = s.ReadFull(background, buf)
	got(t, buf[:n], err, "f", io.ErrUnexpectedEOF)
	n, err = s.ReadFull(background, nil)
	got(t, buf[:n], err, "", nil)
}

// A number of bytes that the other side has announced is not yet memory.
func TestReadExactlyBelievesNothing(t *testing.T) {
	transport := &script{pieces: [][]byte{[]byte("a little")}}
	some, err := stream.New(transport).ReadExactly(background, math.MaxInt)
	got(t, some, err, "a little", io.ErrUnexpectedEOF)
	if transport.asked > 64<<10 || cap(some) > 64<<10 {
		t.Errorf("%d bytes of memory, a buffer of %d", cap(some), transport.asked)
	}
}

// Each way to read, of a text that arrives in two pieces, at every place to split it.
func TestSplitEverywhere(t *testing.T) {
	const text = "one\r\n\r\ntwo\nthree\r\r\n\r\nfour"
	for i := range len(text) + 1 {
		var pieces []string
		for _, p := range []string{text[:i], text[i:]} {
			if p != "" {
				pieces = append(pieces, p)
			}
		}
		lines, err := arriving(pieces...).ReadLines(background)
		gotLines(t, lines, err, []string{"one\r\n", "\r\n", "two\n", "three\r\r\n", "\r\n", "four"}, nil)
		s := arriving(pieces...)
		for _, part := range []string{"one\r\n\r\n", "two\nthree\r\r\n\r\n", "four"} {
			piece, err := s.ReadUntil(background, []byte("\r\n\r\n"))
			got(t, piece, err, part, nil)
		}
		s = arriving(pieces...)
		all, err := s.ReadExactly(background, len(text))
		got(t, all, err, text, nil)
		s = arriving(pieces...)
		line, err := s.ReadLine(background)
		got(t, line, err, "one\r\n", nil)
		all, err = s.ReadAll(background, stream.NoLimit)
		got(t, all, err, text[5:], nil)
	}
}

// 4 MB into a buffer of the caller's, after a line was read.
func TestLargeAfterALine(t *testing.T) {
	data := numbered(4 << 20)
	for name, read := range map[string]func(ctx context.Context, s *stream.Stream) ([]byte, error){
		"ReadFull": func(ctx context.Context, s *stream.Stream) ([]byte, error) {
			buf := make([]byte, len(data))
			n, err := s.ReadFull(ctx, buf)
			return buf[:n], err
		},
		"ReadExactly": func(ctx context.Context, s *stream.Stream) ([]byte, error) {
			return s.ReadExactly(ctx, len(data))
		},
		"Reader": func(ctx context.Context, s *stream.Stream) ([]byte, error) {
			return io.ReadAll(s.Reader(ctx))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, peer := pair(t)
			_, join := in(t, func(ctx context.Context) error {
				_, err := peer.SendAll(ctx, append([]byte("hello\n"), data...))
				return errors.Join(err, peer.Shutdown(socket.ShutWR))
			})
			line, err := s.ReadLine(background)
			got(t, line, err, "hello\n", nil)
			all, err := read(background, s)
			check(t, err)
			check(t, join())
			if !bytes.Equal(all, data) {
				t.Errorf("%d bytes, and not those that were sent", len(all))
			}
		})
	}
}

// A transport that returns nothing and no error is not asked for ever.
func TestNoProgress(t *testing.T) {
	_, err := stream.New(idle{}).ReadLine(background)
	want(t, err, io.ErrNoProgress)
}

type idle struct{}

func (idle) Recv(context.Context, []byte) (int, error)    { return 0, nil }
func (idle) SendAll(context.Context, []byte) (int, error) { return 0, nil }
func (idle) Close() error                                 { return nil }
