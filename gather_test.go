package curio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

func eachGatherer(t *testing.T, body func(ctx context.Context, f *fixture.Fixture, g fixture.Gatherer)) {
	for _, g := range fixture.Gatherers {
		t.Run(g.Name, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) { body(ctx, f, g) })
		})
	}
}

// failedAt returns the index in the *ItemError in err, -1 if there is none.
func failedAt(err error) int {
	if item, ok := errors.AsType[*curio.ItemError](err); ok {
		return item.Index
	}
	return -1
}

// The results are in order, whichever function ends first. So many run at a time as may, each in
// a task of its own.
func TestGather(t *testing.T) {
	eachGatherer(t, func(ctx context.Context, f *fixture.Fixture, g fixture.Gatherer) {
		const n = 7
		var mu sync.Mutex
		var running, most int
		var fns []fixture.Racer
		tasks := map[*curio.AnyTask]bool{}
		for i := range n {
			fns = append(fns, func(ctx context.Context) (int, error) {
				mu.Lock()
				running++
				most = max(most, running)
				tasks[curio.CurrentTask(ctx)] = true
				mu.Unlock()
				err := curio.Sleep(ctx, time.Duration(n-i)*time.Second)
				mu.Lock()
				defer mu.Unlock()
				running--
				return i * i, err
			})
		}
		values, err := g.Gather(ctx, fns)
		if err != nil || !slices.Equal(values, []int{0, 1, 4, 9, 16, 25, 36}) {
			f.Errorf("%v, %v", values, err)
		}
		want := n
		if g.Limit > 0 {
			want = min(n, g.Limit)
		}
		if most != want || len(tasks) != want || tasks[curio.CurrentTask(ctx)] {
			f.Errorf("%d ran at a time, in %d tasks; want %d", most, len(tasks), want)
		}
		f.OnlyMain()
	})
}

// The task that waits shows in its state, and the other tasks have the names of their functions.
func TestGatherIsSeen(t *testing.T) {
	names := map[string][2]string{
		"Gather/limit=0": {"curio_test.slowSibling", "fixture.Sleeping"},
		"Gather/limit=1": {"Gather", ""},
		"Map/limit=0":    {"fixture.CallRacer", "fixture.CallRacer"},
		"Map/limit=1":    {"fixture.CallRacer", ""},
	}
	eachGatherer(t, func(ctx context.Context, f *fixture.Fixture, g fixture.Gatherer) {
		want, ok := names[g.Name]
		if !ok {
			return
		}
		caller := curio.Go(ctx, func(ctx context.Context) error {
			_, err := g.Gather(ctx, []fixture.Racer{fixture.Sleeping, slowSibling})
			return err
		})
		synctest.Wait()
		var got []string
		for _, task := range f.Kernel.Tasks() {
			if task.Parent() == caller.AnyTask {
				got = append(got, task.Name())
			}
		}
		if slices.Sort(got); strings.Join(got, " ") != strings.TrimSpace(want[0]+" "+want[1]) || caller.State() != "TASKGROUP_JOIN" {
			f.Errorf("the tasks are %q, and the caller is %s", got, caller.State())
		}
		_, _ = caller.Cancel(ctx)
	})
}

// The first failure cancels the others, which are waited for, and is the error. The text names it
// once. What has succeeded is returned.
func TestGatherFails(t *testing.T) {
	eachGatherer(t, func(ctx context.Context, f *fixture.Fixture, g fixture.Gatherer) {
		start := time.Now()
		var called atomic.Int64
		count := func(fn fixture.Racer) fixture.Racer {
			return func(ctx context.Context) (int, error) { called.Add(1); return fn(ctx) }
		}
		values, err := g.Gather(ctx, []fixture.Racer{
			count(fixture.Returns(5)),
			count(fixture.After(time.Second, 7, io.ErrClosedPipe)),
			count(stubbornRacer(4*time.Second, 6)),
			count(func(ctx context.Context) (int, error) {
				_ = fixture.Sleeper(ctx)
				return 8, fixture.ErrBoom
			}),
			count(fixture.Sleeping),
		})
		if !errors.Is(err, io.ErrClosedPipe) || errors.Is(err, fixture.ErrBoom) || errors.Is(err, curio.ErrCancelled) || failedAt(err) != 1 {
			f.Errorf("%v", err)
		}
		if text := fmt.Sprint(err); text != "curio: item 1: io: read/write on closed pipe" {
			f.Errorf("the text is %q", text)
		}
		wantValues, wantCalled, wantTime := []int{5, 0, 6, 0, 0}, int64(5), 4*time.Second
		switch g.Limit {
		case 1:
			wantValues, wantCalled, wantTime = []int{5, 0, 0, 0, 0}, 2, time.Second
		case 2:
			wantCalled = 3
		}
		if !slices.Equal(values, wantValues) || called.Load() != wantCalled {
			f.Errorf("the values are %v, and %d were called", values, called.Load())
		}
		f.Elapsed(start, wantTime)
		f.OnlyMain()
	})
}

