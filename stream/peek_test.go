package stream_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/stream"
)

// What was peeked at is still there, whatever it is read by, and is the caller's own.
func TestPeek(t *testing.T) {
	for n := range 12 {
		s := arriving("abc", "d", "efghij")
		p, err := s.Peek(background, n)
		if n <= 10 {
			got(t, string(p), err, "abcdefghij"[:n], nil)
		} else {
			got(t, string(p), err, "abcdefghij", io.EOF)
		}
		clear(p)
		p, err = s.Peek(background, n/2)
		got(t, string(p), err, "abcdefghij"[:n/2], nil)
		p, err = s.ReadAll(background, stream.NoLimit)
		got(t, string(p), err, "abcdefghij", nil)
		p, err = s.Peek(background, 1)
		got(t, string(p), err, "", io.EOF)
		if p, err = s.Peek(background, 0); len(p) > 0 || err != nil {
			t.Errorf("%q, %v", p, err)
		}
	}
}

// More than the buffer holds, with something before it.
func TestPeekALot(t *testing.T) {
	text := strings.Repeat("0123456789abcdef", 1<<13)
	s := arriving("head\n", text, "tail")
	line, err := s.ReadLine(background)
	got(t, line, err, "head\n", nil)
	p, err := s.Peek(background, len(text)+1)
	got(t, string(p), err, text+"t", nil)
	p, err = s.ReadAll(background, stream.NoLimit)
	got(t, string(p), err, text+"tail", nil)
}

func TestPeekCancelled(t *testing.T) {
	s, peer := pair(t)
	send(t, peer, "abc")
	var p []byte
	_ = during(t, func(ctx context.Context) (err error) {
		p, err = s.Peek(ctx, 5)
		return err
	})
	if string(p) != "abc" {
		t.Errorf("%q", p)
	}
	send(t, peer, "de")
	p, err := s.Peek(background, 5)
	got(t, string(p), err, "abcde", nil)
}

func TestDiscard(t *testing.T) {
	const text = "abcdefghij"
	for n := range int64(13) {
		s := arriving("abc", "d", "efghij")
		k, err := s.Discard(background, n)
		switch {
		case n <= 10 && (k != n || err != nil):
			t.Errorf("Discard(%d): %d, %v", n, k, err)
		case n > 10 && (k != 10 || err != io.ErrUnexpectedEOF):
			t.Errorf("Discard(%d): %d, %v", n, k, err)
		}
		rest, err := s.ReadAll(background, stream.NoLimit)
		got(t, string(rest), err, text[min(n, 10):], nil)
		if k, err := s.Discard(background, 1); k != 0 || err != io.EOF {
			t.Errorf("at the end: %d, %v", k, err)
		}
	}
}

// What has come when it is cancelled has been dropped, and no more.
func TestDiscardCancelled(t *testing.T) {
	s, peer := pair(t)
	send(t, peer, "abc")
	var n int64
	_ = during(t, func(ctx context.Context) (err error) {
		n, err = s.Discard(ctx, 5)
		return err
	})
	if n != 3 {
		t.Errorf("%d", n)
	}
	send(t, peer, "defg")
	if n, err := s.Discard(background, 2); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	p, err := s.ReadExactly(background, 2)
	got(t, string(p), err, "fg", nil)
}

// A line that is too long can be skipped, and the next one read.
func TestSkipLine(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	s := arriving("short\n", long, "\nnext\n", "\n", "last")
	s.SetLineLimit(10)
	line, err := s.ReadLine(background)
	got(t, line, err, "short\n", nil)
	if _, err := s.ReadLine(background); !errors.Is(err, stream.ErrLineTooLong) {
		t.Errorf("the long line: %v", err)
	}
	if n, err := s.SkipLine(background); n != int64(len(long)+1) || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	line, err = s.ReadLine(background)
	got(t, line, err, "next\n", nil)
	for _, want := range []int64{1, 4} {
		if n, err := s.SkipLine(background); n != want || err != nil {
			t.Errorf("%d, %v, want %d", n, err, want)
		}
	}
	if n, err := s.SkipLine(background); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
}

// A line is skipped in pieces if need be, with memory for none of them.
func TestSkipLineCancelled(t *testing.T) {
	s, peer := pair(t)
	for range 3 {
		send(t, peer, "xx")
		var n int64
		_ = during(t, func(ctx context.Context) (err error) {
			n, err = s.SkipLine(ctx)
			return err
		})
		if n != 2 {
			t.Errorf("%d", n)
		}
		if s.Buffered() != 0 {
			t.Errorf("%d bytes are kept", s.Buffered())
		}
	}
	send(t, peer, "x\nnext\n")
	if n, err := s.SkipLine(background); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	line, err := s.ReadLine(background)
	got(t, line, err, "next\n", nil)
}

// Close does not wait, and says what is lost.
func TestCloseAtOnce(t *testing.T) {
	s, peer := pair(t)
	var _ io.Closer = s
	s.SetWriteBuffer(100)
	_, err := s.WriteString(background, "hello")
	check(t, err)
	err = s.Close()
	var op *net.OpError
	if !errors.Is(err, stream.ErrUnsent) || !errors.As(err, &op) || op.Op != "close" || !strings.Contains(err.Error(), "5 bytes") {
		t.Errorf("%v", err)
	}
	if all := receive(t, peer, 100); len(all) > 0 {
		t.Errorf("%q has been sent", all)
	}
	want(t, s.Close(), net.ErrClosed)
	want(t, s.CloseContext(background), net.ErrClosed)

	s, peer = pair(t)
	o, join := in(t, func(ctx context.Context) error { _, err := s.ReadLine(ctx); return err })
	awaitParked(t, o)
	check(t, s.Close())
	want(t, join(), net.ErrClosed)
	if all := receive(t, peer, 100); len(all) > 0 {
		t.Errorf("%q has been sent", all)
	}

	s, peer = pair(t) // a write that was cut short has left something
	s.SetWriteBuffer(0)
	err = during(t, func(ctx context.Context) error { _, err := s.Write(ctx, bytes.Repeat([]byte("x"), 8<<20)); return err })
	want(t, err, wait.ErrTaskCancelled)
	_ = s.Close()
	_ = peer.Close()
	if err := new(stream.Stream).Close(); err == nil {
		t.Error("the zero value can be closed")
	}
}
