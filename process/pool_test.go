package process_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/process"
)

func newPool(ctx context.Context, t testing.TB, cfg process.Config) *process.Pool {
	t.Helper()
	p, err := process.NewPool(ctx, cfg)
	check(t, err)
	return p
}

// The pool of a kernel ends with it, and nothing keeps either.
func TestPoolOfKernel(t *testing.T) {
	before := process.Pools()
	var first, second *process.Pool
	inKernel(t, func(ctx context.Context) error {
		first = process.PoolOf(ctx)
		if process.PoolOf(ctx) != first {
			t.Error("there are two pools")
		}
		if _, err := process.Run(ctx, double, 1); err != nil {
			return err
		}
		if n := len(first.Workers()); n != 1 {
			t.Errorf("there are %d workers", n)
		}
		check(t, first.Close(ctx))
		check(t, first.Close(ctx)) // a second time
		second = process.PoolOf(ctx)
		if second == first {
			t.Error("the pool is a closed one")
		}
		n, err := process.Run(ctx, double, 21)
		if n != 42 {
			t.Errorf("after Close: %d, %v", n, err)
		}
		return err
	})
	if process.Pools() != before {
		t.Errorf("there are %d pools, and there were %d", process.Pools(), before)
	}
	_, err := process.Run(background, double, 1, process.In(second))
	wantError(t, err, process.ErrPoolClosed)
}

// Calls with a kernel that has been shut down, or outlives the pool's.
func TestKernelShutDown(t *testing.T) {
	testutil.NoLeaks(t)
	kernel := curio.NewKernel()
	var within context.Context
	check(t, kernel.Run(background, func(ctx context.Context) error { within = ctx; return nil }))
	check(t, kernel.Shutdown(background))
	_, err := process.NewPool(within, process.Config{})
	wantError(t, err, curio.ErrKernelShutdown)
	wantError(t, process.Configure(within, process.Config{}), curio.ErrKernelShutdown)
}

// A busy pool whose kernel is shut down: the calls of that kernel are cancelled, and the calls of another kernel fail.
func TestShutdownWhileBusy(t *testing.T) {
	inKernel(t, func(ctx context.Context) error {
		kernel := curio.NewKernel()
		var p *process.Pool
		var own *curio.Task[string]
		check(t, kernel.Run(ctx, func(ctx context.Context) error {
			p = newPool(ctx, t, process.Config{Workers: 2})
			own = curio.Spawn(ctx, func(ctx context.Context) (string, error) {
				return process.Run(ctx, sleeps, long, process.In(p))
			}, curio.Daemon(), curio.ReportCrash(false))
			return nil
		}))
		foreign := curio.Spawn(ctx, func(ctx context.Context) (string, error) {
			return process.Run(ctx, sleeps, long, process.In(p))
		})
		testutil.Await(t, "two busy workers", func() bool {
			n := 0
			for _, w := range p.Workers() {
				if w.Func == "sleeps" {
					n++
				}
			}
			return n == 2
		})
		check(t, kernel.Shutdown(ctx))
		wantError(t, own.Err(), curio.ErrTaskCancelled)
		_, err := foreign.Join(ctx)
		wantError(t, err, process.ErrPoolClosed)
		return nil
	})
}

// Close lets calls finish that are being served, and refuses all others.
func TestClose(t *testing.T) {
	inKernel(t, func(ctx context.Context) error {
		p := newPool(ctx, t, process.Config{Workers: 1})
		var let curio.Event
		serving := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
			return process.Run(ctx, counts, 3, process.In(p), process.Progress(func(int) { _ = let.Wait(ctx) }))
		})
		busy(p)
		waiting := curio.Spawn(ctx, func(ctx context.Context) (int, error) { return process.Run(ctx, double, 1, process.In(p)) })
		testutil.Await(t, "a call that waits", func() bool { return p.Waiting() == 1 })
		closing := curio.Go(ctx, p.Close)
		_, err := waiting.Join(ctx)
		wantError(t, err, process.ErrPoolClosed)
		_, err = process.Run(ctx, double, 1, process.In(p))
		wantError(t, err, process.ErrPoolClosed)
		if closing.Terminated() || serving.Terminated() {
			t.Error("Close has not waited")
		}
		let.Set()
		n, err := serving.Join(ctx)
		if n != 3 {
			t.Errorf("the call that was being served gives %d, %v", n, err)
		}
		_, err = closing.Join(ctx)
		return err
	})
}

