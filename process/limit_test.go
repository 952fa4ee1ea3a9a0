package process_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/process"
)

const mib = 1 << 20

// hoard keeps what eats has allocated.
var hoard [][]byte

var (
	// eats keeps n MiB of memory, reports each, and returns how many it has got.
	eats = process.Register("eats", func(ctx context.Context, n int) (int, error) {
		for range n {
			b := make([]byte, mib)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			hoard = append(hoard, b)
			if err := process.Report(ctx, len(hoard)); err != nil {
				return 0, err
			}
		}
		return len(hoard), nil
	})

	// litters allocates n MiB of memory, and keeps none.
	litters = process.Register("litters", func(_ context.Context, n int) (int, error) {
		for range n {
			hoard = [][]byte{make([]byte, mib)}
		}
		return n, nil
	})

	// uses uses processor time, also if it has been told to stop, and returns the worker's process id.
	uses = process.Register("uses", func(_ context.Context, d time.Duration) (int, error) {
		for began := testutil.ProcessorTime(); testutil.ProcessorTime()-began < d; {
		}
		return os.Getpid(), nil
	})

	// heeds uses processor time until it is told to stop.
	heeds = process.Register("heeds", func(ctx context.Context, _ struct{}) (int, error) {
		for ctx.Err() == nil {
		}
		return 0, ctx.Err()
	})

	withoutCPUTimers = process.Register("withoutCPUTimers", func(context.Context, struct{}) (struct{}, error) {
		process.WithoutCPUTimers()
		return struct{}{}, nil
	})
)

// withPool calls test with a pool of one worker.
func withPool(t *testing.T, cfg process.Config, test func(ctx context.Context, in process.Option) error) {
	t.Helper()
	inKernel(t, func(ctx context.Context) error {
		cfg.Workers = 1
		p, err := process.NewPool(ctx, cfg)
		check(t, err)
		defer func() { check(t, p.Close(ctx)) }()
		return test(ctx, process.In(p))
	})
}

// wantDeath fails the test if err is not about a worker that has died for such a reason.
func wantDeath(t *testing.T, err error, reason string) *process.WorkerError {
	t.Helper()
	var died *process.WorkerError
	if !errors.As(err, &died) {
		t.Fatalf("the error is %v, want a *WorkerError", err)
	}
	if !strings.Contains(died.Reason, reason) {
		t.Errorf("the reason is %q, want %q; standard error:\n%s", died.Reason, reason, died.Stderr)
	}
	return died
}

// Limits that the system does not have, or that no Go program could live with, are refused (traps 65).
func TestLimitsAreRefused(t *testing.T) {
	inKernel(t, func(ctx context.Context) error {
		err := process.Configure(ctx, process.Config{Memory: 32 * mib})
		if runtime.GOOS != "linux" {
			wantError(t, err, errors.ErrUnsupported)
		} else {
			wantText(t, err, "Memory", "64 MiB")
		}
		wantText(t, process.Configure(ctx, process.Config{CPUTime: -1}), "CPUTime")
		return nil
	})
}

// A call that uses up its processor time fails with an error that says so, and the next one is served (traps 66).
func TestCPUTimeLimit(t *testing.T) {
	const most = 50 * time.Millisecond
	withPool(t, process.Config{CPUTime: most, Grace: time.Millisecond}, func(ctx context.Context, in process.Option) error {
		began := testutil.ProcessorTime()
		_, err := process.Run(ctx, uses, time.Hour, in)
		died := wantDeath(t, err, "CPU time limit: the call has used more than 50ms")
		if used := died.Status.UserTime + died.Status.SystemTime; used < most-most/10 {
			t.Errorf("it has used %v only", used)
		}
		if ours := testutil.ProcessorTime() - began; ours > died.Status.UserTime+time.Second {
			t.Errorf("we have used %v", ours)
		}
		_, err = process.Run(ctx, heeds, struct{}{}, in) // graceful
		wantDeath(t, err, "CPU time limit")
		_, err = process.Run(ctx, double, 1, in)
		return err
	})
}

// A call that has used up its processor time fails, even if its result comes before the end of the grace time. The
// next call has another worker from the start.
func TestCPUTimeLimitBeforeResult(t *testing.T) {
	withPool(t, process.Config{CPUTime: 20 * time.Millisecond, Grace: long}, func(ctx context.Context, in process.Option) error {
		for range testutil.Times(10) {
			_, err := process.Run(ctx, uses, 100*time.Millisecond, in)
			wantDeath(t, err, "CPU time limit")
			if n, err := process.Run(ctx, double, 21, in); n != 42 || err != nil {
				t.Errorf("the next call gives %d, %v", n, err)
			}
		}
		return nil
	})
}

