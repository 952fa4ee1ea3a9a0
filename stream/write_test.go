package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/stream"
)

var localhost = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}

func TestWrite(t *testing.T) {
	s, peer := pair(t)
	n, err := s.Write(background, []byte("hello "))
	check(t, err)
	if n != 6 || string(receive(t, peer, 6)) != "hello " {
		t.Errorf("%d bytes", n)
	}
	long := strings.Repeat("world", 10_000)
	for _, text := range []string{"", "world\n", long} {
		n, err = s.WriteString(background, text)
		check(t, err)
		if n != len(text) || string(receive(t, peer, n)) != text {
			t.Errorf("%d of %d bytes", n, len(text))
		}
	}
	check(t, s.Flush(background)) // which is nothing
	check(t, s.CloseWrite(background))
	if rest := receive(t, peer, 1); len(rest) != 0 {
		t.Errorf("%q", rest)
	}
	send(t, peer, "bye\n")
	line, err := s.ReadLine(background)
	got(t, line, err, "bye\n", nil)
}

func TestWriteLines(t *testing.T) {
	s, peer := pair(t)
	n, err := s.WriteLines(background, slices.Values([]string{"one\n", "", "two\n", "three"}))
	check(t, err)
	if n != 13 || string(receive(t, peer, 13)) != "one\ntwo\nthree" {
		t.Errorf("%d bytes", n)
	}
	transport := new(script)
	s = stream.New(transport)
	var all strings.Builder
	n, err = s.WriteLines(background, func(yield func(string) bool) {
		for i := range 300 {
			line := strings.Repeat("x", i*i) + "\n"
			all.WriteString(line)
			if !yield(line) {
				return
			}
		}
	})
	got(t, transport.sent, err, all.String(), nil)
	if n != int64(all.Len()) {
		t.Errorf("%d of %d bytes", n, all.Len())
	}
}

// Few system calls, and the lines are asked for one by one.
func TestWriteLinesGathers(t *testing.T) {
	transport := &counting{}
	s := stream.New(transport)
	_, err := s.WriteLines(background, func(yield func(string) bool) {
		for range 1000 {
			if !yield("0123456789\n") {
				return
			}
		}
	})
	check(t, err)
	if transport.calls != 1 || len(transport.sent) != 11_000 {
		t.Errorf("%d calls for %d bytes", transport.calls, len(transport.sent))
	}
}

type counting struct {
	script
	calls int
}

func (c *counting) SendAll(ctx context.Context, buf []byte) (int, error) {
	c.calls++
	return c.script.SendAll(ctx, buf)
}

// endless yields lines for ever, of which each says which it is.
func endless(yield func(string) bool) {
	for i := 0; yield(fmt.Sprintf("this is line %d\n", i)); i++ {
	}
}

// collected is what endless yields, up to n bytes.
func collected(n int) []byte {
	var all []byte
	for line := range endless {
		if all = append(all, line...); len(all) >= n {
			return all[:n]
		}
	}
	panic("unreachable")
}

// What a write that is cut short says it has sent is what the other side receives.
func TestWritingCutShort(t *testing.T) {
	data := numbered(10 << 20)
	for name, c := range map[string]struct {
		write func(ctx context.Context, s *stream.Stream) (int64, error)
		want  func(n int) []byte
	}{
		"Write": {func(ctx context.Context, s *stream.Stream) (int64, error) {
			n, err := s.Write(ctx, data)
			return int64(n), err
		}, func(n int) []byte { return data[:n] }},
		"WriteLines": {func(ctx context.Context, s *stream.Stream) (int64, error) {
			return s.WriteLines(ctx, endless)
		}, collected},
	} {
		t.Run(name, func(t *testing.T) {
			s, peer := pair(t)
			var n int64
			o, join := in(t, func(ctx context.Context) (err error) {
				n, err = c.write(ctx, s)
				return err
			})
			awaitParked(t, o)
			first := receive(t, peer, 300_000) // some room, and some more is sent
			awaitParked(t, o)
			cancel(o)
			want(t, join(), wait.ErrTaskCancelled)
			check(t, s.CloseWrite(background))
			received := append(first, receive(t, peer, 1<<30)...)
			if int64(len(received)) != n || !bytes.Equal(received, c.want(int(n))) {
				t.Errorf("%d bytes written, %d received", n, len(received))
			}
		})
	}
}