// Configure comes before the first call, and says what is wrong.
func TestConfigure(t *testing.T) {
	inKernel(t, func(ctx context.Context) error {
		for _, cfg := range []process.Config{
			{Workers: -1},
			{Processors: -1},
			{CallsPerWorker: -1},
			{Memory: -1},
			{CPUTime: -1},
			{StartTimeout: -1},
			{Env: []string{"x"}},
			{Env: []string{"=x"}},
			{Env: []string{"a=b\x00"}},
		} {
			if err := process.Configure(ctx, cfg); err == nil {
				t.Errorf("Configure takes %+v", cfg)
			}
			if _, err := process.NewPool(ctx, cfg); err == nil {
				t.Errorf("NewPool takes %+v", cfg)
			}
		}
		check(t, process.Configure(ctx, process.Config{Workers: 7}))
		check(t, process.Configure(ctx, process.Config{Workers: 1, Processors: 3, Env: []string{"PROCESS_TEST=set"}}))
		got, err := process.Run(ctx, settings, struct{}{})
		if want := "3 set " + os.Getenv("PATH"); got != want {
			t.Errorf("the worker has %q, want %q: %v", got, want, err)
		}
		wantText(t, process.Configure(ctx, process.Config{}), "before the first call")
		return nil
	})
}

var settings = process.Register("settings", func(context.Context, struct{}) (string, error) {
	return fmt.Sprintf("%d %s %s", runtime.GOMAXPROCS(0), os.Getenv("PROCESS_TEST"), os.Getenv("PATH")), nil
})

// Workers and their functions can be seen, by Workers and in the tree of tasks.
func TestVisible(t *testing.T) {
	inKernel(t, func(ctx context.Context) error {
		p := newPool(ctx, t, process.Config{Workers: 1})
		serving := curio.Spawn(ctx, func(ctx context.Context) (string, error) { return process.Run(ctx, sleeps, long, process.In(p)) })
		w := busy(p)
		waiting := curio.Spawn(ctx, func(ctx context.Context) (int, error) { return process.Run(ctx, double, 1, process.In(p)) })
		testutil.Await(t, "states", func() bool {
			return serving.State() == "PROCESS_CALL" && waiting.State() == "PROCESS_WORKER"
		})
		if w.Func != "sleeps" || w.Pid == 0 || w.Startup <= 0 || w.Started.IsZero() || w.Since.Before(w.Started) || w.Calls != 0 {
			t.Errorf("the worker is %+v", w)
		}
		wantPath := fmt.Sprintf("process pool/worker %d/sleeps", w.Pid)
		if !slices.ContainsFunc(curio.KernelOf(ctx).Tasks(), func(task *curio.AnyTask) bool { return task.Path() == wantPath }) {
			t.Errorf("there is no task %s", wantPath)
		}
		if text := p.String(); text != "Pool(workers=1/1, idle=0, waiting=1)" {
			t.Errorf("it is %s", text)
		}
		_, err := serving.Cancel(ctx)
		check(t, err)
		if n, err := waiting.Join(ctx); n != 2 || err != nil { // it has gone on waiting
			t.Errorf("the call that waited gives %d, %v", n, err)
		}
		if all := p.Workers(); len(all) != 1 || all[0].Pid == w.Pid || all[0].Func != "" || all[0].Calls != 1 {
			t.Errorf("the workers are %+v", all)
		}
		return p.Close(ctx)
	})
}

