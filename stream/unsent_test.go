package stream_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/stream"
)

// A keeper is a Transport like TLS: it cannot give back what it has accepted, and if it is
// cut short, it keeps what it has not sent until it is called again.
type keeper struct {
	script
	kept   []byte
	jammed bool // nothing can be sent
	closes []string
}

var errJammed = &net.OpError{Op: "send", Err: errors.New("jammed")}

func (k *keeper) SendAll(_ context.Context, buf []byte) (int, error) {
	k.kept = append(k.kept, buf...)
	if k.jammed {
		return len(buf), errJammed
	}
	k.sent = append(k.sent, k.kept...)
	k.kept = nil
	return len(buf), nil
}

func (k *keeper) Close() error {
	k.closes = append(k.closes, "Close")
	if len(k.kept) > 0 {
		return &net.OpError{Op: "close", Err: io.ErrShortWrite}
	}
	return nil
}

func (k *keeper) CloseContext(context.Context) error {
	k.closes = append(k.closes, "CloseContext")
	return nil
}

// A stream knows that its last send was cut short and that its transport may have kept part
// of it, even if nothing is left in the stream's own buffer.
func TestWhatTheTransportKeeps(t *testing.T) {
	for name, push := range map[string]func(ctx context.Context, s *stream.Stream) error{
		"Flush":       func(ctx context.Context, s *stream.Stream) error { return s.Flush(ctx) },
		"Write":       func(ctx context.Context, s *stream.Stream) error { _, err := s.Write(ctx, nil); return err },
		"WriteString": func(ctx context.Context, s *stream.Stream) error { _, err := s.WriteString(ctx, ""); return err },
		"WriteLines": func(ctx context.Context, s *stream.Stream) error {
			_, err := s.WriteLines(ctx, slices.Values([]string{}))
			return err
		},
		"Writer": func(ctx context.Context, s *stream.Stream) error { _, err := s.Writer(ctx).Write(nil); return err },
	} {
		for _, buffer := range []int{0, 100} {
			t.Run(name, func(t *testing.T) {
				k := &keeper{jammed: true}
				s := stream.New(k)
				s.SetWriteBuffer(buffer)
				n, err := s.WriteString(background, "hello")
				if buffer > 0 && err == nil {
					err = s.Flush(background)
				}
				if n != 5 || !errors.Is(err, errJammed) {
					t.Fatalf("%d, %v", n, err)
				}
				want(t, push(background, s), errJammed)
				k.jammed = false
				check(t, push(background, s))
				if string(k.sent) != "hello" {
					t.Errorf("sent %q", k.sent)
				}
				k.kept = []byte("x") // nothing asks for this any more
				check(t, push(background, s))
				if string(k.sent) != "hello" {
					t.Errorf("sent %q", k.sent)
				}
			})
		}
	}
}

// Close sends what the transport keeps, or returns an error. A transport that has to send
// something at the end may wait for that.
func TestCloseOfWhatTheTransportKeeps(t *testing.T) {
	jam := func(t *testing.T) (*stream.Stream, *keeper) {
		k := &keeper{jammed: true}
		s := stream.New(k)
		_, err := s.WriteString(background, "hello")
		want(t, err, errJammed)
		return s, k
	}
	s, k := jam(t)
	k.jammed = false
	check(t, s.CloseContext(background))
	if string(k.sent) != "hello" || !slices.Equal(k.closes, []string{"CloseContext"}) {
		t.Errorf("sent %q, and then %q", k.sent, k.closes)
	}

	s, k = jam(t)
	err := s.CloseContext(background)
	want(t, err, errJammed.Err, io.ErrShortWrite)
	if op, ok := err.(*net.OpError); !ok || op.Op != "close" || !slices.Equal(k.closes, []string{"Close"}) {
		t.Errorf("%#v, after %q", err, k.closes)
	}

	s, k = jam(t)
	dead := newTask(t)
	cancel(dead)
	want(t, s.CloseContext(&dead.Scope), wait.ErrTaskCancelled, io.ErrShortWrite)
	if !slices.Equal(k.closes, []string{"Close"}) {
		t.Errorf("it does %q", k.closes)
	}
}