// With KeepGoing all functions are called, and all failures are the error, in order.
func TestGatherKeepGoing(t *testing.T) {
	eachGatherer(t, func(ctx context.Context, f *fixture.Fixture, g fixture.Gatherer) {
		values, err := g.Gather(ctx, []fixture.Racer{
			fixture.After(3*time.Second, 1, io.ErrClosedPipe), fixture.After(2*time.Second, 2, nil), fixture.Explode, fixture.Returns(4), fixture.Fails, fixture.Vanish, fixture.After(time.Second, 7, nil),
		}, curio.KeepGoing)
		fixture.Is(f, "all", err, fixture.ErrBoom, curio.ErrGoexit)
		if !errors.Is(err, io.ErrClosedPipe) || !slices.Equal(values, []int{0, 2, 0, 4, 0, 0, 7}) {
			f.Errorf("%v, %v", values, err)
		}
		if at := fixture.Failures(err); !slices.Equal(at, []int{0, 2, 4, 5}) {
			f.Errorf("failures at %v", at)
		}
		if n := len(f.Journal.Take(fixture.MsgPanic)); n != 1 {
			f.Errorf("the panic was logged %d times", n)
		}
		f.OnlyMain()
	})
}

// A panic and Goexit are failures as any other, and cancel the others.
func TestGatherPanicAndGoexit(t *testing.T) {
	for what, bad := range map[string]fixture.Racer{"panic": fixture.Explode, "Goexit": fixture.Vanish} {
		t.Run(what, func(t *testing.T) {
			eachGatherer(t, func(ctx context.Context, f *fixture.Fixture, g fixture.Gatherer) {
				_, err := g.Gather(ctx, []fixture.Racer{bad, fixture.Sleeping})
				panicked, isPanic := errors.AsType[*curio.PanicError](err)
				if failedAt(err) != 0 || isPanic != (what == "panic") || !isPanic && !errors.Is(err, curio.ErrGoexit) {
					f.Errorf("%v", err)
				}
				if isPanic && !strings.Contains(string(panicked.Stack), "fixture.Explode") {
					f.Errorf("the stack is not the function's: %s", panicked.Stack)
				}
				if n := len(f.Journal.Take(fixture.MsgPanic)); n != 1 && isPanic {
					f.Errorf("the panic was logged %d times", n)
				}
				f.OnlyMain()
			})
		})
	}
}

// A task that somebody cancels leaves its result missing. With KeepGoing and a limit, another task
// does what is left.
func TestGatherTaskIsCancelled(t *testing.T) {
	cancelsItself := func(ctx context.Context) (int, error) {
		curio.CurrentTask(ctx).CancelNow(fixture.ErrBoom)
		return 0, fixture.Sleeper(ctx)
	}
	eachGatherer(t, func(ctx context.Context, f *fixture.Fixture, g fixture.Gatherer) {
		_, err := g.Gather(ctx, []fixture.Racer{cancelsItself, fixture.Sleeping})
		fixture.Because(f, "error", err, fixture.ErrBoom, fixture.TaskCancelled...)
		if failedAt(err) != 0 {
			f.Errorf("%v", err)
		}
		values, err := g.Gather(ctx, []fixture.Racer{cancelsItself, fixture.Returns(2), cancelsItself, cancelsItself, fixture.Returns(5)}, curio.KeepGoing)
		fixture.Is(f, "error with KeepGoing", err, fixture.TaskCancelled...)
		if at := fixture.Failures(err); !slices.Equal(at, []int{0, 2, 3}) || !slices.Equal(values, []int{0, 2, 0, 0, 5}) {
			f.Errorf("%v, failures at %v", values, at)
		}
		// A function that has succeeded has succeeded.
		succeeds := func(ctx context.Context) (int, error) { curio.CurrentTask(ctx).CancelNow(); return 1, nil }
		values, err = g.Gather(ctx, []fixture.Racer{succeeds, succeeds, succeeds})
		if !slices.Equal(values, []int{1, 1, 1}) || err != nil {
			f.Errorf("%v, %v", values, err)
		}
		f.OnlyMain()
	})
}

