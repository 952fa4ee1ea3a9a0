package file_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

// An operation is a call that can wait, and the system call in which it is held up. One that is added to
// the package comes here.
type operation struct {
	name, call string
	unknown    bool // its outcome is unknown if it is cut short
	run        func(ctx context.Context, dir string) error
}

var changes = []operation{
	{"Rename", "rename", true, func(ctx context.Context, dir string) error { return file.Rename(ctx, in(dir, "f"), in(dir, "g")) }},
	{"Link", "link", true, func(ctx context.Context, dir string) error { return file.Link(ctx, in(dir, "f"), in(dir, "g")) }},
	{"Symlink", "symlink", true, func(ctx context.Context, dir string) error { return file.Symlink(ctx, "f", in(dir, "g")) }},
	{"Readlink", "readlink", false, func(ctx context.Context, dir string) error { return second(file.Readlink(ctx, in(dir, "f"))) }},
	{"Remove", "remove", true, func(ctx context.Context, dir string) error { return file.Remove(ctx, in(dir, "f")) }},
	{"RemoveAll", "removeall", true, func(ctx context.Context, dir string) error { return file.RemoveAll(ctx, in(dir, "d")) }},
	{"Mkdir", "mkdir", true, func(ctx context.Context, dir string) error { return file.Mkdir(ctx, in(dir, "e"), 0o777) }},
	{"MkdirAll", "mkdir", true, func(ctx context.Context, dir string) error { return file.MkdirAll(ctx, in(dir, "e/e"), 0o777) }},
	{"Chmod", "chmod", true, func(ctx context.Context, dir string) error { return file.Chmod(ctx, in(dir, "f"), 0o600) }},
	{"Chtimes", "chtimes", true, func(ctx context.Context, dir string) error {
		return file.Chtimes(ctx, in(dir, "f"), time.Time{}, time.Time{})
	}},
	{"Truncate", "truncate", true, func(ctx context.Context, dir string) error { return file.Truncate(ctx, in(dir, "f"), 1) }},
	{"ReadDir", "readdir", false, func(ctx context.Context, dir string) error { return second(file.ReadDir(ctx, dir)) }},
	{"WriteFile", "write", true, func(ctx context.Context, dir string) error {
		return file.WriteFile(ctx, in(dir, "f"), []byte("x"), 0o666)
	}},
	{"WriteFileAtomic", "sync", false, func(ctx context.Context, dir string) error {
		return file.WriteFileAtomic(ctx, in(dir, "f"), []byte("x"), 0o666)
	}},
	{"WriteAtomic", "write", false, func(ctx context.Context, dir string) error {
		return file.WriteAtomic(ctx, in(dir, "f"), 0o666, func(_ context.Context, w io.Writer) error {
			_, err := w.Write(make([]byte, 1<<20))
			return err
		})
	}},
	{"Copy", "read", false, func(ctx context.Context, dir string) error { return second(file.Copy(ctx, in(dir, "g"), in(dir, "f"))) }},
	{"MkdirTemp", "mkdirtemp", false, func(ctx context.Context, dir string) error { return second(file.MkdirTemp(ctx, dir, "x")) }},
	{"WithTempDir", "mkdirtemp", false, func(ctx context.Context, dir string) error {
		return file.WithTempDir(ctx, dir, "x", func(context.Context, string) error { return nil })
	}},
	{"Walk", "opendir", false, func(ctx context.Context, dir string) error {
		for _, err := range file.Walk(ctx, dir) {
			if err != nil {
				return err
			}
		}
		return nil
	}},
	{"Entry.Info", "lstat", false, func(ctx context.Context, dir string) error {
		for e, err := range file.Walk(ctx, dir) {
			if err != nil {
				return err
			}
			return second(e.Info(ctx))
		}
		return nil
	}},
	{"Lock.Acquire", "flock", false, func(ctx context.Context, dir string) error { return file.NewLock(in(dir, "f")).Acquire(ctx) }},
	{"Lock.AcquireRead", "open", false, func(ctx context.Context, dir string) error { return file.NewLock(in(dir, "f")).AcquireRead(ctx) }},
	{"Lock.TryAcquire", "stat", false, func(ctx context.Context, dir string) error { return second(file.NewLock(in(dir, "f")).TryAcquire(ctx)) }},
	{"Lock.TryAcquireRead", "flock", false, func(ctx context.Context, dir string) error {
		return second(file.NewLock(in(dir, "f")).TryAcquireRead(ctx))
	}},
	{"Lock.Do", "flock", false, func(ctx context.Context, dir string) error {
		return file.NewLock(in(dir, "f")).Do(ctx, func(context.Context) error { return nil })
	}},
}

