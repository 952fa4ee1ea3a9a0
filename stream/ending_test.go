package stream_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/stream"
)

// An operation that waits. start makes a stream on which it does, and what shows
// afterwards that the stream still works.
type operation struct {
	name   string
	writes bool
	run    func(ctx context.Context, s *stream.Stream) error
}

// operations are all that can wait, but for Close. One that is added to the package comes
// here.
var operations = []operation{
	{"Read", false, func(ctx context.Context, s *stream.Stream) error {
		n, err := s.Read(ctx, make([]byte, 10))
		return nothing(n, err)
	}},
	{"Read large", false, func(ctx context.Context, s *stream.Stream) error {
		n, err := s.Read(ctx, make([]byte, 1<<16))
		return nothing(n, err)
	}},
	{"ReadFull", false, func(ctx context.Context, s *stream.Stream) error {
		n, err := s.ReadFull(ctx, make([]byte, 10))
		return nothing(n, err)
	}},
	{"ReadExactly", false, func(ctx context.Context, s *stream.Stream) error {
		p, err := s.ReadExactly(ctx, 10)
		return nothing(len(p), err)
	}},
	{"ReadAll", false, func(ctx context.Context, s *stream.Stream) error {
		p, err := s.ReadAll(ctx, 10)
		return nothing(len(p), err)
	}},
	{"ReadLine", false, func(ctx context.Context, s *stream.Stream) error {
		line, err := s.ReadLine(ctx)
		return nothing(len(line), err)
	}},
	{"ReadUntil", false, func(ctx context.Context, s *stream.Stream) error {
		p, err := s.ReadUntil(ctx, []byte("\r\n"))
		return nothing(len(p), err)
	}},
	{"SkipLine", false, func(ctx context.Context, s *stream.Stream) error {
		n, err := s.SkipLine(ctx)
		return nothing(int(n), err)
	}},
	{"Peek", false, func(ctx context.Context, s *stream.Stream) error {
		p, err := s.Peek(ctx, 10)
		return nothing(len(p), err)
	}},
	{"Discard", false, func(ctx context.Context, s *stream.Stream) error {
		n, err := s.Discard(ctx, 10)
		return nothing(int(n), err)
	}},
	{"ReadLines", false, func(ctx context.Context, s *stream.Stream) error {
		lines, err := s.ReadLines(ctx)
		return nothing(len(lines), err)
	}},
	{"Lines", false, func(ctx context.Context, s *stream.Stream) error {
		for line, err := range s.Lines(ctx) {
			return nothing(len(line), err)
		}
		return errors.New("it has ended")
	}},
	{"Reader", false, func(ctx context.Context, s *stream.Stream) error {
		n, err := s.Reader(ctx).Read(make([]byte, 10))
		return nothing(n, err)
	}},
	{"Write", true, func(ctx context.Context, s *stream.Stream) error {
		n, err := s.Write(ctx, make([]byte, 1<<20))
		return nothing(n, err)
	}},
	{"WriteString", true, func(ctx context.Context, s *stream.Stream) error {
		n, err := s.WriteString(ctx, string(make([]byte, 1<<20)))
		return nothing(n, err)
	}},
	{"WriteLines", true, func(ctx context.Context, s *stream.Stream) error {
		n, err := s.WriteLines(ctx, slices.Values([]string{string(make([]byte, 1<<20))}))
		return nothing(int(n), err)
	}},
	{"Writer", true, func(ctx context.Context, s *stream.Stream) error {
		n, err := s.Writer(ctx).Write(make([]byte, 1<<20))
		return nothing(n, err)
	}},
	{"Flush", true, func(ctx context.Context, s *stream.Stream) error {
		s.SetWriteBuffer(1)
		if _, err := s.WriteString(ctx, "x"); err != nil {
			return err
		}
		defer func() {
			s.SetWriteBuffer(0)
		}()
		return s.Flush(ctx)
	}},
	{"CloseWrite", true, func(ctx context.Context, s *stream.Stream) error {
		s.SetWriteBuffer(1)
		if _, err := s.WriteString(ctx, "x"); err != nil {
			return err
		}
		return s.CloseWrite(ctx)
	}},
}

func nothing(n int, err error) error {
	if n != 0 {
		return fmt.Errorf("%d, and %w", n, err)
	}
	return err
}