// The caller's end is the caller's error. What has come before it is returned, too.
func TestGatherEndsWithItsContext(t *testing.T) {
	eachGatherer(t, func(ctx context.Context, f *fixture.Fixture, g fixture.Gatherer) {
		cleansUpBadly := func(ctx context.Context) (int, error) {
			_ = fixture.Sleeper(ctx)
			return 0, io.ErrClosedPipe
		}
		var values []int
		for _, c := range []struct {
			last fixture.Racer
			opts []curio.GroupOption
			left error // what the timeout lets through, nil for nothing
		}{
			{fixture.Sleeping, nil, nil},
			{cleansUpBadly, nil, nil}, // ctx was first
			{fixture.Sleeping, []curio.GroupOption{curio.KeepGoing}, fixture.ErrBoom},
			{fixture.Sleeping, []curio.GroupOption{curio.KeepGoing}, curio.ErrGoexit},
		} {
			second, want := fixture.Returns(3), fixture.TaskTimeout
			if c.left != nil {
				second, want = fixture.Fails, append([]error{c.left}, fixture.TaskTimeout...)
			}
			if c.left == curio.ErrGoexit {
				second = fixture.Vanish
			}
			expired, err := curio.IgnoreAfter(ctx, time.Minute, func(ctx context.Context) (err error) {
				values, err = g.Gather(ctx, []fixture.Racer{fixture.Returns(2), second, c.last}, c.opts...)
				fixture.Is(f, "error", err, want...)
				if group, ok := errors.AsType[*curio.TaskGroupError](err); ok {
					f.Errorf("there is a group's error in it: %v", group)
				}
				return err
			})
			if !expired || !errors.Is(err, c.left) || (err == nil) != (c.left == nil) || len(values) != 3 || values[0] != 2 || values[2] != 0 {
				f.Errorf("expired: %v, %v; values %v", expired, err, values)
			}
		}
		f.OnlyMain()
	})
}

// If all functions have ended by themselves, nothing is lost by the end of ctx.
func TestGatherIsCompleteWhenItsContextEnds(t *testing.T) {
	eachGatherer(t, func(ctx context.Context, f *fixture.Fixture, g fixture.Gatherer) {
		for _, second := range []fixture.Racer{stubbornRacer(time.Second, 2), fixture.Fails} {
			err := curio.TimeoutAfter(ctx, brief, func(ctx context.Context) error {
				values, err := g.Gather(ctx, []fixture.Racer{second, stubbornRacer(time.Second, 1)}, curio.KeepGoing)
				if values[1] != 1 && g.Limit != 1 || errors.Is(err, curio.ErrCancelled) && g.Limit != 1 {
					f.Errorf("%v, %v", values, err)
				}
				return nil
			})
			if err != nil {
				f.Errorf("the timeout returned %v", err)
			}
			f.Journal.Take(fixture.MsgLate)
		}
	})
}

// A timeout that a function lets escape is not the caller's own.
func TestGatherTimeoutInside(t *testing.T) {
	slow := func(ctx context.Context) (int, error) {
		return 0, curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper)
	}
	eachGatherer(t, func(ctx context.Context, f *fixture.Fixture, g fixture.Gatherer) {
		for _, opts := range [][]curio.GroupOption{nil, {curio.KeepGoing}} {
			var inside error
			err := curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
				_, inside = g.Gather(ctx, []fixture.Racer{slow}, opts...)
				return inside
			})
			fixture.Is(f, "inside", inside, context.DeadlineExceeded)
			fixture.Is(f, "outside", err, context.DeadlineExceeded)
		}
	})
}

func TestGatherNothing(t *testing.T) {
	eachGatherer(t, func(ctx context.Context, f *fixture.Fixture, g fixture.Gatherer) {
		if values, err := g.Gather(ctx, nil); values == nil || len(values) != 0 || err != nil {
			f.Errorf("%v, %v", values, err)
		}
		done, cancel := curio.WithTimeout(ctx, time.Hour)
		cancel()
		for _, fns := range [][]fixture.Racer{nil, {func(context.Context) (int, error) { f.Error("it is called"); return 0, nil }}} {
			values, err := g.Gather(done, fns)
			if fixture.Is(f, "of a context that is done", err, fixture.ScopeCancelled...); values != nil {
				f.Errorf("%v", values)
			}
		}
	})
}