// Every operation × every way to end it while it waits in the system, and before.
func TestEndingsOfChanges(t *testing.T) {
	type ending struct {
		name      string
		end       func(s *stall, run func(ctx context.Context) error) error
		is, isNot []error
	}
	endings := []ending{
		{"cancelled before", func(_ *stall, run func(context.Context) error) error {
			return inTask(func(ctx context.Context, task *curio.Task[struct{}]) error {
				task.CancelNow()
				return run(ctx)
			})
		}, []error{curio.ErrTaskCancelled, context.Canceled}, []error{file.ErrOutcomeUnknown, context.DeadlineExceeded}},
		{"cancelled", func(s *stall, run func(context.Context) error) error {
			return inTask(func(ctx context.Context, task *curio.Task[struct{}]) error {
				go func() {
					<-s.reached
					task.CancelNow()
				}()
				return run(ctx)
			})
		}, []error{curio.ErrTaskCancelled, context.Canceled}, []error{context.DeadlineExceeded}},
		{"timeout", func(_ *stall, run func(context.Context) error) (err error) {
			return inTask(func(ctx context.Context, _ *curio.Task[struct{}]) error {
				_ = curio.TimeoutAfter(ctx, time.Millisecond, func(ctx context.Context) error { err = run(ctx); return err })
				return err
			})
		}, []error{curio.ErrTaskTimeout, context.DeadlineExceeded, os.ErrDeadlineExceeded}, []error{context.Canceled}},
		{"outer timeout", func(_ *stall, run func(context.Context) error) (err error) {
			_ = curio.TimeoutAfter(background, time.Millisecond, func(ctx context.Context) error {
				return curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error { err = run(ctx); return err })
			})
			return err
		}, []error{curio.ErrTimeoutCancellation, context.DeadlineExceeded}, []error{curio.ErrTaskTimeout}},
		{"foreign timeout", func(_ *stall, run func(context.Context) error) error {
			ctx, cancel := context.WithTimeout(background, time.Millisecond)
			defer cancel()
			return run(ctx)
		}, []error{context.DeadlineExceeded}, []error{context.Canceled}},
	}
	for _, o := range changes {
		for _, e := range endings {
			t.Run(o.name+"/"+e.name, func(t *testing.T) {
				testutil.NoLeaks(t)
				dir := memory(t)
				write(t, in(dir, "f"), "0123456789")
				check(t, os.MkdirAll(in(dir, "d/d"), 0o777))
				s := stalled(t, o.call)
				if o.name == "Readlink" {
					check(t, os.Remove(in(dir, "f")))
					check(t, os.Symlink("x", in(dir, "f")))
				}
				err := e.end(s, func(ctx context.Context) error { return o.run(ctx, dir) })
				want(t, err, e.is...)
				for _, not := range e.isNot {
					if errors.Is(err, not) {
						t.Errorf("%v is %v", err, not)
					}
				}
				var path *fs.PathError
				var link *os.LinkError
				if !errors.As(err, &path) && !errors.As(err, &link) {
					t.Errorf("%#v does not say what it is about", err)
				}
				begun := false
				select {
				case <-s.reached:
					begun = true
				default:
				}
				if unknown := errors.Is(err, file.ErrOutcomeUnknown); unknown && !o.unknown || begun && o.unknown && !unknown {
					t.Errorf("%v: is the outcome unknown?", err)
				}
				s.goOn()
				workersEnd(t)
				if n := file.Inodes(); n != 0 {
					t.Errorf("%d locked files are remembered", n)
				}
			})
		}
	}
}

// inTask runs f in a task of its own, which does not fail with f's error, and returns that.
func inTask(f func(ctx context.Context, task *curio.Task[struct{}]) error) (err error) {
	made := make(chan *curio.Task[struct{}], 1)
	task := curio.Go(background, func(ctx context.Context) error {
		err = f(ctx, <-made)
		return nil
	})
	made <- task
	_ = task.Wait(background)
	return err
}

// Programs that do everything by name, cancelled at each of their waits.

func TestEverywhereChanges(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		return file.WithTempDir(ctx, memory(t), "x", func(ctx context.Context, dir string) error {
			for _, change := range []func() error{
				func() error { return file.MkdirAll(ctx, in(dir, "a/b"), 0o777) },
				func() error { return file.WriteFile(ctx, in(dir, "a/f"), []byte("text"), 0o666) },
				func() error { return file.WriteFileAtomic(ctx, in(dir, "a/f"), []byte("new text"), 0o666) },
				func() error {
					return file.WriteAtomic(ctx, in(dir, "a/b/g"), 0o666, func(_ context.Context, w io.Writer) error {
						_, err := w.Write(make([]byte, 600<<10))
						return err
					})
				},
				func() error { return second(file.Copy(ctx, in(dir, "h"), in(dir, "a/b/g"))) },
				func() error { return file.Symlink(ctx, "h", in(dir, "link")) },
				func() error { return file.Rename(ctx, in(dir, "h"), in(dir, "i")) },
				func() error { return second(file.ReadDir(ctx, dir)) },
				func() error {
					for e, err := range file.Walk(ctx, dir) {
						if err != nil {
							return err
						}
						if _, err := e.Info(ctx); err != nil {
							return err
						}
					}
					return nil
				},
				func() error { return file.RemoveAll(ctx, in(dir, "a")) },
			} {
				if err := change(); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// Three tasks and a lock.
func TestEverywhereLock(t *testing.T) {
	dir := memory(t)
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		return curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[struct{}]) error {
			for i := range 3 {
				g.Go(func(ctx context.Context) error {
					l := file.NewLock(in(dir, "lock"))
					do := l.Do
					if i > 0 {
						do = l.DoRead
					}
					return do(ctx, func(ctx context.Context) error { return file.WriteFile(ctx, in(dir, "f"), nil, 0o666) })
				})
			}
			return nil
		})
	})
}