// The limit is of each call, not of the worker's life, and of processor time, not of time.
func TestCPUTimeIsOfACall(t *testing.T) {
	const most = 60 * time.Millisecond
	withPool(t, process.Config{CPUTime: most}, func(ctx context.Context, in process.Option) error {
		first, err := process.Run(ctx, uses, most/2, in)
		check(t, err)
		for range 3 {
			pid, err := process.Run(ctx, uses, most/2, in)
			if pid != first || err != nil {
				t.Errorf("another worker, %d instead of %d, %v", pid, first, err)
			}
		}
		slept, err := process.Run(ctx, sleeps, 2*most, in)
		if slept != "slept" {
			t.Errorf("%q, %v", slept, err)
		}
		return err
	})
}

// Where there are no timers of processor time, RLIMIT_CPU does the same, in whole seconds.
func TestCPUTimeLimitBySeconds(t *testing.T) {
	if !testutil.Long {
		t.Skip("it takes seconds of processor time: set CURIO_LONG")
	}
	withPool(t, process.Config{CPUTime: 50 * time.Millisecond, Grace: time.Millisecond}, func(ctx context.Context, in process.Option) error {
		_, err := process.Run(ctx, withoutCPUTimers, struct{}{}, in)
		check(t, err)
		_, err = process.Run(ctx, uses, time.Hour, in)
		died := wantDeath(t, err, "CPU time limit")
		if used := died.Status.UserTime + died.Status.SystemTime; used < 900*time.Millisecond {
			t.Errorf("it has used %v only", used)
		}
		return nil
	})
}

// A worker that ends itself, or crashes, fails its call, and what it says last is kept, however much it is (traps 70).
func TestDeaths(t *testing.T) {
	withPool(t, process.Config{}, func(ctx context.Context, in process.Option) error {
		for _, test := range []struct {
			how, reason, stderr string
			code                int
			signal              os.Signal
		}{
			{"exit", "exit status 3: the function, or something that it has called, has ended the process", "", 3, nil},
			{"exit 0", "exit status 0: the function", "", 0, nil},
			{"exit 2", "exit status 2: the function", "", 2, nil},
			{"fatal", "exit status 1: the function", "fatally wrong", 1, nil},
			{"panic", "a panic in a goroutine of the function's", "panic: far away", 2, nil},
			{"dump", "a panic in a goroutine of the function's", "panic: among many", 2, nil},
			{"nil", "a panic in a goroutine of the function's", "nil pointer dereference", 2, nil},
			{"SIGQUIT", "the program has crashed", "SIGQUIT: quit", 2, nil},
			{"SIGKILL", "killed by SIGKILL, perhaps out of memory", "", -1, syscall.SIGKILL},
			{"SIGHUP", "killed by SIGHUP", "", -1, syscall.SIGHUP},
		} {
			_, err := process.Run(ctx, dies, test.how, in)
			died := wantDeath(t, err, test.reason)
			if died.Status.Code != test.code || died.Status.Signal != test.signal || !strings.Contains(string(died.Stderr), test.stderr) {
				t.Errorf("%s: %v, and it said:\n%s", test.how, died.Status, died.Stderr)
			}
			if len(died.Stderr) > 16<<10 {
				t.Errorf("%s: %d bytes of standard error", test.how, len(died.Stderr))
			}
			if n, err := process.Run(ctx, double, 4, in); n != 8 || err != nil {
				t.Fatalf("afterwards: %d, %v", n, err)
			}
		}
		return nil
	})
}

var dies = process.Register("dies", func(ctx context.Context, how string) (int, error) {
	switch how {
	case "exit":
		os.Exit(3)
	case "exit 0":
		os.Exit(0)
	case "exit 2":
		os.Stderr.WriteString("it says panic: here, and means nothing by it\n")
		os.Exit(2)
	case "fatal":
		os.Stderr.WriteString("fatally wrong\n")
		os.Exit(1)
	case "panic":
		go func() { panic("far away") }()
	case "dump":
		debug.SetTraceback("all")
		for range 5000 {
			go func() { _ = curio.Sleep(context.Background(), time.Hour) }()
		}
		go func() { panic("among many") }()
	case "nil":
		go func() { var p *int; *p = 1 }()
	case "SIGQUIT":
		_ = syscall.Kill(os.Getpid(), syscall.SIGQUIT)
	case "SIGKILL":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "SIGHUP":
		_ = syscall.Kill(os.Getpid(), syscall.SIGHUP)
	}
	return 0, curio.Sleep(ctx, time.Hour)
})
