package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/stream"
)

func fromFile(t testing.TB, f *os.File) *stream.Stream {
	t.Helper()
	s, err := stream.FromFile(f)
	check(t, err)
	return closing(t, s)
}

// pipe is a pipe whose ends are as package os makes them: non-blocking.
func pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	check(t, err)
	return r, w
}

// blockingPipe is a pipe whose ends are in blocking mode, as what a program inherits is.
func blockingPipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	var fds [2]int
	check(t, syscall.Pipe(fds[:]))
	syscall.CloseOnExec(fds[0])
	syscall.CloseOnExec(fds[1])
	return os.NewFile(uintptr(fds[0]), "read end"), os.NewFile(uintptr(fds[1]), "write end")
}

// fifo is a pipe with a name, opened by that.
func fifo(t testing.TB) (r, w *os.File) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "fifo")
	check(t, syscall.Mkfifo(name, 0o600))
	_, join := in(t, func(context.Context) (err error) {
		r, err = os.Open(name)
		return err
	})
	w, err := os.OpenFile(name, os.O_WRONLY, 0)
	check(t, err)
	check(t, join())
	return r, w
}

var pipes = map[string]func(t testing.TB) (r, w *os.File){"pipe": pipe, "blocking pipe": blockingPipe, "FIFO": fifo}

func eachPipe(t *testing.T, f func(t *testing.T, r, w *stream.Stream)) {
	for name, open := range pipes {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			r, w := open(t)
			f(t, fromFile(t, r), fromFile(t, w))
		})
	}
}

func TestPipe(t *testing.T) {
	data := string(numbered(300_000))
	eachPipe(t, func(t *testing.T, r, w *stream.Stream) {
		_, join := in(t, func(ctx context.Context) error {
			_, err := w.WriteString(ctx, "a line\n")
			if err == nil {
				_, err = w.WriteString(ctx, data)
			}
			return errors.Join(err, w.CloseContext(ctx))
		})
		line, err := r.ReadLine(background)
		got(t, line, err, "a line\n", nil)
		all, err := r.ReadAll(background, stream.NoLimit)
		got(t, all, err, data, nil)
		check(t, join())
		all, err = r.ReadAll(background, stream.NoLimit)
		got(t, all, err, "", nil)
		want(t, w.CloseWrite(background), net.ErrClosed)
		want(t, r.CloseWrite(background), errors.ErrUnsupported)
	})
}

func TestPipeCancelled(t *testing.T) {
	data := numbered(1 << 20)
	eachPipe(t, func(t *testing.T, r, w *stream.Stream) {
		for range 3 {
			err := during(t, func(ctx context.Context) error { _, err := r.ReadLine(ctx); return err })
			var path *fs.PathError
			if !errors.As(err, &path) || path.Path == "" {
				t.Errorf("%#v", err)
			}
		}
		n := 0
		err := during(t, func(ctx context.Context) (err error) {
			n, err = w.Write(ctx, data)
			return err
		})
		want(t, err, context.Canceled)
		check(t, w.CloseContext(background))
		all, err := r.ReadAll(background, stream.NoLimit)
		check(t, err)
		if n == 0 || !bytes.Equal(all, data[:n]) {
			t.Errorf("%d bytes written, %d read", n, len(all))
		}
	})
}

func TestPipeClosed(t *testing.T) {
	eachPipe(t, func(t *testing.T, r, w *stream.Stream) {
		o, join := in(t, func(ctx context.Context) error { _, err := r.ReadLine(ctx); return err })
		awaitParked(t, o)
		queued, joinQueued := in(t, func(ctx context.Context) error { _, err := r.ReadLine(ctx); return err })
		awaitParked(t, queued)
		check(t, r.CloseContext(background))
		want(t, join(), net.ErrClosed)
		want(t, joinQueued(), net.ErrClosed)
		want(t, r.CloseContext(background), net.ErrClosed)
		_, err := w.WriteString(background, "hello")
		want(t, err, syscall.EPIPE)
	})
}

// What others see of a descriptor is not changed: its mode in particular.
func TestModeStays(t *testing.T) {
	for name, open := range pipes {
		t.Run(name, func(t *testing.T) {
			r, w := open(t)
			defer w.Close()
			before := flags(t, r)
			other, err := syscall.Dup(rawFd(t, r))
			check(t, err)
			syscall.CloseOnExec(other)
			twin := os.NewFile(uintptr(other), "twin")
			defer twin.Close()
			s := fromFile(t, r)
			want(t, during(t, func(ctx context.Context) error { _, err := s.ReadLine(ctx); return err }), wait.ErrTaskCancelled)
			if now := flags(t, twin); now != before {
				t.Errorf("flags %#x, and were %#x", now, before)
			}
			check(t, s.CloseContext(background))
			if now := flags(t, twin); now != before {
				t.Errorf("flags %#x, and were %#x", now, before)
			}
		})
	}
}

func rawFd(t testing.TB, f *os.File) (n int) {
	t.Helper()
	raw, err := f.SyscallConn()
	check(t, err)
	check(t, raw.Control(func(fd uintptr) { n = int(fd) }))
	return n
}

func flags(t testing.TB, f *os.File) uintptr {
	t.Helper()
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(rawFd(t, f)), syscall.F_GETFL, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	return flags
}

