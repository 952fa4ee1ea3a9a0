package stream_test

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/stream"
)

func TestReadLine(t *testing.T) {
	s, peer := pair(t)
	send(t, peer, "Msg1\nMsg2\nMsg3\nlast")
	check(t, peer.Close())
	for _, text := range []string{"Msg1\n", "Msg2\n", "Msg3\n", "last"} {
		line, err := s.ReadLine(background)
		got(t, line, err, text, nil)
	}
	line, err := s.ReadLine(background)
	got(t, line, err, "", io.EOF)
}

// What has come of a line when a call is cancelled is there for the next one.
func TestHalfALine(t *testing.T) {
	s, peer := pair(t)
	send(t, peer, "one\ntwo\nhal")
	var lines []string
	err := during(t, func(ctx context.Context) (err error) {
		lines, err = s.ReadLines(ctx)
		return err
	})
	gotLines(t, lines, err, []string{"one\n", "two\n"}, wait.ErrTaskCancelled)
	for _, more := range []string{"f a", " li", "ne"} {
		err := during(t, func(ctx context.Context) error { _, err := s.ReadLine(ctx); return err })
		want(t, err, wait.ErrTaskCancelled)
		err = during(t, func(ctx context.Context) error { _, err := s.ReadUntil(ctx, []byte("XX")); return err })
		want(t, err, wait.ErrTaskCancelled)
		send(t, peer, more)
	}
	send(t, peer, "\nthree\n")
	check(t, peer.Shutdown(socket.ShutWR))
	lines, err = s.ReadLines(background)
	gotLines(t, lines, err, []string{"half a line\n", "three\n"}, nil)
}

func TestLines(t *testing.T) {
	s := arriving("a\nb", "\n\nd")
	var lines []string
	for line, err := range s.Lines(background) {
		check(t, err)
		if lines = append(lines, line); len(lines) == 2 {
			break // the rest is for the next one
		}
	}
	for line, err := range s.Lines(background) {
		check(t, err)
		lines = append(lines, line)
	}
	gotLines(t, lines, nil, []string{"a\n", "b\n", "\n", "d"}, nil)
	dead := newTask(t)
	cancel(dead)
	n := 0
	for line, err := range s.Lines(&dead.Scope) {
		got(t, line, err, "", wait.ErrTaskCancelled)
		n++
	}
	if n != 1 {
		t.Errorf("the error came %d times", n)
	}
}

func TestLineLimit(t *testing.T) {
	for _, limit := range []int{1, 2, 100, 16 << 10, 16<<10 + 1, stream.DefaultLineLimit, 1 << 20} {
		fits := strings.Repeat("x", limit-1) + "\n"
		over := "x" + fits
		for _, chunk := range []int{1 << 30, 1000, limit} {
			s := stream.New(&script{pieces: split(fits+over+"end", chunk)})
			if limit != stream.DefaultLineLimit {
				s.SetLineLimit(limit)
			}
			line, err := s.ReadLine(background)
			got(t, line, err, fits, nil)
			for range 2 { // nothing is lost, so it is too long again
				line, err = s.ReadLine(background)
				got(t, line, err, "", stream.ErrLineTooLong)
				piece, err := s.ReadUntil(background, []byte("\n"))
				got(t, piece, err, "", stream.ErrLineTooLong)
			}
			first := make([]byte, 1)
			_, err = s.ReadFull(background, first) // and goes on when it is short enough
			got(t, first, err, "x", nil)
			line, err = s.ReadLine(background)
			got(t, line, err, fits, nil)
		}
		s := stream.New(&script{pieces: split(strings.Repeat("x", limit), 7)})
		s.SetLineLimit(limit)
		line, err := s.ReadLine(background) // the last one has no end, and fits
		got(t, line, err, strings.Repeat("x", limit), nil)
	}
}

func split(text string, size int) (pieces [][]byte) {
	for ; len(text) > size; text = text[size:] {
		pieces = append(pieces, []byte(text[:size]))
	}
	return append(pieces, []byte(text))
}

func TestNoLineLimit(t *testing.T) {
	long := strings.Repeat("0123456789", 1<<18) + "\n"
	s := stream.New(&script{pieces: split(long+"next\n", 5000)})
	s.SetLineLimit(stream.NoLimit)
	line, err := s.ReadLine(background)
	got(t, line, err, long, nil)
	line, err = s.ReadLine(background)
	got(t, line, err, "next\n", nil)
}

// A line that is too long says who has sent it, and uses no more memory than twice the
// limit.
func TestOversizeLine(t *testing.T) {
	l, err := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0)
	check(t, err)
	defer l.Close()
	check(t, l.Bind(localhost))
	check(t, l.Listen(1))
	peer, err := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0)
	check(t, err)
	defer peer.Close()
	check(t, peer.Connect(background, l.LocalAddr()))
	conn, err := l.Accept(background)
	check(t, err)
	s := closing(t, stream.New(conn))
	o, join := in(t, func(ctx context.Context) error {
		_, err := peer.SendAll(ctx, bytes.Repeat([]byte("x"), 64<<20))
		return err
	})
	_, err = s.ReadLine(background)
	want(t, err, stream.ErrLineTooLong)
	for _, part := range []string{"65536", peer.LocalAddr().String()} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not mention %s", err, part)
		}
	}
	if n := s.Buffered(); n > 2*stream.DefaultLineLimit {
		t.Errorf("%d bytes are buffered", n)
	}
	cancel(o)
	want(t, join(), wait.ErrTaskCancelled)
}

// A delimiter is looked for in what is new, not in all that has come before.
func TestNoQuadraticSearch(t *testing.T) {
	if !testutil.Long {
		t.Skip("it moves some memory: only with CURIO_LONG=1")
	}
	// 4 million arrivals of a byte: if each were a search from the start, it would take
	// hours.
	const size = 4 << 20
	s := stream.New(&drip{left: size})
	s.SetLineLimit(stream.NoLimit)
	piece, err := s.ReadUntil(background, []byte("\r\n"))
	check(t, err)
	if len(piece) != size {
		t.Errorf("%d bytes", len(piece))
	}
}

// drip is a Transport from which a byte at a time is received, of which the last two are
// an end of line.
type drip struct {
	script
	left int
}

func (d *drip) Recv(_ context.Context, buf []byte) (int, error) {
	if d.left == 0 {
		return 0, io.EOF
	}
	d.left--
	buf[0] = "\n\rxxxxxx"[min(d.left, 7)]
	return 1, nil
}

// Streams that wait hold no buffer.
func TestIdleStreamsHoldNoBuffer(t *testing.T) {
	const n = 300
	var before, after runtime.MemStats
	collect := func(m *runtime.MemStats) {
		runtime.GC()
		runtime.GC() // the pool lets go at the second
		runtime.ReadMemStats(m)
	}
	var streams []*stream.Stream
	var peers []*socket.Socket
	for range n {
		s, peer := pair(t)
		send(t, peer, "hello\n")
		line, err := s.ReadLine(background)
		got(t, line, err, "hello\n", nil)
		streams, peers = append(streams, s), append(peers, peer)
	}
	collect(&before)
	var joins []func() error
	for _, s := range streams {
		o, join := in(t, func(ctx context.Context) error {
			line, err := s.ReadLine(ctx)
			got(t, line, err, "bye\n", nil)
			return err
		})
		awaitParked(t, o)
		joins = append(joins, join)
	}
	collect(&after)
	if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used > n*8<<10 {
		t.Errorf("%d bytes for each stream that waits", used/n)
	}
	for i, join := range joins {
		send(t, peers[i], "bye\n")
		check(t, join())
	}
}