// A pool has as many workers as its calls need, and never more than it may have.
func TestWorkersOnDemand(t *testing.T) {
	inKernel(t, func(ctx context.Context) error {
		p := newPool(ctx, t, process.Config{Workers: 3})
		for range 20 {
			if _, err := process.Run(ctx, double, 1, process.In(p)); err != nil {
				return err
			}
		}
		if n := len(p.Workers()); n != 1 {
			t.Errorf("one call at a time has %d workers", n)
		}
		_, err := curio.Map(ctx, make([]int, 10), func(ctx context.Context, n int) (string, error) {
			return process.Run(ctx, sleeps, 20*time.Millisecond, process.In(p))
		})
		if n := len(p.Workers()); n != 3 {
			t.Errorf("ten calls at a time have %d workers", n)
		}
		return errors.Join(err, p.Close(ctx))
	})
}

// An Output that hangs holds up neither the pool's end nor the kernel's.
func TestOutputHangs(t *testing.T) {
	var called atomic.Bool
	hung := make(chan struct{})
	defer close(hung)
	process.ShortLastWords(t)
	testutil.NoLeaks(t)
	check(t, curio.Run(background, func(ctx context.Context) error {
		p := newPool(ctx, t, process.Config{Output: func(process.Line) { called.Store(true); <-hung }})
		if _, err := process.Run(ctx, says, "hello", process.In(p)); err != nil {
			return err
		}
		testutil.Await(t, "a call of Output", called.Load)
		return p.Close(ctx)
	}))
	noChildren(t)
}

// Lines that are too long come in pieces, and a last one without its end.
func TestLongLines(t *testing.T) {
	var out strings.Builder
	most := 0
	inKernel(t, func(ctx context.Context) error {
		p := newPool(ctx, t, process.Config{Output: func(l process.Line) {
			if !l.Stderr {
				out.WriteString(l.Text)
				most = max(most, len(l.Text))
			}
		}})
		if _, err := process.Run(ctx, prints, 200_000, process.In(p)); err != nil {
			return err
		}
		return p.Close(ctx)
	})
	if out.Len() != 200_000 || most != 64<<10 {
		t.Errorf("there came %d bytes, at most %d at a time", out.Len(), most)
	}
}

var prints = process.Register("prints", func(_ context.Context, n int) (int, error) {
	return fmt.Print(strings.Repeat("x", n))
})

// What a function leaves behind is cancelled: its context, and the tasks that it has spawned.
func TestLeftBehind(t *testing.T) {
	inKernel(t, func(ctx context.Context) error {
		p := newPool(ctx, t, process.Config{Workers: 1})
		if _, err := process.Run(ctx, leaves, struct{}{}, process.In(p)); err != nil {
			return err
		}
		said, err := process.Run(ctx, looks, struct{}{}, process.In(p))
		if said != "context canceled, true, has ended" {
			t.Errorf("it says %q, %v", said, err)
		}
		return p.Close(ctx)
	})
}

var (
	leftTask *curio.Task[struct{}]
	leftCtx  context.Context

	leaves = process.Register("leaves", func(ctx context.Context, _ struct{}) (struct{}, error) {
		leftCtx = ctx
		leftTask = curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, long) })
		return struct{}{}, nil
	})
	looks = process.Register("looks", func(ctx context.Context, _ struct{}) (string, error) {
		if err := leftTask.Wait(ctx); err != nil {
			return "", err
		}
		_, late := process.TryReport(leftCtx, 1)
		ended := ""
		if err := process.Report(context.WithoutCancel(leftCtx), 1); err == nil {
			ended = "has ended" // nobody has listened
		}
		return fmt.Sprintf("%v, %t, %s", leftCtx.Err(), errors.Is(late, context.Canceled), ended), nil
	})
)

