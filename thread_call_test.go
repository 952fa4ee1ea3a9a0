package curio_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// What becomes of a function whose caller has gone: it runs on, outside of any limit,
// and what it returns goes to late or to the log.

// What the log says of abandoned functions.
const (
	msgTooLate = "function in a thread failed after its call was abandoned"
	msgMany    = "functions in threads whose calls were abandoned still run"
	msgOutlive = "functions in threads outlive their kernel"
)

func stackOfMine() string { return string(debug.Stack()) }

// abandon makes a call and cancels it, when its function runs.
func (op threadOp) abandon(ctx context.Context, f *fixture.Fixture, fn func() (int, error), late ...func(int, error)) {
	f.Helper()
	caller := op.spawn(ctx, fn, late...)
	fixture.TaskState(f, caller, "THREAD_CALL")
	if did, err := caller.Cancel(ctx); !did || err != nil {
		f.Errorf("Cancel: %v, %v", did, err)
	}
	fixture.Is(f, "abandoned call", caller.Err(), fixture.TaskCancelled...)
}

// X11: late gets what the function returns in the end, in the function's goroutine.
func TestLateGetsTheResult(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture.Fixture, op threadOp) {
		for _, want := range []struct {
			v   int
			err error
		}{{1, nil}, {2, fixture.ErrBoom}} {
			gate := make(threadGate)
			var there string
			calls := 0
			op.abandon(ctx, f, func() (int, error) {
				there = goroutineID()
				<-gate
				return want.v, want.err
			}, func(v int, err error) {
				if calls++; v != want.v || err != want.err {
					f.Errorf("late got %d, %v; want %d, %v", v, err, want.v, want.err)
				}
				if here := goroutineID(); here != there {
					f.Errorf("late runs in goroutine %s, the function ran in %s", here, there)
				}
			})
			callsLeft(f, 1)
			close(gate)
			callsLeft(f, 0)
			if calls != 1 {
				f.Errorf("late was called %d times", calls)
			}
		}
	})
}

// A panic and Goexit that come too late are given to late too; the panic is also logged.
func TestLateGetsPanicAndGoexit(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture.Fixture, op threadOp) {
		gate := make(threadGate)
		var got []error
		late := func(v int, err error) {
			if got = append(got, err); v != 0 {
				f.Errorf("value %d", v)
			}
		}
		op.abandon(ctx, f, gate.explode, late)
		close(gate)
		synctest.Wait()
		gate = make(threadGate)
		op.abandon(ctx, f, func() (int, error) { <-gate; return fixture.Vanish(ctx) }, late)
		close(gate)
		callsLeft(f, 0)
		var panicked *curio.PanicError
		if len(got) != 2 || !errors.As(got[0], &panicked) || !errors.Is(got[1], curio.ErrGoexit) {
			f.Errorf("late got %v", got)
		}
		if n := len(f.Journal.Take(fixture.MsgPanic)); n != 1 {
			f.Errorf("the panic was logged %d times", n)
		}
	})
}

// Without late an error is logged, with all that is known of the call.
func TestTooLateErrorIsLogged(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture.Fixture, op threadOp) {
		gate := make(threadGate)
		op.abandon(ctx, f, gate.pass) // success is no news
		op.abandon(ctx, f, gate.fail)
		close(gate)
		callsLeft(f, 0)
		logged := f.Journal.Take(msgTooLate)
		if len(logged) != 1 {
			f.Fatalf("logged: %v", logged)
		}
		for key, want := range map[string]any{
			"call": op.name, "function": "curio_test.threadGate.fail-fm",
			"task": curio.CurrentTask(ctx).Path() + "/caller", "err": fixture.ErrBoom,
		} {
			if got := logged[0].Attrs[key]; got != want {
				f.Errorf("%s: %v, want %v", key, got, want)
			}
		}
		if logged[0].Level != slog.LevelError {
			f.Error(logged[0].Level)
		}
	})
}

// A panic that comes too late is logged, once, as a panic, with the task of the call.
func TestTooLatePanicIsLogged(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture.Fixture, op threadOp) {
		gate := make(threadGate)
		op.abandon(ctx, f, gate.explode)
		close(gate)
		callsLeft(f, 0)
		logged := f.Journal.Take(fixture.MsgPanic)
		if len(logged) != 1 || !strings.HasSuffix(fmt.Sprint(logged[0].Attrs["task"]), "/caller") || logged[0].Attrs["panic"] != fixture.ErrBoom {
			f.Errorf("logged: %v", logged)
		}
	})
}

// late is code of the user's: it may panic, which is logged, or end its goroutine.
func TestPanicInLate(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture.Fixture, op threadOp) {
		gate := make(threadGate)
		op.abandon(ctx, f, gate.pass, func(int, error) { panic("late") })
		op.abandon(ctx, f, gate.pass, func(int, error) { runtime.Goexit() })
		close(gate)
		callsLeft(f, 0)
		logged := f.Journal.Take(fixture.MsgPanic)
		if len(logged) != 1 || logged[0].Attrs["panic"] != "late" {
			f.Errorf("logged: %v", logged)
		}
	})
}

