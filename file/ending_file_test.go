package file_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

// A blocking call, about a file that is held up. One that is added to the package comes here.
var blockingCalls = []struct {
	name    string
	changes bool // it may have taken effect
	run     func(ctx context.Context, s *subject) error
}{
	{"Read", false, func(ctx context.Context, s *subject) error { return errOf(s.f.Read(ctx, make([]byte, 3))) }},
	{"ReadAt", false, func(ctx context.Context, s *subject) error { return errOf(s.f.ReadAt(ctx, make([]byte, 3), 0)) }},
	{"ReadAll", false, func(ctx context.Context, s *subject) error { return errOf(s.f.ReadAll(ctx, 99)) }},
	{"ReadLine", false, func(ctx context.Context, s *subject) error { return errOf(s.f.ReadLine(ctx)) }},
	{"Lines", false, func(ctx context.Context, s *subject) error {
		for _, err := range s.f.Lines(ctx) {
			return err
		}
		return errors.New("no lines")
	}},
	{"Reader", false, func(ctx context.Context, s *subject) error { return errOf(s.f.Reader(ctx).Read(make([]byte, 3))) }},
	{"Write", true, func(ctx context.Context, s *subject) error { return errOf(s.f.Write(ctx, []byte("x"))) }},
	{"WriteString", true, func(ctx context.Context, s *subject) error { return errOf(s.f.WriteString(ctx, "x")) }},
	{"WriteAt", true, func(ctx context.Context, s *subject) error { return errOf(s.f.WriteAt(ctx, []byte("x"), 0)) }},
	{"Writer", true, func(ctx context.Context, s *subject) error { return errOf(s.f.Writer(ctx).Write([]byte("x"))) }},
	{"Seek", false, func(ctx context.Context, s *subject) error { return errOf(s.f.Seek(ctx, 0, 2)) }},
	{"Stat", false, func(ctx context.Context, s *subject) error { return errOf(s.f.Stat(ctx)) }},
	{"Truncate", true, func(ctx context.Context, s *subject) error { return s.f.Truncate(ctx, 3) }},
	{"Chmod", true, func(ctx context.Context, s *subject) error { return s.f.Chmod(ctx, 0o600) }},
	{"Sync", true, func(ctx context.Context, s *subject) error { return s.f.Sync(ctx) }},
	{"ReadDir", false, func(ctx context.Context, s *subject) error { return errOf(s.dir.ReadDir(ctx, 1)) }},
	{"Open", false, func(ctx context.Context, s *subject) error { return errOf(file.Open(ctx, s.link)) }},
	{"Create", true, func(ctx context.Context, s *subject) error { return errOf(file.Create(ctx, s.link)) }},
	{"ReadFile", false, func(ctx context.Context, s *subject) error { return errOf(file.ReadFile(ctx, s.link)) }},
	{"Stat by path", false, func(ctx context.Context, s *subject) error { return errOf(file.Stat(ctx, s.link)) }},
	{"Lstat", false, func(ctx context.Context, s *subject) error { return errOf(file.Lstat(ctx, s.link)) }},
	{"OpenRoot", false, func(ctx context.Context, s *subject) error { return errOf(file.OpenRoot(ctx, s.tree)) }},
	{"Root.Open", false, func(ctx context.Context, s *subject) error { return errOf(s.root.Open(ctx, "data")) }},
	{"Root.Stat", false, func(ctx context.Context, s *subject) error { return errOf(s.root.Stat(ctx, "data")) }},
	{"Root.Chmod", true, func(ctx context.Context, s *subject) error { return s.root.Chmod(ctx, "data", 0o644) }},
}

// A subject is what a blocking call is made with: files of one folder, all calls about which are held
// up.
type subject struct {
	f, dir     *file.File
	root       *file.Root
	link, tree string
	blockade   *blockade
}

func newSubject(t *testing.T) *subject {
	f := newFile(t, poem)
	file.Forget(f)
	tree := f.Name()[:len(f.Name())-len("/data")]
	s := &subject{f: f, link: f.Name() + "link", tree: tree}
	check(t, os.Symlink(f.Name(), s.link))
	var err error
	s.dir, err = file.Open(background, tree)
	check(t, err)
	t.Cleanup(func() { _ = s.dir.CloseContext(background) })
	s.root, err = file.OpenRoot(background, tree)
	check(t, err)
	t.Cleanup(func() { _ = s.root.Close() })
	s.blockade = newBlockade(t, f.Name(), s.link, tree)
	return s
}

