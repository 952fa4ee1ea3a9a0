package curio_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// holdings lists what a goroutine of no task can be inside of so that the kernel waits for
// it.
var holdings = []struct {
	kind string
	in   func(ctx context.Context, fn func(context.Context) error) error
}{
	{"shield", curio.DisableCancellation},
	{"timeout", func(ctx context.Context, fn func(context.Context) error) error {
		time.Sleep(time.Second) // the task has ended by now; an earlier timeout would be forgotten
		return curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.TimeoutAfter(ctx, time.Hour, fn) })
	}},
	{"timeout", func(ctx context.Context, fn func(context.Context) error) error {
		time.Sleep(time.Second)
		return curio.DisableCancellation(ctx, func(ctx context.Context) error {
			ctx, cancel := curio.WithTimeout(ctx, time.Hour)
			defer cancel()
			return fn(ctx)
		})
	}},
	{"group", func(ctx context.Context, fn func(context.Context) error) error {
		return curio.Group(ctx, func(ctx context.Context, _ *curio.TaskGroup[int]) error { return fn(ctx) })
	}},
	{"window in a shield", func(ctx context.Context, fn func(context.Context) error) error {
		return curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.EnableCancellation(ctx, fn) })
	}},
}

// A shutdown names what it waits for, even if that is not a task.
func TestShutdownNamesGoroutinesOfNoTask(t *testing.T) {
	for i, h := range holdings {
		for _, sleeps := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d=%s/sleeps=%v", i, h.kind, sleeps), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					log := new(testutil.Journal)
					k := curio.NewKernel(curio.Logger(slog.New(log)))
					block, place := make(chan struct{}), ""
					hang := func(ctx context.Context) error {
						if sleeps {
							place = fixture.Here(1)
							return curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) })
						}
						place = fixture.Here(1)
						<-block
						return nil
					}
					ended := make(chan struct{})
					_ = k.Run(t.Context(), func(ctx context.Context) error {
						_ = curio.Go(ctx, func(ctx context.Context) error {
							go func() { defer close(ended); _ = h.in(ctx, hang) }()
							synctest.Wait()
							return nil
						}, curio.Name("parent")).Wait(ctx)
						time.Sleep(time.Second)
						synctest.Wait()
						return nil
					})
					err := curio.TimeoutAfter(t.Context(), 6*time.Second, k.Shutdown)
					var s *curio.ShutdownError
					if !errors.As(err, &s) || len(s.Tasks) != 1 {
						t.Fatalf("got %v, want a ShutdownError with one line", err)
					}
					kind, state := h.kind, "RUNNING"
					if sleeps {
						kind, state = "shield", "TIME_SLEEP"
					}
					want := "a goroutine of task parent, which has ended, in a " + kind + ": " + state + " at " + place
					if s.Tasks[0] != want {
						t.Errorf("it says\n%s\nwant\n%s", s.Tasks[0], want)
					}
					if !strings.Contains(err.Error(), want) {
						t.Errorf("the text has no such line: %v", err)
					}
					complaints := log.Take(fixture.MsgStubborn)
					if len(complaints) != 1 || fmt.Sprint(complaints[0].Attrs["tasks"]) != "["+want+"]" {
						t.Errorf("complaints: %v", complaints)
					}
					close(block)
					<-ended
					if err := k.Shutdown(t.Context()); err != nil {
						t.Error(err)
					}
					log.Take(fixture.MsgStubborn)
				})
			})
		}
	}
}