// An ending is a way to end an operation, and what the error is then and what not.
type ending struct {
	name  string
	end   func(t *testing.T, s *stream.Stream, run func(ctx context.Context) error) error
	is    []error
	isNot []error
}

var endings = []ending{
	{"cancelled before", func(t *testing.T, _ *stream.Stream, run func(context.Context) error) error {
		o := newTask(t)
		cancel(o)
		return run(&o.Scope)
	}, []error{wait.ErrTaskCancelled, wait.ErrCancelled, context.Canceled}, []error{context.DeadlineExceeded}},

	{"cancelled", func(t *testing.T, _ *stream.Stream, run func(context.Context) error) error {
		o, join := in(t, run)
		awaitParked(t, o)
		cancel(o)
		return join()
	}, []error{wait.ErrTaskCancelled, wait.ErrCancelled, context.Canceled}, []error{context.DeadlineExceeded}},

	{"cancelled in the queue", func(t *testing.T, _ *stream.Stream, run func(context.Context) error) error {
		first, joinFirst := in(t, run)
		awaitParked(t, first)
		second, joinSecond := in(t, run)
		awaitIn(t, second, "LOCK_ACQUIRE")
		cancel(second)
		err := joinSecond()
		cancel(first)
		return errors.Join(err, joinFirst())
	}, []error{wait.ErrTaskCancelled, wait.ErrCancelled, context.Canceled}, []error{context.DeadlineExceeded}},

	{"timeout", func(t *testing.T, _ *stream.Stream, run func(context.Context) error) error {
		s := wait.NewTimeout(&newTask(t).Scope, wait.After(time.Millisecond))
		defer s.Close()
		return run(s)
	}, []error{wait.ErrTaskTimeout, context.DeadlineExceeded, os.ErrDeadlineExceeded}, []error{context.Canceled}},

	{"outer timeout", func(t *testing.T, _ *stream.Stream, run func(context.Context) error) error {
		outer := wait.NewTimeout(&newTask(t).Scope, wait.After(time.Millisecond))
		defer outer.Close()
		inner := wait.NewTimeout(outer, wait.After(time.Hour))
		defer inner.Close()
		return run(inner)
	}, []error{wait.ErrTimeoutCancellation, context.DeadlineExceeded}, []error{wait.ErrTaskTimeout, os.ErrDeadlineExceeded}},

	{"foreign timeout", func(_ *testing.T, _ *stream.Stream, run func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(background, time.Millisecond)
		defer cancel()
		return run(ctx)
	}, []error{wait.ErrCancelled, context.DeadlineExceeded}, []error{context.Canceled}},

	{"foreign timeout in a task", func(t *testing.T, _ *stream.Stream, run func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(&newTask(t).Scope, time.Millisecond)
		defer cancel()
		return run(ctx)
	}, []error{wait.ErrCancelled, context.DeadlineExceeded}, []error{context.Canceled}},

	{"closed", func(t *testing.T, s *stream.Stream, run func(context.Context) error) error {
		first, joinFirst := in(t, run)
		awaitParked(t, first)
		second, joinSecond := in(t, run)
		awaitIn(t, second, "LOCK_ACQUIRE")
		dead := newTask(t)
		cancel(dead)
		want(t, s.CloseContext(&dead.Scope), wait.ErrTaskCancelled) // and does not wait to flush
		want(t, joinSecond(), net.ErrClosed)
		return joinFirst()
	}, []error{net.ErrClosed}, []error{wait.ErrCancelled}},

	{"closed before", func(t *testing.T, s *stream.Stream, run func(context.Context) error) error {
		check(t, s.CloseContext(background))
		return run(&newTask(t).Scope)
	}, []error{net.ErrClosed}, []error{wait.ErrCancelled}},
}

// grounds are what streams are made of: both are made to have nothing to read, and no room
// to write. works shows that the stream works, with the other side at the end of it.
var grounds = map[string]func(t *testing.T) (s *stream.Stream, filled func() int, peer *stream.Stream){
	"socket": func(t *testing.T) (*stream.Stream, func() int, *stream.Stream) {
		a, b, err := socket.SocketPair(socket.SOCK_STREAM)
		check(t, err)
		return closing(t, stream.New(a)), func() int { return fill(t, a) }, closing(t, stream.New(b))
	},
	"foreign": func(t *testing.T) (*stream.Stream, func() int, *stream.Stream) {
		a, b := net.Pipe()
		return closing(t, stream.FromConn(a)), func() int { return 0 }, closing(t, stream.FromConn(b))
	},
	"blocking pipe": func(t *testing.T) (*stream.Stream, func() int, *stream.Stream) {
		r, w := blockingPipe(t)
		return closing(t, fromFile(t, r)), nil, fromFile(t, w)
	},
}