// Misuse panics, and says what to do.
func TestMisuse(t *testing.T) {
	var none *process.Func[int, int]
	var zero process.Pool
	fn := func(context.Context, int) (int, error) { return 0, nil }
	for name, use := range map[string]func(){
		"process: Register(\"double\")":       func() { process.Register("double", fn) },
		"process: Register(\"\")":             func() { process.Register("", fn) },
		"process: Register(\"a\\nb\")":        func() { process.Register("a\nb", fn) },
		"process: Register(\"nil\") of a nil": func() { process.Register[int, int]("nil", nil) },
		"process: Register(\"chan\"): the argument": func() {
			process.Register("chan", func(context.Context, chan int) (int, error) { return 0, nil })
		},
		"process: Register(\"lost\"): the result": func() {
			process.Register("lost", func(context.Context, int) (struct{ Kept, lost int }, error) {
				return struct{ Kept, lost int }{}, nil
			})
		},
		"process: Run without a function":   func() { _, _ = process.Run(background, none, 1) },
		"process: Run without a function; ": func() { _, _ = process.Run(background, new(process.Func[int, int]), 1) },
		"process: Map without a function":   func() { process.Map(background, none, slices.Values([]int{1})) },
		"process: Map over a nil sequence":  func() { process.Map(background, double, nil) },
		"process: Run with Unordered":       func() { _, _ = process.Run(background, double, 1, process.Unordered()) },
		"process: In(nil)":                  func() { process.In(nil) },
		"process: Progress[int](nil)":       func() { process.Progress[int](nil) },
		"process: Progress[chan int]":       func() { process.Progress(func(chan int) {}) },
		"process: use of the zero Pool":     func() { _, _ = process.Run(background, double, 1, process.In(&zero)) },
		"process: use of the zero Pool; ":   func() { _ = zero.Close(background) },
		"process: use of the zero Pool; p":  func() { zero.Workers() },
	} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.HasPrefix(text, name) {
					t.Errorf("it panics with %q, want %q", text, name)
				}
			}()
			use()
		}()
	}
}

// Calls outside of kernels belong to the process's default kernel.
func TestDefaultKernel(t *testing.T) {
	testutil.NoLeaks(t)
	n, err := process.Run(background, double, 21)
	if n != 42 || err != nil {
		t.Errorf("it is %d, %v", n, err)
	}
	check(t, process.PoolOf(background).Close(background))
	noChildren(t)
}

// Functions can be called as they are, and then there is nobody to report to.
func TestReportElsewhere(t *testing.T) {
	check(t, process.Report(background, 1))
	if sent, err := process.TryReport(background, 1); !sent || err != nil {
		t.Errorf("TryReport: %t, %v", sent, err)
	}
	ctx, cancel := context.WithCancel(background)
	cancel()
	wantError(t, process.Report(ctx, 1), context.Canceled)
	if sent, err := process.TryReport(ctx, 1); sent || !errors.Is(err, context.Canceled) {
		t.Errorf("TryReport: %t, %v", sent, err)
	}
}

// In a worker with one processor, a function that computes after all has been idle keeps nobody from hearing
// that it has to end: a wait for a descriptor wakes the monitor of the runtime (internal/poll).
func TestComputesAfterIdling(t *testing.T) {
	inKernel(t, func(ctx context.Context) error {
		p := newPool(ctx, t, process.Config{Workers: 1, Grace: 20 * time.Second})
		for range testutil.Starts(100) {
			if _, err := process.Run(ctx, double, 1, process.In(p)); err != nil {
				return err
			}
			if err := curio.Sleep(ctx, 30*time.Millisecond); err != nil { // the worker's monitor goes to sleep
				return err
			}
			task := curio.Go(ctx, func(ctx context.Context) error {
				_, err := process.Run(ctx, computesUntilDone, struct{}{}, process.In(p))
				return err
			}, curio.ReportCrash(false))
			w := busy(p)
			if _, err := task.Cancel(ctx); err != nil {
				return err
			}
			wantError(t, task.Err(), curio.ErrTaskCancelled)
			began := time.Now()
			awaitGone(t, w.Pid)
			if d := time.Since(began); d > 10*time.Second { // the monitor may sleep for a minute
				t.Errorf("the function has heard of its end after %v", d)
			}
		}
		return p.Close(ctx)
	})
}

// computesUntilDone makes no system call, and looks at its context.
var computesUntilDone = process.Register("computesUntilDone", func(ctx context.Context, _ struct{}) (n int, err error) {
	for ; ctx.Err() == nil; n++ {
	}
	return n, ctx.Err()
})
