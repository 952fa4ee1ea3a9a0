package file_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

// A blocking call, about a file that is held up. One that is added to the package comes here.
var blockingCalls = []struct {
	name    string
	op      string // of the worker
	changes bool   // it may have taken effect
	run     func(ctx context.Context, s *subject) error
}{
	{"Read", "read", false, func(ctx context.Context, s *subject) error { return second(s.f.Read(ctx, make([]byte, 3))) }},
	{"ReadAt", "read", false, func(ctx context.Context, s *subject) error { return second(s.f.ReadAt(ctx, make([]byte, 3), 0)) }},
	{"ReadAll", "read", false, func(ctx context.Context, s *subject) error { return second(s.f.ReadAll(ctx, 99)) }},
	{"ReadLine", "read", false, func(ctx context.Context, s *subject) error { return second(s.f.ReadLine(ctx)) }},
	{"Lines", "read", false, func(ctx context.Context, s *subject) error {
		for _, err := range s.f.Lines(ctx) {
			return err
		}
		return errors.New("no lines")
	}},
	{"Reader", "read", false, func(ctx context.Context, s *subject) error { return second(s.f.Reader(ctx).Read(make([]byte, 3))) }},
	{"Write", "write", true, func(ctx context.Context, s *subject) error { return second(s.f.Write(ctx, []byte("x"))) }},
	{"WriteString", "write", true, func(ctx context.Context, s *subject) error { return second(s.f.WriteString(ctx, "x")) }},
	{"WriteAt", "write", true, func(ctx context.Context, s *subject) error { return second(s.f.WriteAt(ctx, []byte("x"), 0)) }},
	{"Writer", "write", true, func(ctx context.Context, s *subject) error { return second(s.f.Writer(ctx).Write([]byte("x"))) }},
	{"Seek", "seek", false, func(ctx context.Context, s *subject) error { return second(s.f.Seek(ctx, 0, 2)) }},
	{"Stat", "stat", false, func(ctx context.Context, s *subject) error { return second(s.f.Stat(ctx)) }},
	{"Truncate", "truncate", true, func(ctx context.Context, s *subject) error { return s.f.Truncate(ctx, 3) }},
	{"Chmod", "chmod", true, func(ctx context.Context, s *subject) error { return s.f.Chmod(ctx, 0o600) }},
	{"Sync", "sync", true, func(ctx context.Context, s *subject) error { return s.f.Sync(ctx) }},
	{"ReadDir", "readdir", false, func(ctx context.Context, s *subject) error { return second(s.dir.ReadDir(ctx, 1)) }},
	{"Open", "open", false, func(ctx context.Context, s *subject) error { return second(file.Open(ctx, s.link)) }},
	{"Create", "open", true, func(ctx context.Context, s *subject) error { return second(file.Create(ctx, s.link)) }},
	{"ReadFile", "read", false, func(ctx context.Context, s *subject) error { return second(file.ReadFile(ctx, s.link)) }},
	{"Stat by path", "stat", false, func(ctx context.Context, s *subject) error { return second(file.Stat(ctx, s.link)) }},
	{"Lstat", "lstat", false, func(ctx context.Context, s *subject) error { return second(file.Lstat(ctx, s.link)) }},
	{"OpenRoot", "open", false, func(ctx context.Context, s *subject) error { return second(file.OpenRoot(ctx, s.tree)) }},
	{"Root.Open", "open", false, func(ctx context.Context, s *subject) error { return second(s.root.Open(ctx, "data")) }},
	{"Root.Stat", "stat", false, func(ctx context.Context, s *subject) error { return second(s.root.Stat(ctx, "data")) }},
	{"Root.Chmod", "chmod", true, func(ctx context.Context, s *subject) error { return s.root.Chmod(ctx, "data", 0o644) }},
}

// A subject is what a blocking call is made with: files of one folder, all calls about which are held up.
type subject struct {
	f, dir     *file.File
	root       *file.Root
	link, tree string
	dam        *dam
}

func newSubject(t *testing.T) *subject {
	f := newFile(t, poem)
	file.Forget(f)
	tree := f.Name()[:len(f.Name())-len("/data")]
	s := &subject{f: f, link: f.Name() + "link", tree: tree}
	isNil(t, os.Symlink(f.Name(), s.link))
	var err error
	s.dir, err = file.Open(background, tree)
	isNil(t, err)
	t.Cleanup(func() { _ = s.dir.CloseContext(background) })
	s.root, err = file.OpenRoot(background, tree)
	isNil(t, err)
	t.Cleanup(func() { _ = s.root.Close() })
	s.dam = newDam(t, f.Name(), s.link, tree)
	return s
}

