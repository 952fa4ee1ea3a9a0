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
)

// A gatherer is a way to call functions together.
type gatherer struct {
	name   string
	gather func(ctx context.Context, fns []racer, opts ...curio.GroupOption) ([]int, error)
	limit  int // how many functions run at a time, 0 for any number
}

// gatherers are Gather and Map, without limit and with limits.
var gatherers = func() (all []gatherer) {
	for _, limit := range []int{0, 1, 2, 100} {
		bound := func(opts []curio.GroupOption) []curio.GroupOption {
			if limit == 0 {
				return opts
			}
			return append([]curio.GroupOption{curio.Limit(limit)}, opts...)
		}
		all = append(all,
			gatherer{fmt.Sprintf("Gather/limit=%d", limit), func(ctx context.Context, fns []racer, opts ...curio.GroupOption) ([]int, error) {
				return curio.Gather(ctx, fns, bound(opts)...)
			}, limit},
			gatherer{fmt.Sprintf("Map/limit=%d", limit), func(ctx context.Context, fns []racer, opts ...curio.GroupOption) ([]int, error) {
				return curio.Map(ctx, fns, callRacer, bound(opts)...)
			}, limit},
		)
	}
	return all
}()

func eachGatherer(t *testing.T, body func(ctx context.Context, f *fixture, g gatherer)) {
	for _, g := range gatherers {
		t.Run(g.name, func(t *testing.T) {
			inKernel(t, func(ctx context.Context, f *fixture) { body(ctx, f, g) })
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

// failures returns the indexes of the *ItemErrors that err is a join of.
func failures(err error) (at []int) {
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		if item, ok := e.(*curio.ItemError); ok {
			at = append(at, item.Index)
		}
	}
	return at
}

// The results are in order, whichever function ends first. So many run at a time as may, each in
// a task of its own.
func TestGather(t *testing.T) {
	eachGatherer(t, func(ctx context.Context, f *fixture, g gatherer) {
		const n = 7
		var mu sync.Mutex
		var running, most int
		var fns []racer
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
		values, err := g.gather(ctx, fns)
		if err != nil || !slices.Equal(values, []int{0, 1, 4, 9, 16, 25, 36}) {
			f.Errorf("%v, %v", values, err)
		}
		want := n
		if g.limit > 0 {
			want = min(n, g.limit)
		}
		if most != want || len(tasks) != want || tasks[curio.CurrentTask(ctx)] {
			f.Errorf("%d ran at a time, in %d tasks; want %d", most, len(tasks), want)
		}
		f.onlyMain()
	})
}

// The task that waits shows in its state, and the other tasks have the names of their functions.
func TestGatherIsSeen(t *testing.T) {
	names := map[string][2]string{
		"Gather/limit=0": {"curio_test.sleeping", "curio_test.slowSibling"},
		"Gather/limit=1": {"Gather", ""},
		"Map/limit=0":    {"curio_test.callRacer", "curio_test.callRacer"},
		"Map/limit=1":    {"curio_test.callRacer", ""},
	}
	eachGatherer(t, func(ctx context.Context, f *fixture, g gatherer) {
		want, ok := names[g.name]
		if !ok {
			return
		}
		caller := curio.Go(ctx, func(ctx context.Context) error {
			_, err := g.gather(ctx, []racer{sleeping, slowSibling})
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
	eachGatherer(t, func(ctx context.Context, f *fixture, g gatherer) {
		start := time.Now()
		var called atomic.Int64
		count := func(fn racer) racer {
			return func(ctx context.Context) (int, error) { called.Add(1); return fn(ctx) }
		}
		values, err := g.gather(ctx, []racer{
			count(returns(5)),
			count(after(time.Second, 7, io.ErrClosedPipe)),
			count(stubbornRacer(4*time.Second, 6)),
			count(func(ctx context.Context) (int, error) {
				_ = sleeper(ctx)
				return 8, errBoom
			}),
			count(sleeping),
		})
		if !errors.Is(err, io.ErrClosedPipe) || errors.Is(err, errBoom) || errors.Is(err, curio.ErrCancelled) || failedAt(err) != 1 {
			f.Errorf("%v", err)
		}
		if text := fmt.Sprint(err); text != "curio: item 1: io: read/write on closed pipe" {
			f.Errorf("the text is %q", text)
		}
		wantValues, wantCalled, wantTime := []int{5, 0, 6, 0, 0}, int64(5), 4*time.Second
		switch g.limit {
		case 1:
			wantValues, wantCalled, wantTime = []int{5, 0, 0, 0, 0}, 2, time.Second
		case 2:
			wantCalled = 3
		}
		if !slices.Equal(values, wantValues) || called.Load() != wantCalled {
			f.Errorf("the values are %v, and %d were called", values, called.Load())
		}
		f.elapsed(start, wantTime)
		f.onlyMain()
	})
}

// With KeepGoing all functions are called, and all failures are the error, in order.
func TestGatherKeepGoing(t *testing.T) {
	eachGatherer(t, func(ctx context.Context, f *fixture, g gatherer) {
		values, err := g.gather(ctx, []racer{
			after(3*time.Second, 1, io.ErrClosedPipe), after(2*time.Second, 2, nil), explode, returns(4), fails, vanish, after(time.Second, 7, nil),
		}, curio.KeepGoing)
		is(f, "all", err, errBoom, curio.ErrGoexit)
		if !errors.Is(err, io.ErrClosedPipe) || !slices.Equal(values, []int{0, 2, 0, 4, 0, 0, 7}) {
			f.Errorf("%v, %v", values, err)
		}
		if at := failures(err); !slices.Equal(at, []int{0, 2, 4, 5}) {
			f.Errorf("failures at %v", at)
		}
		if n := len(f.Journal.take(msgPanic)); n != 1 {
			f.Errorf("the panic was logged %d times", n)
		}
		f.onlyMain()
	})
}

// A panic and Goexit are failures as any other, and cancel the others.
func TestGatherPanicAndGoexit(t *testing.T) {
	for what, bad := range map[string]racer{"panic": explode, "Goexit": vanish} {
		t.Run(what, func(t *testing.T) {
			eachGatherer(t, func(ctx context.Context, f *fixture, g gatherer) {
				_, err := g.gather(ctx, []racer{bad, sleeping})
				panicked, isPanic := errors.AsType[*curio.PanicError](err)
				if failedAt(err) != 0 || isPanic != (what == "panic") || !isPanic && !errors.Is(err, curio.ErrGoexit) {
					f.Errorf("%v", err)
				}
				if isPanic && !strings.Contains(string(panicked.Stack), "curio_test.explode") {
					f.Errorf("the stack is not the function's: %s", panicked.Stack)
				}
				if n := len(f.Journal.take(msgPanic)); n != 1 && isPanic {
					f.Errorf("the panic was logged %d times", n)
				}
				f.onlyMain()
			})
		})
	}
}

// A task that somebody cancels leaves its result missing. With KeepGoing and a limit, another task
// does what is left.
func TestGatherTaskIsCancelled(t *testing.T) {
	cancelsItself := func(ctx context.Context) (int, error) {
		curio.CurrentTask(ctx).CancelNow(errBoom)
		return 0, sleeper(ctx)
	}
	eachGatherer(t, func(ctx context.Context, f *fixture, g gatherer) {
		_, err := g.gather(ctx, []racer{cancelsItself, sleeping})
		because(f, "error", err, errBoom, taskCancelled...)
		if failedAt(err) != 0 {
			f.Errorf("%v", err)
		}
		values, err := g.gather(ctx, []racer{cancelsItself, returns(2), cancelsItself, cancelsItself, returns(5)}, curio.KeepGoing)
		is(f, "error with KeepGoing", err, taskCancelled...)
		if at := failures(err); !slices.Equal(at, []int{0, 2, 3}) || !slices.Equal(values, []int{0, 2, 0, 0, 5}) {
			f.Errorf("%v, failures at %v", values, at)
		}
		// A function that has succeeded has succeeded.
		succeeds := func(ctx context.Context) (int, error) { curio.CurrentTask(ctx).CancelNow(); return 1, nil }
		values, err = g.gather(ctx, []racer{succeeds, succeeds, succeeds})
		if !slices.Equal(values, []int{1, 1, 1}) || err != nil {
			f.Errorf("%v, %v", values, err)
		}
		f.onlyMain()
	})
}

// The caller's end is the caller's error. What has come before it is returned, too.
func TestGatherEndsWithItsContext(t *testing.T) {
	eachGatherer(t, func(ctx context.Context, f *fixture, g gatherer) {
		cleansUpBadly := func(ctx context.Context) (int, error) {
			_ = sleeper(ctx)
			return 0, io.ErrClosedPipe
		}
		var values []int
		for _, c := range []struct {
			last racer
			opts []curio.GroupOption
			left error // what the timeout lets through, nil for nothing
		}{
			{sleeping, nil, nil},
			{cleansUpBadly, nil, nil}, // ctx was first
			{sleeping, []curio.GroupOption{curio.KeepGoing}, errBoom},
			{sleeping, []curio.GroupOption{curio.KeepGoing}, curio.ErrGoexit},
		} {
			second, want := returns(3), taskTimeout
			if c.left != nil {
				second, want = fails, append([]error{c.left}, taskTimeout...)
			}
			if c.left == curio.ErrGoexit {
				second = vanish
			}
			expired, err := curio.IgnoreAfter(ctx, time.Minute, func(ctx context.Context) (err error) {
				values, err = g.gather(ctx, []racer{returns(2), second, c.last}, c.opts...)
				is(f, "error", err, want...)
				if group, ok := errors.AsType[*curio.TaskGroupError](err); ok {
					f.Errorf("there is a group's error in it: %v", group)
				}
				return err
			})
			if !expired || !errors.Is(err, c.left) || (err == nil) != (c.left == nil) || len(values) != 3 || values[0] != 2 || values[2] != 0 {
				f.Errorf("expired: %v, %v; values %v", expired, err, values)
			}
		}
		f.onlyMain()
	})
}

// If all functions have ended by themselves, nothing is lost by the end of ctx.
func TestGatherIsCompleteWhenItsContextEnds(t *testing.T) {
	eachGatherer(t, func(ctx context.Context, f *fixture, g gatherer) {
		for _, second := range []racer{stubbornRacer(time.Second, 2), fails} {
			err := curio.TimeoutAfter(ctx, brief, func(ctx context.Context) error {
				values, err := g.gather(ctx, []racer{second, stubbornRacer(time.Second, 1)}, curio.KeepGoing)
				if values[1] != 1 && g.limit != 1 || errors.Is(err, curio.ErrCancelled) && g.limit != 1 {
					f.Errorf("%v, %v", values, err)
				}
				return nil
			})
			if err != nil {
				f.Errorf("the timeout returned %v", err)
			}
			f.Journal.take(msgLate)
		}
	})
}

// A timeout that a function lets escape is not the caller's own.
func TestGatherTimeoutInside(t *testing.T) {
	slow := func(ctx context.Context) (int, error) { return 0, curio.TimeoutAfter(ctx, time.Second, sleeper) }
	eachGatherer(t, func(ctx context.Context, f *fixture, g gatherer) {
		for _, opts := range [][]curio.GroupOption{nil, {curio.KeepGoing}} {
			var inside error
			err := curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
				_, inside = g.gather(ctx, []racer{slow}, opts...)
				return inside
			})
			is(f, "inside", inside, context.DeadlineExceeded)
			is(f, "outside", err, context.DeadlineExceeded)
		}
	})
}

func TestGatherNothing(t *testing.T) {
	eachGatherer(t, func(ctx context.Context, f *fixture, g gatherer) {
		if values, err := g.gather(ctx, nil); values == nil || len(values) != 0 || err != nil {
			f.Errorf("%v, %v", values, err)
		}
		done, cancel := curio.WithTimeout(ctx, time.Hour)
		cancel()
		for _, fns := range [][]racer{nil, {func(context.Context) (int, error) { f.Error("it is called"); return 0, nil }}} {
			values, err := g.gather(done, fns)
			if is(f, "of a context that is done", err, scopeCancelled...); values != nil {
				f.Errorf("%v", values)
			}
		}
	})
}

func TestGatherMisuse(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		panics(f, "the one at 1", func() { _, _ = curio.Gather(ctx, []racer{fails, nil}) })
		panics(f, "Map with a nil function", func() { _, _ = curio.Map[int, int](ctx, nil, nil) })
		for _, policy := range []curio.GroupOption{curio.WaitAll, curio.WaitAny, curio.WaitObject, curio.WaitNone} {
			panics(f, "Gather with a policy", func() { _, _ = curio.Gather(ctx, []racer{fails}, curio.Limit(1), policy) })
			panics(f, "Map with a policy", func() { _, _ = curio.Map(ctx, []racer{fails}, callRacer, policy, curio.KeepGoing) })
		}
		f.onlyMain()
	})
}

// Under a context that was cut from a kernel that has ended, it works as anything else does there.
func TestGatherInAnEndedKernel(t *testing.T) {
	cut := context.WithoutCancel(endedKernel())
	for _, g := range gatherers {
		values, err := g.gather(cut, []racer{returns(1), returns(2), returns(3)})
		if err != nil || !slices.Equal(values, []int{1, 2, 3}) {
			t.Errorf("%s: %v, %v", g.name, values, err)
		}
	}
}

// A log handler that ends the goroutine does not keep others from being called.
func TestGatherWhoseLogExits(t *testing.T) {
	k := curio.NewKernel(curio.Logger(slog.New(exitingHandler{slog.DiscardHandler})))
	defer func() { _ = k.Shutdown(t.Context()) }()
	err := k.Run(t.Context(), func(ctx context.Context) error {
		for _, g := range gatherers {
			values, err := g.gather(ctx, []racer{explode, returns(2), explode, returns(4)}, curio.KeepGoing)
			if !slices.Equal(values, []int{0, 2, 0, 4}) || !slices.Equal(failures(err), []int{0, 2}) || errors.Is(err, curio.ErrGoexit) {
				t.Errorf("%s: %v, %v", g.name, values, err)
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
	eachGatherer(t, func(ctx context.Context, f *fixture, g gatherer) {
		bad := func(context.Context) (int, error) { return 0, unwrapPanics{} }
		_, err := g.gather(ctx, []racer{bad})
		if item, ok := err.(*curio.ItemError); !ok || item.Err != error(unwrapPanics{}) {
			f.Errorf("the error is a %T", err)
		}
	})
}

type unwrapPanics struct{}

func (unwrapPanics) Error() string { return "bad" }
func (unwrapPanics) Unwrap() error { panic("no") }

func init() {
	for _, g := range gatherers {
		children["crash "+g.name] = func() {
			_ = curio.Run(context.Background(), func(ctx context.Context) error {
				_, err := g.gather(ctx, []racer{func(context.Context) (int, error) { panic("the end is near") }, sleeping})
				fmt.Println("the caller goes on:", err) // for a moment
				return curio.Sleep(ctx, time.Minute)
			}, curio.CrashOnPanic(), curio.Logger(slog.New(slog.NewTextHandler(os.Stderr, nil))))
			fmt.Println("alive")
		}
	}
}

// With CrashOnPanic the process ends, after one line of the log.
func TestGatherCrashOnPanic(t *testing.T) {
	for _, g := range gatherers {
		if g.limit > 1 {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			text, code := threadChild(t, "crash "+g.name)
			if code != 2 || strings.Count(text, msgPanic) != 1 || strings.Contains(text, "alive") || strings.Contains(text, "Goexit called") || !strings.Contains(text, "gather_test.go") {
				t.Errorf("exit status %d, output:\n%s", code, text)
			}
		})
	}
}

// With Limit, a Map of many items takes no more than the results.
func TestMapTakesNoMemoryPerItem(t *testing.T) {
	withKernel(t, func(ctx context.Context, f *fixture) {
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
	for _, g := range gatherers {
		t.Run(g.name, func(t *testing.T) {
			withKernel(t, func(ctx context.Context, f *fixture) {
				l := new(loads)
				kept := gatherLoads(ctx, l, g)
				if n := l.left(); n > 0 {
					f.Errorf("%d of %d loads are kept", n, len(l.made))
				}
				runtime.KeepAlive(kept)
			})
		})
	}
}

//go:noinline
func gatherLoads(ctx context.Context, l *loads, g gatherer) (keep []any) {
	var fns []racer
	for range 3 {
		v := l.make()
		fns = append(fns, func(ctx context.Context) (int, error) {
			keep = append(keep, ctx, curio.CurrentTask(ctx), v[0])
			return 0, errBoom
		})
	}
	_, err := g.gather(ctx, fns, curio.Limit(1), curio.KeepGoing)
	return append(keep, err)
}

// At whichever moment the caller is cancelled or a function fails: each value is returned, nothing
// runs on, and the error is the one of what came first.
func TestRaceGather(t *testing.T) {
	for _, opts := range [][]curio.GroupOption{nil, {curio.Limit(2)}, {curio.KeepGoing}, {curio.Limit(2), curio.KeepGoing}} {
		race(t, 1000, func(ctx context.Context) {
			var made, running atomic.Int64
			makes := func(ctx context.Context, v int) (int, error) {
				running.Add(1)
				defer running.Add(-1)
				spin()
				if v == 4 {
					return 0, errBoom
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
				if err == nil || !errors.Is(err, errBoom) && !errors.Is(err, curio.ErrTaskCancelled) {
					t.Errorf("%v, with %v: %v", err, opts, values)
				}
				return sum(values), nil
			})
			if spin(); made.Load() > 0 || spinLonger() {
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
		spin()
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
	race(t, 300, func(ctx context.Context) {
		var victim atomic.Pointer[curio.AnyTask]
		var done atomic.Bool
		killer := curio.Go(ctx, func(context.Context) error {
			for !done.Load() {
				if v := victim.Swap(nil); v != nil {
					spin()
					v.CancelNow()
				}
				runtime.Gosched()
			}
			return nil
		})
		values, err := curio.Map(ctx, make([]int, 20), func(ctx context.Context, _ int) (int, error) {
			victim.Store(curio.CurrentTask(ctx))
			spin()
			return 1, curio.Sleep(ctx, 0)
		}, curio.Limit(2), curio.KeepGoing)
		done.Store(true)
		failed := 0
		if err != nil {
			is(t, "error", err, taskCancelled...)
			failed = len(failures(err))
		}
		if sum(values)+failed != 20 {
			t.Errorf("%d have succeeded and %d failed", sum(values), failed)
		}
		_ = killer.Wait(ctx)
	})
}