// For a long chain, a shutdown names the first and the last tasks, and says how many more
// there are, within its time.
func TestShutdownOfAChainThatDoesNotReact(t *testing.T) {
	const n = 3000
	k := curio.NewKernel(fixture.Discard)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = k.Run(context.Background(), func(inner context.Context) error {
		fixture.Loose(inner, n, func(context.Context) {
			start := time.Now()
			err := k.Shutdown(ctx)
			if d := time.Since(start); d > 5*time.Second { // most of it other programs
				t.Errorf("it took %v", d)
			}
			var s *curio.ShutdownError
			if !errors.As(err, &s) || len(s.Tasks) != 51 {
				t.Errorf("got %v", err)
				return
			}
			if s.Tasks[50] != fmt.Sprintf("and %d more, of which the first and the last are listed here", n+1-50) {
				t.Errorf("in the end it says %q", s.Tasks[50])
			}
			if want := fmt.Sprintf("gave up on %d tasks", n+1); !strings.Contains(err.Error(), want) {
				t.Errorf("%q is missing in its text", want)
			}
			first, last := s.Tasks[1], s.Tasks[49]
			if !strings.Contains(first, "/x: RUNNING at ") || !strings.HasPrefix(last, "…/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x: RUNNING at ") {
				t.Errorf("it begins %q and ends %q", first, last)
			}
		})
		return nil
	})
	if err := k.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

// A chain of tasks may be deeper than any stack.
func TestTasksOfADeepChain(t *testing.T) {
	k := curio.NewKernel(fixture.Discard)
	const n = 20_000
	_ = k.Run(context.Background(), func(ctx context.Context) error {
		fixture.Loose(ctx, n, func(ctx context.Context) {
			if got := len(k.Tasks()); got != n+1 {
				t.Errorf("there are %d tasks, want %d", got, n+1)
			}
			if path := curio.CurrentTask(ctx).Path(); strings.Count(path, "/x") != n {
				t.Errorf("the path has %d names", strings.Count(path, "/x"))
			}
		})
		return nil
	})
	_ = k.Shutdown(context.Background())
}

// A badHandler is a log handler that is as bad as it can be.
type badHandler struct {
	testutil.Journal
	what func()
}

func (h *badHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h *badHandler) WithGroup(string) slog.Handler { return h }

func (h *badHandler) Handle(ctx context.Context, r slog.Record) error {
	_ = h.Journal.Handle(ctx, r)
	h.what()
	return nil
}

// However a log handler behaves, everything ends, every failure is handed to it, and nobody
// else is held up.
func TestHandlersThatPanicOrExit(t *testing.T) {
	for what, bad := range map[string]func(){
		"panic": func() { panic("handler") },
		"exit":  runtime.Goexit,
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &badHandler{what: bad}
				k := curio.NewKernel(curio.Logger(slog.New(h)))
				_ = k.Run(t.Context(), func(ctx context.Context) error {
					for range 3 {
						_ = curio.Go(ctx, fail).Wait(ctx)
						_ = curio.Go(ctx, fail, curio.Daemon()).Wait(ctx)
						_ = curio.Go(ctx, func(context.Context) error { panic("task") }).Wait(ctx)
					}
					_, _ = curio.RunInThread(ctx, func() (int, error) { panic("thread") })
					err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
						_, err := curio.RunInThread(ctx, func() (int, error) { time.Sleep(time.Minute); return 0, fixture.ErrBoom })
						return err
					})
					fixture.Is(t, "abandoned", err, fixture.TaskTimeout...)
					return curio.Sleep(ctx, time.Hour)
				})
				if err := k.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
				if n := len(h.Take(fixture.MsgUnseen)); n != 6 {
					t.Errorf("%d failures were reported, want 6", n)
				}
				if n := len(h.Take(fixture.MsgPanic)); n != 4 {
					t.Errorf("%d panics were reported, want 4", n)
				}
			})
		})
	}
}

func fail(context.Context) error { return fixture.ErrBoom }

// A log handler that hangs does not keep Shutdown from returning when its context is done.
func TestShutdownDoesNotWaitForTheLog(t *testing.T) {
	for what, main := range map[string]func(ctx context.Context) error{
		"failures":  func(ctx context.Context) error { return curio.Go(ctx, fail).Wait(ctx) },
		"complaint": func(ctx context.Context) error { curio.Go(ctx, fixture.Tidy(time.Minute)); return curio.Sleep(ctx, 0) },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				h := &badHandler{what: func() { <-release }}
				k := curio.NewKernel(curio.Logger(slog.New(h)))
				_ = k.Run(t.Context(), main)
				start := time.Now()
				bound, cancel := curio.WithTimeout(t.Context(), 10*time.Second)
				err := k.Shutdown(bound)
				cancel()
				if d := time.Since(start); d > 10*time.Second {
					t.Errorf("it took %v: %v", d, err)
				}
				close(release)
				if err := k.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A log handler that hangs does not hold up the runtime's goroutine for cleanups, and with
// it all cleanups of the program.
func TestAHangingHandlerHoldsUpNoCleanup(t *testing.T) {
	release, hanging := make(chan struct{}), make(chan struct{}, 1)
	h := &badHandler{what: func() {
		select {
		case hanging <- struct{}{}:
		default:
		}
		<-release
	}}
	k := curio.NewKernel(curio.Logger(slog.New(h)))
	_ = k.Run(t.Context(), func(ctx context.Context) error {
		for range 3 {
			_ = curio.Go(ctx, fail).Wait(ctx)
		}
		return nil
	})
	testutil.Await(t, "that the handler hangs", func() bool { runtime.GC(); return len(hanging) > 0 })
	cleaned := make(chan struct{})
	func() {
		x := new(fixture.Load)
		runtime.AddCleanup(x, func(int) { close(cleaned) }, 0)
	}()
	testutil.Await(t, "another cleanup", func() bool {
		runtime.GC()
		select {
		case <-cleaned:
			return true
		default:
			return false
		}
	})
	close(release)
	if err := k.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	testutil.Await(t, "that all three are reported", func() bool { return len(h.Lines()) == 3 })
}

// A timeout that has ended, and that nobody closes, leaves the tree when what is in it
// ends. A shutdown that waits for that hears of it.
func TestShutdownHearsThatTimeoutsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := curio.NewKernel()
		var beside context.Context // of no task, but of the kernel
		var cancel context.CancelFunc
		fixture.Succeed(k.Run(context.Background(), func(ctx context.Context) error {
			beside, cancel = context.WithCancel(context.WithoutCancel(ctx))
			return nil
		}))
		defer cancel()
		forgotten, _ := curio.WithTimeout(beside, time.Hour)
		release := make(chan struct{})
		go func() {
			_ = curio.DisableCancellation(forgotten, func(context.Context) error { <-release; return nil })
		}()
		synctest.Wait()
		start, done := time.Now(), make(chan error, 1)
		go func() { done <- k.Shutdown(context.Background()) }()
		synctest.Wait()
		if len(done) > 0 {
			t.Error("it has not waited")
		}
		close(release)
		if err := <-done; err != nil || time.Since(start) > 0 {
			t.Errorf("%v, after %v", err, time.Since(start))
		}
	})
}