// Lines that send nothing come to an end too.
func TestWriteLinesOfNothing(t *testing.T) {
	s, _ := pair(t)
	o := newTask(t)
	i := 0
	n, err := s.WriteLines(&o.Scope, func(yield func(string) bool) {
		for ; yield(""); i++ {
			if i == 1000 {
				cancel(o)
			}
		}
	})
	want(t, err, wait.ErrTaskCancelled)
	if n != 0 || i != 1001 {
		t.Errorf("%d bytes, %d lines", n, i)
	}
	n, err = s.WriteLines(background, func(yield func(string) bool) {
		if yield("taken, not sent") {
			check(t, s.CloseContext(background))
			yield("")
		}
	})
	want(t, err, net.ErrClosed)
	if n != 0 {
		t.Errorf("%d bytes", n)
	}
}

// An iterator that panics leaves the stream as it was. It may use the stream, too.
func TestWriteLinesIterator(t *testing.T) {
	s, peer := pair(t)
	func() {
		defer func() {
			if recover() != "no more" {
				t.Error("the panic got lost")
			}
		}()
		_, _ = s.WriteLines(background, func(func(string) bool) { panic("no more") })
	}()
	_, err := s.WriteLines(background, func(yield func(string) bool) {
		_, err := s.WriteString(background, "before ")
		check(t, err)
		yield("after")
	})
	check(t, err)
	got(t, receive(t, peer, 12), nil, "before after", nil)
}

func TestWriteBuffer(t *testing.T) {
	transport := new(script)
	s := stream.New(transport)
	s.SetWriteBuffer(10)
	write := func(text, sent string) {
		t.Helper()
		n, err := s.WriteString(background, text)
		check(t, err)
		if n != len(text) {
			t.Errorf("%d of %d bytes", n, len(text))
		}
		got(t, transport.sent, nil, sent, nil)
	}
	write("12345", "")
	write("67890", "")
	write("", "")
	write("abc", "1234567890")
	check(t, s.Flush(background))
	got(t, transport.sent, nil, "1234567890abc", nil)
	transport.sent = nil
	write("x", "")
	write("longer than the buffer", "xlonger than the buffer")
	transport.sent = nil
	write("kept", "")
	s.SetWriteBuffer(0)
	write(", sent", "kept, sent")
	s.SetWriteBuffer(100_000)
	large := strings.Repeat("large", 19_000)
	write(large, "kept, sent")
	check(t, s.CloseContext(background))
	got(t, transport.sent, nil, "kept, sent"+large, nil)
	if !transport.closed {
		t.Error("it is not closed")
	}
}

// A Flush that is cancelled keeps exactly what has not been sent.
func TestFlushCutShort(t *testing.T) {
	s, peer := pair(t)
	data := numbered(2 << 20)
	s.SetWriteBuffer(len(data))
	n, err := s.Write(background, data)
	check(t, err)
	if n != len(data) {
		t.Errorf("%d bytes", n)
	}
	var received []byte
	for range 5 {
		want(t, during(t, s.Flush), wait.ErrTaskCancelled)
		received = append(received, receiveNow(t, peer, rand.IntN(200_000))...)
	}
	want(t, during(t, s.CloseWrite), wait.ErrTaskCancelled)
	s.SetWriteBuffer(10) // full
	var taken int
	err = during(t, func(ctx context.Context) (err error) {
		taken, err = s.Write(ctx, []byte("there is no room for this"))
		return err
	})
	want(t, err, wait.ErrTaskCancelled)
	if taken != 0 {
		t.Errorf("%d bytes were taken over", taken)
	}
	_, err = s.Detach()
	if err == nil || !strings.Contains(err.Error(), "not been sent") {
		t.Error(err)
	}
	_, join := in(t, func(ctx context.Context) error {
		return errors.Join(s.Flush(ctx), s.CloseWrite(ctx))
	})
	received = append(received, receive(t, peer, 1<<30)...)
	check(t, join())
	if !bytes.Equal(received, data) {
		t.Errorf("%d of %d bytes", len(received), len(data))
	}
}