// Every blocking call × every way to end it: which error it is and which not, that it names the file, and that the file works
// after that.
func TestEndings(t *testing.T) {
	testutil.NoLeaks(t)
	for _, c := range blockingCalls {
		for _, e := range callEndings {
			t.Run(c.name+"/"+e.name, func(t *testing.T) {
				s := newSubject(t)
				err := e.end(t, s, c.op, func(ctx context.Context) error { return c.run(ctx, s) })
				is(t, "the error", err, e.is...)
				isNot(t, "the error", err, e.isNot...)
				if c.changes && e.begun {
					is(t, "the error", err, file.ErrOutcomeUnknown)
				} else {
					isNot(t, "the error", err, file.ErrOutcomeUnknown)
				}
				var path *fs.PathError
				if !errors.As(err, &path) || path.Path == "" || path.Op == "" {
					t.Errorf("%#v does not say what it was about", err)
				}
				s.dam.release()
				settled(t)
				isNil(t, s.f.Truncate(background, 0))
				if _, err := s.f.WriteAt(background, []byte("it works"), 0); err != nil {
					t.Error(err)
				}
				if got := contents(t, s.f); got != "it works" {
					t.Errorf("%q", got)
				}
			})
		}
	}
}

type callEnding struct {
	name      string
	begun     bool // the system was at it
	end       func(t *testing.T, s *subject, op string, run func(ctx context.Context) error) error
	is, isNot []error
}

// within runs a call in a task below a scope that with makes, until that ends it.
func within(t *testing.T, s *subject, op string, with func(ctx context.Context, fn func(ctx context.Context) error) error, run func(ctx context.Context) error) (err error) {
	inKernel(t, func(ctx context.Context) error {
		_ = with(ctx, func(ctx context.Context) error {
			err = run(ctx)
			return nil
		})
		return nil
	})
	if op != "" {
		s.dam.await(op)
	}
	return err
}

var callEndings = []callEnding{
	{"cancelled before", false, func(t *testing.T, _ *subject, _ string, run func(context.Context) error) error {
		ctx, cancel := context.WithCancel(background)
		cancel()
		return run(ctx)
	}, []error{context.Canceled}, []error{context.DeadlineExceeded}},

	{"cancelled", true, func(t *testing.T, s *subject, op string, run func(context.Context) error) (err error) {
		inKernel(t, func(ctx context.Context) error {
			task := curio.Go(ctx, func(ctx context.Context) error { err = run(ctx); return nil })
			s.dam.await(op)
			task.CancelNow()
			_, _ = task.Join(ctx)
			return nil
		})
		return err
	}, []error{curio.ErrTaskCancelled, context.Canceled}, []error{context.DeadlineExceeded}},

	{"timeout", true, func(t *testing.T, s *subject, op string, run func(context.Context) error) error {
		return within(t, s, op, func(ctx context.Context, fn func(context.Context) error) error {
			return curio.TimeoutAfter(ctx, 5*time.Millisecond, fn)
		}, run)
	}, []error{curio.ErrTaskTimeout, context.DeadlineExceeded}, []error{context.Canceled}},

	{"outer timeout", true, func(t *testing.T, s *subject, op string, run func(context.Context) error) error {
		return within(t, s, op, func(ctx context.Context, fn func(context.Context) error) error {
			return curio.TimeoutAfter(ctx, 5*time.Millisecond, func(ctx context.Context) error {
				return curio.TimeoutAfter(ctx, time.Hour, fn)
			})
		}, run)
	}, []error{curio.ErrTimeoutCancellation, context.DeadlineExceeded}, []error{curio.ErrTaskTimeout}},

	{"foreign timeout", true, func(t *testing.T, s *subject, op string, run func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(background, 5*time.Millisecond)
		defer cancel()
		err := run(ctx)
		s.dam.await(op)
		return err
	}, []error{context.DeadlineExceeded}, []error{context.Canceled}},

	{"a context of another type", true, func(t *testing.T, s *subject, op string, run func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(background, 5*time.Millisecond)
		defer cancel()
		h := testutil.NewHostile()
		h.Context = ctx
		err := run(h)
		s.dam.await(op)
		return err
	}, []error{context.DeadlineExceeded}, []error{context.Canceled}},
}

// The same for what the poller waits for.
func TestFIFOEndings(t *testing.T) {
	testutil.NoLeaks(t)
	for _, e := range callEndings {
		if !e.begun {
			continue
		}
		f, err := file.OpenFile(background, newFIFO(t), os.O_RDWR, 0)
		isNil(t, err)
		s := &subject{f: f, dam: &dam{t: t, held: make(chan string, 1)}}
		waits := func(ctx context.Context) error {
			s.dam.held <- "read"
			return second(f.Read(ctx, make([]byte, 1)))
		}
		err = e.end(t, s, "read", waits)
		is(t, e.name, err, e.is...)
		isNot(t, e.name, err, e.isNot...)
		_, err = f.WriteString(background, "x")
		isNil(t, err)
		if n, err := f.Read(background, make([]byte, 2)); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		isNil(t, f.Close())
	}
}
