package stream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/internal/waittest"
	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/stream"
)

// What a test does in the name of a task.
var (
	newTask     = waittest.Task
	cancel      = waittest.Cancel
	awaitParked = waittest.AwaitParked
	awaitIn     = waittest.AwaitIn
	in          = waittest.In
	during      = waittest.During
)

// children are what the test binary does when it plays a child process.
var children = map[string]func(){"upper": upperMain, "hold": holdMain}

func TestMain(m *testing.M) {
	testutil.Main(m, func() { children[os.Args[1]]() })
}

var background = context.Background()

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Fatalf("%v, want %v", err, target)
		}
	}
}

// got checks a value and the error that came with it, of which target has to be one.
func got[T ~string | ~[]byte](t testing.TB, value T, err error, wantValue string, target error) {
	t.Helper()
	if string(value) != wantValue || !errors.Is(err, target) {
		t.Fatalf("%q, %v, want %q, %v", short(string(value)), err, short(wantValue), target)
	}
}

func gotLines(t testing.TB, lines []string, err error, wantLines []string, target error) {
	t.Helper()
	if !slices.Equal(lines, wantLines) || !errors.Is(err, target) {
		t.Fatalf("%q, %v, want %q, %v", lines, err, wantLines, target)
	}
}

func short(s string) string {
	if len(s) > 100 {
		return fmt.Sprintf("%s... (%d bytes)", s[:100], len(s))
	}
	return s
}

// pair is a stream over a socket, and the socket at the other end.
func pair(t testing.TB) (*stream.Stream, *socket.Socket) {
	t.Helper()
	a, b, err := socket.SocketPair(socket.SOCK_STREAM)
	check(t, err)
	t.Cleanup(func() { b.Close() })
	return closing(t, stream.New(a)), b
}

// closing closes s at the end of the test, unless that has been done.
func closing(t testing.TB, s *stream.Stream) *stream.Stream {
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(background, testutil.Patience)
		defer stop()
		if err := s.CloseContext(ctx); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

func send(t testing.TB, to stream.Transport, text string) {
	t.Helper()
	_, err := to.SendAll(background, []byte(text))
	check(t, err)
}

// receive receives what there is up to the end, or up to so many bytes.
func receive(t testing.TB, from stream.Transport, most int) []byte {
	t.Helper()
	all, err := io.ReadAll(io.LimitReader(stream.Reader(background, from), int64(most)))
	check(t, err)
	return all
}

// receiveNow receives what is there, up to so many bytes.
func receiveNow(t testing.TB, from *socket.Socket, most int) []byte {
	t.Helper()
	all := make([]byte, most)
	for n := 0; n < most; {
		k, err := from.RecvFlags(background, all[n:], socket.MSG_DONTWAIT)
		if errors.Is(err, syscall.EAGAIN) {
			return all[:n]
		}
		check(t, err)
		n += k
	}
	return all
}

// fill sends until there is no more room, and returns how much that was.
func fill(t testing.TB, s *socket.Socket) (n int) {
	t.Helper()
	o, join := in(t, func(ctx context.Context) (err error) {
		n, err = s.SendAll(ctx, make([]byte, 64<<20))
		return err
	})
	awaitParked(t, o)
	cancel(o)
	want(t, join(), wait.ErrTaskCancelled)
	return n
}

// A script is a Transport from which these pieces are received, and then the end. What is
// sent is kept.
type script struct {
	pieces [][]byte
	sent   []byte
	asked  int // the largest buffer
	closed bool
}

func (s *script) Recv(_ context.Context, buf []byte) (int, error) {
	s.asked = max(s.asked, len(buf))
	if len(s.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(buf, s.pieces[0])
	if s.pieces[0] = s.pieces[0][n:]; len(s.pieces[0]) == 0 {
		s.pieces = s.pieces[1:]
	}
	return n, nil
}

func (s *script) SendAll(_ context.Context, buf []byte) (int, error) {
	s.sent = append(s.sent, buf...)
	return len(buf), nil
}

func (s *script) Close() error { s.closed = true; return nil }

// arriving is a stream on which these pieces arrive.
func arriving(pieces ...string) *stream.Stream {
	s := new(script)
	for _, p := range pieces {
		s.pieces = append(s.pieces, []byte(p))
	}
	return stream.New(s)
}

// numbered is n bytes of which each says something of its place.
func numbered(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return p
}