func TestGatherMisuse(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		fixture.Panics(f, "the one at 1", func() { _, _ = curio.Gather(ctx, []fixture.Racer{fixture.Fails, nil}) })
		fixture.Panics(f, "Map with a nil function", func() { _, _ = curio.Map[int, int](ctx, nil, nil) })
		for _, policy := range []curio.GroupOption{curio.WaitAll, curio.WaitAny, curio.WaitObject, curio.WaitNone} {
			fixture.Panics(f, "Gather with a policy", func() { _, _ = curio.Gather(ctx, []fixture.Racer{fixture.Fails}, curio.Limit(1), policy) })
			fixture.Panics(f, "Map with a policy", func() {
				_, _ = curio.Map(ctx, []fixture.Racer{fixture.Fails}, fixture.CallRacer, policy, curio.KeepGoing)
			})
		}
		f.OnlyMain()
	})
}

// Under a context that was cut from a kernel that has ended, it works as anything else does there.
func TestGatherInAnEndedKernel(t *testing.T) {
	cut := context.WithoutCancel(fixture.EndedKernel())
	for _, g := range fixture.Gatherers {
		values, err := g.Gather(cut, []fixture.Racer{fixture.Returns(1), fixture.Returns(2), fixture.Returns(3)})
		if err != nil || !slices.Equal(values, []int{1, 2, 3}) {
			t.Errorf("%s: %v, %v", g.Name, values, err)
		}
	}
}

// A log handler that ends the goroutine does not keep others from being called.
func TestGatherWhoseLogExits(t *testing.T) {
	k := curio.NewKernel(curio.Logger(slog.New(exitingHandler{slog.DiscardHandler})))
	defer func() { _ = k.Shutdown(t.Context()) }()
	err := k.Run(t.Context(), func(ctx context.Context) error {
		for _, g := range fixture.Gatherers {
			values, err := g.Gather(ctx, []fixture.Racer{fixture.Explode, fixture.Returns(2), fixture.Explode, fixture.Returns(4)}, curio.KeepGoing)
			if !slices.Equal(values, []int{0, 2, 0, 4}) || !slices.Equal(fixture.Failures(err), []int{0, 2}) || errors.Is(err, curio.ErrGoexit) {
				t.Errorf("%s: %v, %v", g.Name, values, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

type exitingHandler struct{ slog.Handler }

func (exitingHandler) Enabled(context.Context, slog.Level) bool { return true }

func (exitingHandler) Handle(context.Context, slog.Record) error { runtime.Goexit(); return nil }

// An error whose methods panic is a failure all the same.
func TestGatherErrorThatPanics(t *testing.T) {
	eachGatherer(t, func(ctx context.Context, f *fixture.Fixture, g fixture.Gatherer) {
		bad := func(context.Context) (int, error) { return 0, unwrapPanics{} }
		_, err := g.Gather(ctx, []fixture.Racer{bad})
		if item, ok := err.(*curio.ItemError); !ok || item.Err != error(unwrapPanics{}) {
			f.Errorf("the error is a %T", err)
		}
	})
}

type unwrapPanics struct{}

func (unwrapPanics) Error() string { return "bad" }

func (unwrapPanics) Unwrap() error { panic("no") }

func init() {
	for _, g := range fixture.Gatherers {
		fixture.Children["crash "+g.Name] = func() {
			_ = curio.Run(context.Background(), func(ctx context.Context) error {
				_, err := g.Gather(ctx, []fixture.Racer{func(context.Context) (int, error) { panic("the end is near") }, fixture.Sleeping})
				fmt.Println("the caller goes on:", err) // for a moment
				return curio.Sleep(ctx, time.Minute)
			}, curio.CrashOnPanic(), curio.Logger(slog.New(slog.NewTextHandler(os.Stderr, nil))))
			fmt.Println("alive")
		}
	}
}

// With CrashOnPanic the process ends, after one line of the log.
func TestGatherCrashOnPanic(t *testing.T) {
	for _, g := range fixture.Gatherers {
		if g.Limit > 1 {
			continue
		}
		t.Run(g.Name, func(t *testing.T) {
			text, code := fixture.Child(t, "crash "+g.Name)
			if code != 2 || strings.Count(text, fixture.MsgPanic) != 1 || strings.Contains(text, "alive") || strings.Contains(text, "Goexit called") || !strings.Contains(text, "gather_test.go") {
				t.Errorf("exit status %d, output:\n%s", code, text)
			}
		})
	}
}

// With Limit, a Map of many items takes no more than the results.
func TestMapTakesNoMemoryPerItem(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		allocs := func(n int) (objects, bytes int64) {
			items := make([]byte, n)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			values, err := curio.Map(ctx, items, func(context.Context, byte) (byte, error) { return 1, nil }, curio.Limit(10))
			runtime.ReadMemStats(&after)
			if err != nil || slices.Contains(values, 0) {
				f.Errorf("%v", err)
			}
			return int64(after.Mallocs - before.Mallocs), int64(after.TotalAlloc-before.TotalAlloc) - int64(n)
		}
		_, _ = allocs(1000)
		few, fewBytes := allocs(1000)
		many, manyBytes := allocs(1_000_000)
		t.Logf("1,000 items: %d objects, %d bytes besides the results; 1,000,000: %d, %d", few, fewBytes, many, manyBytes)
		if many > few+100 || manyBytes > fewBytes+100_000 {
			f.Errorf("1,000 items take %d objects of %d bytes, 1,000,000 take %d of %d", few, fewBytes, many, manyBytes)
		}
	})
}

// What is left of a Gather, such as an error or a task, keeps neither results nor functions.
func TestGatherKeepsNothing(t *testing.T) {
	for _, g := range fixture.Gatherers {
		t.Run(g.Name, func(t *testing.T) {
			fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				l := new(fixture.Loads)
				kept := gatherLoads(ctx, l, g)
				if n := l.Left(); n > 0 {
					f.Errorf("%d of %d loads are kept", n, len(l.Made))
				}
				runtime.KeepAlive(kept)
			})
		})
	}
}

//go:noinline
func gatherLoads(ctx context.Context, l *fixture.Loads, g fixture.Gatherer) (keep []any) {
	var fns []fixture.Racer
	for range 3 {
		v := l.Make()
		fns = append(fns, func(ctx context.Context) (int, error) {
			keep = append(keep, ctx, curio.CurrentTask(ctx), v[0])
			return 0, fixture.ErrBoom
		})
	}
	_, err := g.Gather(ctx, fns, curio.Limit(1), curio.KeepGoing)
	return append(keep, err)
}

// At whichever moment the caller is cancelled or a function fails: each value is returned, nothing
// runs on, and the error is the one of what came first.
func TestRaceGather(t *testing.T) {
	for _, opts := range [][]curio.GroupOption{nil, {curio.Limit(2)}, {curio.KeepGoing}, {curio.Limit(2), curio.KeepGoing}} {
		fixture.Race(t, 1000, func(ctx context.Context) {
			var made, running atomic.Int64
			makes := func(ctx context.Context, v int) (int, error) {
				running.Add(1)
				defer running.Add(-1)
				fixture.Spin()
				if v == 4 {
					return 0, fixture.ErrBoom
				}
				if err := curio.Sleep(ctx, 0); err != nil {
					return 0, err
				}
				made.Add(int64(v))
				return v, nil
			}
			task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
				values, err := curio.Map(ctx, []int{1, 2, 4, 8, 16}, makes, opts...)
				if n := running.Load(); n != 0 {
					t.Errorf("%d run on", n)
				}
				if err == nil || !errors.Is(err, fixture.ErrBoom) && !errors.Is(err, curio.ErrTaskCancelled) {
					t.Errorf("%v, with %v: %v", err, opts, values)
				}
				return sum(values), nil
			})
			if fixture.Spin(); made.Load() > 0 || spinLonger() {
				task.CancelNow()
			}
			v, err := task.Join(ctx)
			if err != nil || int64(v) != made.Load() {
				t.Errorf("made %d, returned %d, %v", made.Load(), v, err)
			}
		})
	}
}