// Every operation × every way to end it while it waits, and before: what it returns, that
// it has done nothing, and that the stream works as before.
func TestEndings(t *testing.T) {
	for ground, start := range grounds {
		for _, operation := range operations {
			if operation.writes && ground == "blocking pipe" {
				continue // this is its reading end; for the other one see TestPipeCancelled
			}
			for _, ending := range endings {
				t.Run(ground+"/"+operation.name+"/"+ending.name, func(t *testing.T) {
					s, filled, peer := start(t)
					n := 0
					if operation.writes {
						n = filled()
					}
					err := ending.end(t, s, func(ctx context.Context) error { return operation.run(ctx, s) })
					checkEnding(t, ending, err)
					if errors.Is(err, net.ErrClosed) {
						return
					}
					s.SetWriteBuffer(0)
					works(t, operation, s, peer, n)
				})
			}
		}
	}
}

func checkEnding(t *testing.T, ending ending, err error) {
	t.Helper()
	for _, target := range ending.is {
		if !errors.Is(err, target) {
			t.Errorf("%v is not %v", err, target)
		}
	}
	for _, target := range ending.isNot {
		if errors.Is(err, target) {
			t.Errorf("%v is %v", err, target)
		}
	}
	var wrapped *net.OpError
	var path *fs.PathError
	if !errors.As(err, &wrapped) && !errors.As(err, &path) {
		t.Errorf("%#v is not wrapped", err)
	}
}

// works checks that nothing has been lost, and nothing sent but the n bytes that have
// filled the system's buffer, and what Flush keeps.
func works(t *testing.T, operation operation, s, peer *stream.Stream, n int) {
	t.Helper()
	from, to := s, peer
	if !operation.writes {
		from, to = peer, s
	}
	_, join := in(t, func(ctx context.Context) error {
		if err := from.Flush(ctx); err != nil {
			return err
		}
		_, err := from.WriteString(ctx, "it works\n")
		return err
	})
	_, err := to.ReadExactly(background, n)
	check(t, err)
	line, err := to.ReadLine(background)
	check(t, err)
	check(t, join())
	for len(line) > 0 && line[0] == 'x' { // what was written and could not be flushed
		line = line[1:]
	}
	got(t, line, nil, "it works\n", nil)
}

// Close that has something to send, ended in every way, closes.
func TestCloseEndings(t *testing.T) {
	for _, ending := range endings {
		if ending.name == "closed" || ending.name == "closed before" || ending.name == "cancelled in the queue" {
			continue // a second Close does not wait, see TestCloseFlushes
		}
		t.Run(ending.name, func(t *testing.T) {
			a, b, err := socket.SocketPair(socket.SOCK_STREAM)
			check(t, err)
			defer b.Close()
			s := stream.New(a)
			fill(t, a)
			s.SetWriteBuffer(10)
			_, err = s.WriteString(background, "too late")
			check(t, err)
			checkEnding(t, ending, ending.end(t, s, s.CloseContext))
			want(t, s.CloseContext(background), net.ErrClosed)
			if a.FD() >= 0 {
				t.Error("the socket is open")
			}
		})
	}
}

// Of who waits one can see what for.
func TestWaitsAreSeen(t *testing.T) {
	testutil.NoLeaks(t)
	s, _ := pair(t)
	o, join := in(t, func(ctx context.Context) error { _, err := s.ReadLine(ctx); return err })
	awaitIn(t, o, "READ_WAIT")
	second, joinSecond := in(t, func(ctx context.Context) error { _, err := s.ReadLine(ctx); return err })
	awaitIn(t, second, "LOCK_ACQUIRE")
	cancel(o)
	want(t, join(), wait.ErrTaskCancelled)
	awaitIn(t, second, "READ_WAIT")
	cancel(second)
	want(t, joinSecond(), wait.ErrTaskCancelled)
}