// While late runs, the function is still there for who watches, and nobody waits for it.
func TestLateMayBlock(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture.Fixture, op threadOp) {
		gate, slow := make(threadGate), make(threadGate)
		op.abandon(ctx, f, gate.pass, func(int, error) { <-slow })
		close(gate)
		synctest.Wait()
		if v, err := op.call(ctx, returnsOne); v != 1 || err != nil {
			f.Error(v, err)
		}
		close(slow)
		callsLeft(f, 0)
	}, curio.MaxThreads(2))
}

// A result that comes in the very moment of the cancellation is given to exactly one:
// to the caller or to late.
func TestRaceThreadReturnAndCancel(t *testing.T) {
	for _, op := range threadOps {
		t.Run(op.name, func(t *testing.T) {
			fixture.Watch(t, func() {
				fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
					got := map[string]int{}
					for range testutil.Times(2000) {
						got[raceReturn(ctx, f, op)]++
					}
					t.Logf("rounds: %v", got)
				})
			})
		})
	}
}

// raceReturn lets a function return and cancels its caller at the same moment. It says
// who got the value.
func raceReturn(ctx context.Context, f *fixture.Fixture, op threadOp) (who string) {
	gate := make(threadGate)
	var late atomic.Int64
	var started atomic.Bool
	caller := op.spawn(ctx, func() (int, error) { started.Store(true); return gate.pass() }, func(v int, err error) {
		if v != 1 || err != nil {
			f.Errorf("late got %d, %v", v, err)
		}
		late.Add(1)
	})
	testutil.Await(f, "it runs, and is waited for", func() bool { return started.Load() && caller.State() == "THREAD_CALL" })
	fixture.AtOnce(
		func() { fixture.Spin(); close(gate) },
		func() { fixture.Spin(); caller.CancelNow() },
	)
	_ = caller.Wait(ctx)
	testutil.Await(f, "the function ends", func() bool { return len(f.Kernel.ThreadCalls()) == 0 })
	switch v, err := caller.Result(); {
	case v == 1 && err == nil && late.Load() == 0:
		return "caller"
	case v == 0 && errors.Is(err, curio.ErrTaskCancelled) && late.Load() == 1:
		return "late"
	default:
		f.Fatalf("the caller got %d, %v, and late was called %d times", v, err, late.Load())
		return ""
	}
}

// 1,000 functions that hang do not hold up anybody.
func TestAThousandAbandonedCalls(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture.Fixture, op threadOp) {
		const n = 1000
		gate := make(threadGate)
		start := time.Now()
		for range n / 50 {
			_ = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
				return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
					for range 50 {
						g.Spawn(func(ctx context.Context) (int, error) { return op.call(ctx, gate.pass) })
					}
					return nil
				})
			})
		}
		f.Elapsed(start, n/50*time.Second)
		callsLeft(f, n)
		start = time.Now()
		if v, err := op.call(ctx, returnsOne); v != 1 || err != nil {
			f.Error(v, err)
		}
		f.Elapsed(start, 0)
		close(gate)
		callsLeft(f, 0)
		f.Journal.Take(msgMany)
	})
}

// The log tells when abandoned functions pile up: when there are as many as may run, and
// whenever they have doubled.
func TestManyAbandonedCallsAreLogged(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture.Fixture, op threadOp) {
		for range 2 { // when they are gone, the next ones are news
			gate := make(threadGate)
			var counts []any
			for range 17 {
				op.abandon(ctx, f, gate.pass)
				for _, r := range f.Journal.Take(msgMany) {
					counts = append(counts, r.Attrs["count"])
					if r.Level != slog.LevelWarn || r.Attrs["last"] != "curio_test.threadGate.pass-fm" {
						f.Errorf("logged %v", r)
					}
				}
			}
			if got := fmt.Sprint(counts); got != "[4 8 16]" {
				f.Errorf("warned at %s", got)
			}
			close(gate)
			callsLeft(f, 0)
		}
	}, curio.MaxThreads(4))
}

// X13, W-W1: a shutdown does not wait for abandoned functions, but names them. When they
// end afterwards, nothing happens but what would happen before.
func TestShutdownAndAbandonedCalls(t *testing.T) {
	for _, op := range threadOps {
		t.Run(op.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { abandonAtShutdown(t, op) })
		})
	}
}

