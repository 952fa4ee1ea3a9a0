package curiotest_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
)

func TestNothingLeaks(t *testing.T) {
	both(t, func(t *testing.T) {
		w := observe(t, func(t testing.TB) {
			ctx := curiotest.NoLeaks(t)
			task := curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Millisecond) })
			curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) }, curio.Daemon())
			curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, 2*time.Millisecond) }) // ends by itself
			if _, err := task.Join(ctx); err != nil {
				t.Error(err)
			}
			if _, ok := curio.WhoCancelled(ctx.Err()); ok || ctx.Err() != nil {
				t.Error("the context has ended")
			}
		})
		w.passed(t)
	})
}

// The context lasts as long as the test's other cleanup.
func TestContextInCleanup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := observe(t, func(t testing.TB) {
			ctx := curiotest.NoLeaks(t)
			server := curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) })
			t.Cleanup(func() {
				if did, err := server.Cancel(ctx); !did || err != nil {
					t.Error(did, err)
				}
			})
		})
		w.passed(t)
	})
}

// leaks are things to leave behind, and what is said of it. undo is for afterwards.
var leaks = []struct {
	name  string
	leave func(ctx context.Context) (undo func(), err error)
	want  []string
}{
	{"task", func(ctx context.Context) (func(), error) {
		curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) }, curio.Name("sleeper"))
		return nil, nil
	}, []string{"a task is left running: task sleeper: TIME_SLEEP at ", "noleaks_test.go"}},

	{"task that cannot be cancelled", func(ctx context.Context) (func(), error) {
		release := make(chan struct{})
		curio.Go(ctx, func(context.Context) error {
			<-release
			return nil
		}, curio.Name("deaf"))
		return func() { close(release) }, nil
	}, []string{"a task is left running: task deaf: RUNNING at ", "do not end with the kernel"}},

	{"lock", func(ctx context.Context) (func(), error) {
		return nil, new(curio.Lock).Acquire(ctx)
	}, []string{"*curio.Lock", "left held", "taken by the test in curio.(*Lock).Acquire at ", "noleaks_test.go"}},

	{"lock that somebody else has given back before", func(ctx context.Context) (func(), error) {
		var l curio.Lock
		if err := l.Acquire(context.Background()); err != nil {
			return nil, err
		}
		l.Release(context.Background())
		return nil, l.Acquire(ctx)
	}, []string{"*curio.Lock", "left held"}},

	{"units", func(ctx context.Context) (func(), error) {
		return nil, curio.NewSemaphore(3).AcquireN(ctx, 2)
	}, []string{"*curio.Semaphore", "left held 2 times"}},

	{"goroutine", func(context.Context) (func(), error) {
		release := make(chan struct{})
		go func() { <-release }()
		return func() { close(release) }, nil
	}, []string{"a goroutine is left", "noleaks_test.go"}},

	{"goroutine of a task", func(ctx context.Context) (func(), error) {
		release := make(chan struct{})
		task := curio.Go(ctx, func(context.Context) error {
			go func() { <-release }()
			return nil
		})
		_, err := task.Join(ctx)
		return func() { close(release) }, err
	}, []string{"a goroutine is left", "noleaks_test.go"}},

	{"error", func(ctx context.Context) (func(), error) {
		return nil, curio.Go(ctx, func(context.Context) error { return errBoom }, curio.Name("failing")).Wait(ctx)
	}, []string{"task failed and no caller received its error", "failing", "boom"}},
}

func TestLeaks(t *testing.T) {
	for _, leak := range leaks {
		t.Run(leak.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var undo func()
				w := observe(t, func(t testing.TB) {
					var err error
					if undo, err = leak.leave(curiotest.NoLeaks(t)); err != nil {
						t.Error(err)
					}
				})
				w.has(t, append([]string{"the test leaves something behind"}, leak.want...)...)
				if undo != nil {
					undo()
				}
			})
		})
	}
}

// What is of the process is found without the context, and in no virtual time.
func TestLeaksOfTheProcess(t *testing.T) {
	if _, err := os.ReadDir("/proc/self/fd"); err != nil {
		t.Skipf("no /proc here: %v", err)
	}
	testutil.Need(t, "sleep")
	synctest.Test(t, func(t *testing.T) {
		var file *os.File
		child := testutil.Command(t, "sleep", "1000")
		w := observe(t, func(t testing.TB) {
			curiotest.NoLeaks(t)
			var err error
			file, err = os.Open(os.DevNull)
			if err := errors.Join(err, child.Start()); err != nil {
				t.Error(err)
			}
		})
		w.has(t, "a descriptor is left open", os.DevNull, "a child process is left", "(sleep)")
		file.Close()
		_ = child.Process.Kill()
		_ = child.Wait()
	})
}

// A test that has failed says why, and not what it has therefore left behind.
func TestLeaksOfAFailedTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := observe(t, func(t testing.TB) {
			ctx := curiotest.NoLeaks(t)
			curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) })
			t.Fatal("own complaint")
		})
		if len(w.failures) != 1 {
			t.Errorf("it says %q", w.failures)
		}
	})
}

// Each of several tests at the same time has its own leaks, and no other's.
func TestLeaksInParallel(t *testing.T) {
	ready, release := make(chan struct{}), make(chan struct{})
	t.Run("all", func(t *testing.T) {
		t.Run("leaks", func(t *testing.T) {
			t.Parallel()
			w := observe(t, func(t testing.TB) {
				curiotest.NoLeaks(t)
				go func() { <-release }()
				<-ready
			})
			w.has(t, "a goroutine is left", "TestLeaksInParallel")
		})
		t.Run("does not", func(t *testing.T) {
			t.Parallel()
			w := observe(t, func(t testing.TB) {
				curiotest.NoLeaks(t)
				close(ready)
			})
			w.passed(t)
		})
	})
	close(release)
}

// Descriptors are not compared when several tests have some.
func TestDescriptorsInParallel(t *testing.T) {
	opened, closed := make(chan *os.File), make(chan struct{})
	t.Run("all", func(t *testing.T) {
		t.Run("opens", func(t *testing.T) {
			t.Parallel()
			w := observe(t, func(t testing.TB) {
				curiotest.NoLeaks(t)
				f, err := os.Open(os.DevNull)
				if err != nil {
					t.Error(err)
				}
				opened <- f
				<-closed
			})
			w.passed(t)
		})
		t.Run("watches", func(t *testing.T) {
			t.Parallel()
			var f *os.File
			w := observe(t, func(t testing.TB) {
				curiotest.NoLeaks(t)
				f = <-opened
			})
			w.passed(t)
			if len(w.logs) != 1 {
				t.Errorf("it says %q", w.logs)
			}
			f.Close()
			close(closed)
		})
	})
}

func TestNoLeaksAndCancelEverywhere(t *testing.T) {
	w := observe(t, func(t testing.TB) {
		ctx := curiotest.NoLeaks(t)
		if err := curio.Sleep(ctx, time.Millisecond); err != nil {
			t.Error(err)
		}
		curiotest.CancelEverywhere(t, correct["sleep"])
	})
	w.passed(t)
	if len(w.logs) > 0 {
		t.Errorf("it says %q", w.logs)
	}
}