// Close says how much of what was written has not been sent, and why.
func TestCloseSaysWhatIsMissing(t *testing.T) {
	buffered := func(t *testing.T, text string) (*stream.Stream, *socket.Socket, *socket.Socket) {
		a, b, err := socket.SocketPair(socket.SOCK_STREAM)
		check(t, err)
		t.Cleanup(func() { b.Close() })
		s := stream.New(a)
		s.SetWriteBuffer(100)
		_, err = s.WriteString(background, text)
		check(t, err)
		return s, a, b
	}
	says := func(t *testing.T, err error, text string, targets ...error) {
		t.Helper()
		want(t, err, targets...)
		if op, ok := err.(*net.OpError); !ok || op.Op != "close" || !strings.Contains(err.Error(), text) {
			t.Errorf("%#v, which does not say %q", err, text)
		}
	}
	s, _, _ := buffered(t, "too late")
	dead := newTask(t)
	cancel(dead)
	says(t, s.CloseContext(&dead.Scope), "8 bytes were written and have not been sent", wait.ErrTaskCancelled)

	s, _, b := buffered(t, "nobody there")
	check(t, b.Close())
	err := s.CloseContext(background)
	says(t, err, "12 bytes were written and have not been sent", syscall.EPIPE)
	if errors.Is(err, net.ErrClosed) {
		t.Errorf("%v blames the one who closes", err)
	}

	s, a, b := buffered(t, "no room")
	n := fill(t, a)
	err = during(t, s.CloseContext)
	says(t, err, "7 bytes were written and have not been sent")
	if got := receive(t, b, n+7); len(got) != n {
		t.Errorf("%d bytes have come, and not %d", len(got), n)
	}

	f, err := os.Open(os.DevNull) // for reading only
	check(t, err)
	s = fromFile(t, f)
	s.SetWriteBuffer(100)
	_, err = s.WriteString(background, "nowhere")
	check(t, err)
	err = s.CloseContext(background)
	if path, ok := err.(*os.PathError); !ok || path.Op != "close" || !strings.Contains(err.Error(), "7 bytes were written") {
		t.Errorf("%#v", err)
	}
}

// Over a socket, the count that a write returns is exact, with a write buffer or without: a
// caller that goes on with the rest sends each byte once, and Flush knows what is kept.
func TestWritesOverASocketAreExact(t *testing.T) {
	data := numbered(3 << 20)
	for _, size := range []int{0, 10, 5000, 1 << 20} {
		s, b := pair(t)
		s.SetWriteBuffer(size)
		var all []byte
		// cut calls op, cancels it when it waits for room, and then makes room.
		cut := func(op func(ctx context.Context) error) error {
			o := newTask(t)
			done := make(chan error, 1)
			go func() { done <- op(&o.Scope) }()
			testutil.Await(t, "an end, or a wait", func() bool {
				_, parked := o.Parked()
				return parked || len(done) > 0
			})
			cancel(o)
			err := <-done
			all = append(all, receiveNow(t, b, len(data))...)
			return err
		}
		cuts := 0
		for rest := data; len(rest) > 0; {
			n := 0
			err := cut(func(ctx context.Context) (err error) {
				n, err = s.Write(ctx, rest[:min(len(rest), 700_000)])
				return err
			})
			if rest = rest[n:]; err != nil {
				want(t, err, wait.ErrTaskCancelled)
				cuts++
			}
		}
		for cut(s.Flush) != nil {
			cuts++
		}
		check(t, s.CloseWrite(background))
		all = append(all, receive(t, b, len(data)+1)...)
		if cuts < 3 || !bytes.Equal(all, data) {
			t.Errorf("with a buffer of %d, %d of %d bytes have come, or others; it was cut short %d times", size, len(all), len(data), cuts)
		}
	}
}