func abandonAtShutdown(t *testing.T, op threadOp) {
	f := &fixture.Fixture{T: t, Journal: new(testutil.Journal)}
	f.Kernel = curio.NewKernel(curio.Logger(slog.New(f.Journal)))
	gate := make(threadGate)
	late := 0
	err := f.Kernel.Run(t.Context(), func(ctx context.Context) error {
		op.abandon(ctx, f, gate.fail)
		op.abandon(ctx, f, gate.explode)
		op.abandon(ctx, f, gate.pass, func(int, error) { late++ })
		op.spawn(ctx, gate.pass) // is cancelled by the shutdown
		synctest.Wait()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	start := time.Now()
	if err := f.Kernel.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	f.Elapsed(start, 0)
	logged := f.Journal.Take(msgOutlive)
	if len(logged) != 1 || logged[0].Level != slog.LevelWarn {
		t.Fatalf("logged: %v", logged)
	}
	if n := strings.Count(fmt.Sprint(logged[0].Attrs["calls"]), "curio_test.threadGate."); n != 4 {
		t.Errorf("logged: %v", logged)
	}
	callsLeft(f, 4)
	if lines := f.Journal.Lines(); len(lines) > 0 {
		t.Errorf("logged: %q", lines)
	}

	close(gate)
	callsLeft(f, 0)
	if n, m := len(f.Journal.Take(msgTooLate)), len(f.Journal.Take(fixture.MsgPanic)); n != 1 || m != 1 || late != 1 {
		t.Errorf("after the shutdown: %d errors and %d panics logged, %d calls of late; want one of each", n, m, late)
	}
	if err := f.Kernel.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if lines := f.Journal.Lines(); len(lines) > 0 {
		t.Errorf("logged: %q", lines)
	}
}

// The line that names them can be written by every handler, whatever the key is.
func TestShutdownNamesAbandonedCallsAsJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(threadGate)
		var text strings.Builder
		err := curio.Run(t.Context(), func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
				_, err := curio.BlockInThread(ctx, gate, gate.pass)
				return err
			})
		}, curio.Logger(slog.New(slog.NewJSONHandler(&text, nil))))
		fixture.Is(t, "the call", err, fixture.TaskTimeout...)
		close(gate)
		if got := text.String(); !strings.Contains(got, "curio_test.threadGate.pass-fm") {
			t.Errorf("logged: %s", got)
		}
	})
}

// A kernel whose functions have all returned is shut down without a word.
func TestRaceShutdownAfterThread(t *testing.T) {
	for _, op := range threadOps {
		t.Run(op.name, func(t *testing.T) {
			fixture.Watch(t, func() {
				for i := range testutil.Times(3000) {
					log := new(testutil.Journal)
					err := curio.Run(t.Context(), func(ctx context.Context) error {
						_, err := op.call(ctx, returnsOne)
						return err
					}, curio.Logger(slog.New(log)))
					if lines := log.Lines(); err != nil || len(lines) > 0 {
						t.Fatalf("round %d: %v; logged %q", i, err, lines)
					}
				}
			})
		})
	}
}

func init() {
	for _, op := range threadOps {
		fixture.Children["crash "+op.name] = func() {
			_ = curio.Run(context.Background(), func(ctx context.Context) error {
				_, err := op.spawn(ctx, func() (int, error) { panic("the end is near") }).Join(ctx)
				fmt.Println("the caller goes on:", err)
				return curio.Sleep(ctx, time.Minute)
			}, curio.CrashOnPanic(), curio.Logger(slog.New(slog.NewTextHandler(os.Stderr, nil))))
			fmt.Println("alive")
		}
	}
}

func init() {
	fixture.Children["crash late"] = func() {
		began, gate := make(chan struct{}), make(threadGate)
		explode := func() (int, error) {
			close(began)
			return gate.explode()
		}
		_ = curio.Run(context.Background(), func(ctx context.Context) error {
			caller := curio.Go(ctx, func(ctx context.Context) error {
				_, err := curio.RunInThread(ctx, explode, func(_ int, err error) { fmt.Println("late got:", err) })
				return err
			})
			<-began
			_, _ = caller.Cancel(ctx)
			close(gate)
			return curio.Sleep(ctx, time.Minute)
		}, curio.CrashOnPanic(), curio.Logger(slog.New(slog.DiscardHandler)))
	}
}

// Who is told of the panic in the last moments of the process is told what it was.
func TestCrashOnPanicTooLate(t *testing.T) {
	text, code := fixture.Child(t, "crash late")
	if code != 2 || !strings.Contains(text, "panic: boom") || strings.Contains(text, "Goexit") {
		t.Errorf("exit status %d, output:\n%s", code, text)
	}
}

// CrashOnPanic counts for functions in threads too: after the log line, the process ends
// as Go does.
func TestCrashOnPanicInThread(t *testing.T) {
	for _, op := range threadOps {
		t.Run(op.name, func(t *testing.T) {
			text, code := fixture.Child(t, "crash "+op.name)
			if code != 2 {
				t.Errorf("exit status %d, want 2", code)
			}
			for _, want := range []string{fixture.MsgPanic, "/caller", "panic: the end is near", "thread_call_test.go"} {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing in the output:\n%s", want, text)
				}
			}
			if strings.Contains(text, "alive") || strings.Contains(text, "Goexit") {
				t.Errorf("the program went on:\n%s", text)
			}
		})
	}
}