// Close sends the rest. If it is cancelled it closes nevertheless, and says so.
func TestCloseFlushes(t *testing.T) {
	a, peer, err := socket.SocketPair(socket.SOCK_STREAM)
	check(t, err)
	defer peer.Close()
	s := stream.New(a)
	s.SetWriteBuffer(1 << 20)
	n := fill(t, a)
	_, err = s.WriteString(background, "the rest")
	check(t, err)
	want(t, during(t, s.CloseContext), wait.ErrTaskCancelled)
	if a.FD() >= 0 {
		t.Error("it is not closed")
	}
	want(t, s.CloseContext(background), net.ErrClosed)
	if got := len(receive(t, peer, 1<<30)); got != n {
		t.Errorf("%d bytes, want %d", got, n)
	}

	a, peer, err = socket.SocketPair(socket.SOCK_STREAM)
	check(t, err)
	defer peer.Close()
	s = stream.New(a)
	dead := newTask(t)
	cancel(dead)
	want(t, s.CloseContext(&dead.Scope), wait.ErrTaskCancelled)
	want(t, s.CloseContext(background), net.ErrClosed)
	if a.FD() >= 0 {
		t.Error("it is not closed")
	}
}

// What a buffered Write has taken over while the stream is being closed is sent.
func TestWriteRacesWithClose(t *testing.T) {
	for range 3000 {
		transport := new(script)
		s := stream.New(transport)
		s.SetWriteBuffer(100)
		taken := 0
		_, join := in(t, func(ctx context.Context) error {
			for range 5 {
				n, err := s.WriteString(ctx, "x")
				if taken += n; err != nil {
					return err
				}
			}
			return nil
		})
		check(t, s.CloseContext(background))
		if err := join(); err != nil {
			want(t, err, net.ErrClosed)
		}
		if len(transport.sent) != taken {
			t.Fatalf("%d taken, %d sent", taken, len(transport.sent))
		}
	}
}

// What tasks write at once is not mixed: neither what one Write writes nor a line.
func TestWritersTakeTurns(t *testing.T) {
	s, peer := pair(t)
	const writers, times = 4, 50
	var joins []func() error
	for i := range writers {
		_, join := in(t, func(ctx context.Context) error {
			for range times {
				line := strings.Repeat(string(rune('a'+i)), 20_000) + "\n"
				if _, err := s.WriteString(ctx, line); err != nil {
					return err
				}
				if _, err := s.WriteLines(ctx, slices.Values([]string{line, line[:10] + "\n"})); err != nil {
					return err
				}
			}
			return nil
		})
		joins = append(joins, join)
	}
	reader := closing(t, stream.New(peer))
	_, closed := in(t, func(ctx context.Context) error {
		for _, join := range joins {
			if err := join(); err != nil {
				return err
			}
		}
		return s.CloseWrite(ctx)
	})
	n := 0
	for line, err := range reader.Lines(background) {
		check(t, err)
		if line != strings.Repeat(line[:1], len(line)-1)+"\n" {
			t.Fatalf("a line is torn: %q", short(line))
		}
		n++
	}
	check(t, closed())
	if n != writers*times*3 {
		t.Errorf("%d lines", n)
	}
}

// A Close that waits for a Flush in progress can be cancelled, and then ends it.
func TestCloseBehindAFlush(t *testing.T) {
	a, peer, err := socket.SocketPair(socket.SOCK_STREAM)
	check(t, err)
	defer peer.Close()
	s := stream.New(a)
	fill(t, a)
	s.SetWriteBuffer(10)
	_, err = s.WriteString(background, "too late")
	check(t, err)
	flushes, joinFlush := in(t, s.Flush)
	awaitIn(t, flushes, "WRITE_WAIT")
	closes, joinClose := in(t, s.CloseContext)
	awaitIn(t, closes, "LOCK_ACQUIRE")
	cancel(closes)
	want(t, joinClose(), wait.ErrTaskCancelled)
	want(t, joinFlush(), net.ErrClosed)
}

// A Write that finds the stream closed in the middle of it has taken nothing over.
func TestWriteIsClosedHalfway(t *testing.T) {
	transport := &closer{}
	s := stream.New(transport)
	s.SetWriteBuffer(10)
	_, err := s.WriteString(background, "sent")
	check(t, err)
	dead := newTask(t)
	cancel(dead)
	transport.close = func() { want(t, s.CloseContext(&dead.Scope), wait.ErrTaskCancelled) }
	n, err := s.WriteString(background, "not this")
	want(t, err, net.ErrClosed)
	if n != 0 || string(transport.sent) != "sent" {
		t.Errorf("%d bytes, %q", n, transport.sent)
	}
}

// A closer is a script that is closed while it sends.
type closer struct {
	script
	close func()
}

func (c *closer) SendAll(ctx context.Context, buf []byte) (int, error) {
	c.close()
	return c.script.SendAll(ctx, buf)
}