// Every blocking call × every way to end it: which error it is and which not, that it names the file,
// and that the file works after that.
func TestEndings(t *testing.T) {
	testutil.NoLeaks(t)
	for _, c := range blockingCalls {
		for _, e := range callEndings {
			t.Run(c.name+"/"+e.name, func(t *testing.T) {
				s := newSubject(t)
				err := e.end(t, s.begun, func(ctx context.Context) error { return c.run(ctx, s) })
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
				s.blockade.release()
				settled(t)
				check(t, s.f.Truncate(background, 0))
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
	end       func(t *testing.T, begun func() bool, run func(ctx context.Context) error) error
	is, isNot []error
}

// timed runs a call with a context that ends after a while: if that was before the call had begun,
// again for longer.
func timed(t *testing.T, begun func() bool, call func(d time.Duration) error) (err error) {
	for d := 2 * time.Millisecond; ; d *= 2 {
		err = call(d)
		if begun() {
			return err
		}
		if d > time.Minute {
			t.Fatal("it never begins")
		}
	}
}

// begun reports whether a call has been given up that had begun: the blockade holds it up, so that it
// can be seen.
func (s *subject) begun() bool {
	return slices.ContainsFunc(file.Calls(), func(c file.Call) bool { return c.Abandoned })
}

var callEndings = []callEnding{
	{"cancelled before", false, func(t *testing.T, _ func() bool, run func(context.Context) error) error {
		ctx, cancel := context.WithCancel(background)
		cancel()
		return run(ctx)
	}, []error{context.Canceled}, []error{context.DeadlineExceeded}},

	{"cancelled", true, func(t *testing.T, begun func() bool, run func(context.Context) error) error {
		return timed(t, begun, func(d time.Duration) (err error) {
			inKernel(t, func(ctx context.Context) error {
				task := curio.Go(ctx, func(ctx context.Context) error { err = run(ctx); return nil })
				_ = curio.TimeoutAfter(ctx, d, func(ctx context.Context) error { return task.Wait(ctx) })
				task.CancelNow()
				_, _ = task.Join(ctx)
				return nil
			})
			return err
		})
	}, []error{curio.ErrTaskCancelled, context.Canceled}, []error{context.DeadlineExceeded}},

	{"timeout", true, func(t *testing.T, begun func() bool, run func(context.Context) error) error {
		return timed(t, begun, func(d time.Duration) (err error) {
			inKernel(t, func(ctx context.Context) error {
				_ = curio.TimeoutAfter(ctx, d, func(ctx context.Context) error { err = run(ctx); return err })
				return nil
			})
			return err
		})
	}, []error{curio.ErrTaskTimeout, context.DeadlineExceeded}, []error{context.Canceled}},

	{"outer timeout", true, func(t *testing.T, begun func() bool, run func(context.Context) error) error {
		return timed(t, begun, func(d time.Duration) (err error) {
			inKernel(t, func(ctx context.Context) error {
				_ = curio.TimeoutAfter(ctx, d, func(ctx context.Context) error {
					return curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error { err = run(ctx); return err })
				})
				return nil
			})
			return err
		})
	}, []error{curio.ErrTimeoutCancellation, context.DeadlineExceeded}, []error{curio.ErrTaskTimeout}},

	{"foreign timeout", true, func(t *testing.T, begun func() bool, run func(context.Context) error) error {
		return timed(t, begun, func(d time.Duration) error {
			ctx, cancel := context.WithTimeout(background, d)
			defer cancel()
			return run(ctx)
		})
	}, []error{context.DeadlineExceeded}, []error{context.Canceled}},

	{"a context of another type", true, func(t *testing.T, begun func() bool, run func(context.Context) error) error {
		return timed(t, begun, func(d time.Duration) error {
			ctx, cancel := context.WithTimeout(background, d)
			defer cancel()
			h := testutil.NewHostile()
			h.Context = ctx
			return run(h)
		})
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
		check(t, err)
		err = e.end(t, func() bool { return true }, func(ctx context.Context) error {
			return errOf(f.Read(ctx, make([]byte, 1)))
		})
		is(t, e.name, err, e.is...)
		isNot(t, e.name, err, e.isNot...)
		_, err = f.WriteString(background, "x")
		check(t, err)
		if n, err := f.Read(background, make([]byte, 2)); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		check(t, f.Close())
	}
}