// spinLonger is true half of the time, after a while.
func spinLonger() bool {
	for range 10 {
		fixture.Spin()
	}
	return time.Now().UnixNano()%2 == 0
}

func sum(values []int) (s int) {
	for _, v := range values {
		s += v
	}
	return s
}

// A worker is cancelled just when its function ends: each item is done, or has failed.
func TestRaceMapWorkerIsCancelled(t *testing.T) {
	fixture.Race(t, 300, func(ctx context.Context) {
		var victim atomic.Pointer[curio.AnyTask]
		var done atomic.Bool
		killer := curio.Go(ctx, func(context.Context) error {
			for !done.Load() {
				if v := victim.Swap(nil); v != nil {
					fixture.Spin()
					v.CancelNow()
				}
				runtime.Gosched()
			}
			return nil
		})
		values, err := curio.Map(ctx, make([]int, 20), func(ctx context.Context, _ int) (int, error) {
			victim.Store(curio.CurrentTask(ctx))
			fixture.Spin()
			return 1, curio.Sleep(ctx, 0)
		}, curio.Limit(2), curio.KeepGoing)
		done.Store(true)
		failed := 0
		if err != nil {
			fixture.Is(t, "error", err, fixture.TaskCancelled...)
			failed = len(fixture.Failures(err))
		}
		if sum(values)+failed != 20 {
			t.Errorf("%d have succeeded and %d failed", sum(values), failed)
		}
		_ = killer.Wait(ctx)
	})
}

// brief is how long timeouts last.
const brief = 10 * time.Millisecond