func TestRegularFile(t *testing.T) {
	testutil.NoLeaks(t)
	name := filepath.Join(t.TempDir(), "file")
	f, err := os.Create(name)
	check(t, err)
	s := fromFile(t, f)
	data := string(numbered(3 << 20))
	_, err = s.WriteString(background, "first\n"+data)
	check(t, err)
	dead := newTask(t)
	cancel(dead)
	_, err = s.WriteString(&dead.Scope, "not this")
	want(t, err, wait.ErrTaskCancelled)
	check(t, s.CloseContext(background))

	f, err = os.Open(name)
	check(t, err)
	s = fromFile(t, f)
	line, err := s.ReadLine(background)
	got(t, line, err, "first\n", nil)
	all, err := s.ReadAll(background, stream.NoLimit)
	got(t, all, err, data, nil)
	_, err = s.WriteString(background, "x")
	want(t, err, syscall.EBADF)
}

func TestDevice(t *testing.T) {
	f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	check(t, err)
	s := fromFile(t, f)
	_, err = s.WriteString(background, "away")
	check(t, err)
	line, err := s.ReadLine(background)
	got(t, line, err, "", io.EOF)
	f, err = os.Open("/dev/zero")
	check(t, err)
	zeros, err := fromFile(t, f).ReadExactly(background, 100_000)
	got(t, zeros, err, strings.Repeat("\x00", 100_000), nil)
}

func TestNoFile(t *testing.T) {
	_, err := stream.FromFile(nil)
	want(t, err, os.ErrInvalid)
	r, w := pipe(t)
	check(t, r.Close())
	check(t, w.Close())
	_, err = stream.FromFile(r)
	want(t, err, os.ErrClosed)
}

// upperMain answers each line of its standard input with the same in capitals, and says
// first that it waits.
func upperMain() {
	s, err := stream.FromFile(os.Stdin)
	if err != nil {
		panic(err)
	}
	out, err := stream.FromFile(os.Stdout)
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	for line, err := range s.Lines(ctx) {
		if err != nil {
			panic(err)
		}
		if _, err := out.WriteString(ctx, strings.ToUpper(line)); err != nil {
			panic(err)
		}
	}
	if err := errors.Join(out.CloseContext(ctx), s.CloseContext(ctx)); err != nil {
		panic(err)
	}
}

// The standard input and output of a process, which are pipes in blocking mode, and shared
// with whoever has started it.
func TestStandardInputOfAChild(t *testing.T) {
	child := testutil.Self(t, "upper")
	for i := range 3 {
		_, err := fmt.Fprintf(child.Stdin, "line %d\n", i)
		check(t, err)
		if line := child.Line(); line != fmt.Sprintf("LINE %d", i) {
			t.Errorf("%q", line)
		}
	}
	_, err := io.WriteString(child.Stdin, "half")
	check(t, err)
	check(t, child.Stdin.Close())
	if rest, status := child.Rest(); rest != "HALF" || status != 0 {
		t.Errorf("%q, status %d", rest, status)
	}
}

// holdMain cancels a read from its standard input, and then ends: in time, although
// nothing ever comes.
func holdMain() {
	s, err := stream.FromFile(os.Stdin)
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 1)
	defer cancel()
	_, err = s.ReadLine(ctx)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	fmt.Println(s.CloseContext(context.Background()))
}

func TestStandardInputCancelled(t *testing.T) {
	child := testutil.Self(t, "hold")
	if rest, status := child.Rest(); rest != "true\n<nil>\n" || status != 0 {
		t.Errorf("%q, status %d", rest, status)
	}
}

// A file that several processes have open, of which another one reads too: the mode stays
// blocking for that one.
func TestSharedWithAProgram(t *testing.T) {
	testutil.Need(t, "head")
	r, w := blockingPipe(t)
	defer w.Close()
	s := fromFile(t, r)
	want(t, during(t, func(ctx context.Context) error { _, err := s.ReadLine(ctx); return err }), wait.ErrTaskCancelled)
	command := testutil.Command(t, "head", "-c", "6")
	command.Stdin = r
	var out bytes.Buffer
	command.Stdout = &out
	check(t, command.Start())
	_, err := w.WriteString("hello\n") // it waits for this: a non-blocking read would fail
	check(t, err)
	check(t, command.Wait())
	got(t, out.String(), nil, "hello\n", nil)
}

// The transport of a file by itself: who reads takes turns, and can be seen.
func TestFileTransport(t *testing.T) {
	for name, open := range pipes {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			r, w := open(t)
			defer w.Close()
			transport, err := fromFile(t, r).Detach()
			check(t, err)
			recv := func(ctx context.Context) error {
				n, err := transport.Recv(ctx, make([]byte, 10))
				return nothing(n, err)
			}
			first, joinFirst := in(t, recv)
			awaitIn(t, first, "READ_WAIT")
			if p, ok := first.Parked(); !ok || fmt.Sprint(p.Object) == "" {
				t.Errorf("%v", p)
			}
			second, joinSecond := in(t, recv)
			awaitIn(t, second, "READ_TURN")
			third, joinThird := in(t, recv)
			awaitIn(t, third, "READ_TURN")
			cancel(second)
			want(t, joinSecond(), wait.ErrTaskCancelled)
			dead := newTask(t)
			cancel(dead)
			want(t, recv(&dead.Scope), wait.ErrTaskCancelled)
			check(t, transport.Close())
			want(t, joinFirst(), net.ErrClosed)
			want(t, joinThird(), net.ErrClosed)
			want(t, recv(background), net.ErrClosed)
			want(t, transport.Close(), net.ErrClosed)
		})
	}
}
