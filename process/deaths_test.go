package process_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/process"
)

// A function that ends its worker, in whatever way, fails its own call, with an error that says how.
func TestFunctionEndsWorker(t *testing.T) {
	for _, c := range []struct {
		act    string
		code   int // of the exit
		signal syscall.Signal
		says   string
	}{
		{"exit 0", 0, 0, ""},
		{"exit 3", 3, 0, "exit status 3"},
		{"fatal out of luck", 1, 0, "out of luck"},
		{"panic elsewhere", 2, 0, "panic: elsewhere"},
		{"overflow", 2, 0, "stack overflow"},
		{"unlock", 2, 0, "unlock of unlocked mutex"},
		{"kill SIGKILL", 0, syscall.SIGKILL, "killed"},
		{"kill SIGSEGV", 2, 0, "SIGSEGV"},
		{"kill SIGTERM", 0, syscall.SIGTERM, "killed by SIGTERM"},
		{"kill SIGABRT", 2, 0, "SIGABRT"},
	} {
		t.Run(c.act, func(t *testing.T) {
			inPool(t, process.Config{Workers: 1, Grace: -1}, func(ctx context.Context, p *process.Pool) {
				pid := runsOn(ctx, t, p)
				name := c.act
				if name == "panic elsewhere" {
					name = "go panic"
				}
				_, err := process.Run(ctx, act, name, process.In(p))
				t.Logf("%v", err)
				e := died(t, err)
				var sig os.Signal
				if c.signal != 0 {
					sig = c.signal
				}
				if e.Pid != pid || e.Func != "act" || e.Status.Code != c.code && sig == nil || e.Status.Signal != sig {
					t.Errorf("%+v", e)
				}
				wantText(t, err, c.says)
				if len(e.Stderr) > 8<<10 {
					t.Errorf("%d bytes of standard error are kept", len(e.Stderr))
				}
				runsOn(ctx, t, p)
			})
		})
	}
}

func init() {
	acts["exit"] = func(_ context.Context, code string) (string, error) {
		if code == "0" {
			os.Exit(0)
		}
		os.Exit(3)
		return "", nil
	}
	acts["fatal"] = func(_ context.Context, why string) (string, error) { log.Fatal(why); return "", nil }
	acts["go"] = func(context.Context, string) (string, error) {
		go panic("elsewhere")
		select {}
	}
	acts["overflow"] = func(context.Context, string) (string, error) {
		debug.SetMaxStack(1 << 20)
		return fmt.Sprint(endless(1)), nil
	}
	acts["unlock"] = func(context.Context, string) (string, error) { new(sync.Mutex).Unlock(); return "", nil }
	acts["kill"] = func(_ context.Context, name string) (string, error) {
		sig := map[string]syscall.Signal{"SIGKILL": syscall.SIGKILL, "SIGSEGV": syscall.SIGSEGV, "SIGTERM": syscall.SIGTERM, "SIGABRT": syscall.SIGABRT}[name]
		_ = syscall.Kill(os.Getpid(), sig)
		select {}
	}
}

func endless(n int) int {
	if n < 0 {
		return 0
	}
	return endless(n+1) + 1
}

// An Essential task of the function's that fails ends the worker, which says why.
func TestEssentialTaskFails(t *testing.T) {
	inPool(t, process.Config{Workers: 1}, func(ctx context.Context, p *process.Pool) {
		for range testutil.Starts(50) {
			_, err := process.Run(ctx, spawnsEssential, struct{}{}, process.In(p))
			wantText(t, err, "without which nothing goes") // the function or the worker may be quicker to say so
		}
		runsOn(ctx, t, p)
	})
}

var spawnsEssential = process.Register("spawnsEssential", func(ctx context.Context, _ struct{}) (struct{}, error) {
	curio.Go(ctx, func(context.Context) error { return errors.New("without which nothing goes") }, curio.Essential())
	return struct{}{}, curio.Sleep(ctx, time.Hour)
})

// Goexit in the function is a failure of the call, and not of the worker.
func TestGoexit(t *testing.T) {
	inPool(t, process.Config{Workers: 1}, func(ctx context.Context, p *process.Pool) {
		pid := runsOn(ctx, t, p)
		_, err := process.Run(ctx, act, "Goexit", process.In(p))
		t.Logf("%T: %v", err, err)
		var remote *process.RemoteError
		if !errors.As(err, &remote) {
			t.Errorf("the error is %T: %v", err, err)
		}
		if next := runsOn(ctx, t, p); next != pid {
			t.Error("the worker was replaced")
		}
	})
}

func init() {
	acts["Goexit"] = func(context.Context, string) (string, error) {
		runtime.Goexit()
		return "", nil
	}
}

// The dump of very many goroutines is not kept, and its beginning is: that says why.
func TestCrashWithManyGoroutines(t *testing.T) {
	inPool(t, process.Config{Workers: 1}, func(ctx context.Context, p *process.Pool) {
		_, err := process.Run(ctx, act, "crowd", process.In(p))
		e := died(t, err)
		wantText(t, err, "panic: too many")
		if len(e.Stderr) > 8<<10 || !strings.Contains(string(e.Stderr), "panic: too many") {
			t.Errorf("%d bytes are kept: %.1000s", len(e.Stderr), e.Stderr)
		}
		runsOn(ctx, t, p)
	})
}

func init() {
	acts["crowd"] = func(context.Context, string) (string, error) {
		debug.SetTraceback("all")
		for range testutil.Times(100_000) {
			go func() { select {} }()
		}
		go panic("too many")
		select {}
	}
}

// A function that needs more memory than it may have dies of it, alone.
func TestMemoryLimit(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector needs more memory than any limit allows")
	}
	if !testutil.Long {
		t.Skip("it takes seconds of the processor: set CURIO_LONG")
	}
	needsLimits(t)
	inPool(t, process.Config{Workers: 1, Memory: 128 << 20}, func(ctx context.Context, p *process.Pool) {
		for range 3 {
			_, err := process.Run(ctx, act, "eat", process.In(p))
			t.Logf("%v", err)
			if e := died(t, err); !strings.Contains(e.Reason, "memory limit") {
				t.Errorf("the reason is %q", e.Reason)
			}
			runsOn(ctx, t, p)
		}
		// Garbage is not memory that is needed.
		_, err := process.Run(ctx, act, "litter", process.In(p))
		check(t, err)
	})
}

func init() {
	var eaten [][]byte
	acts["eat"] = func(context.Context, string) (string, error) {
		for {
			eaten = append(eaten, make([]byte, 16<<20))
			for i := range eaten[len(eaten)-1] {
				eaten[len(eaten)-1][i] = 1
			}
		}
	}
	acts["litter"] = func(context.Context, string) (string, error) {
		for range 1000 {
			eaten = [][]byte{make([]byte, 1<<20)}
		}
		return "", nil
	}
}

// The processor time is each call's own: what others have used before does not count.
func TestCPULimit(t *testing.T) {
	if !testutil.Long {
		t.Skip("it takes seconds of the processor: set CURIO_LONG")
	}
	needsLimits(t)
	inPool(t, process.Config{Workers: 1, CPUTime: time.Second}, func(ctx context.Context, p *process.Pool) {
		pid := runsOn(ctx, t, p)
		for range 3 {
			_, err := process.Run(ctx, act, "burn", process.In(p))
			check(t, err)
		}
		if runsOn(ctx, t, p) != pid {
			t.Error("the worker was replaced")
		}
		_, err := process.Run(ctx, spin, 0, process.In(p))
		t.Logf("%v", err)
		if e := died(t, err); !strings.Contains(e.Reason, "CPU time limit") {
			t.Errorf("the reason is %q", e.Reason)
		}
		runsOn(ctx, t, p)
	})
}

func init() {
	acts["burn"] = func(context.Context, string) (string, error) {
		for began := testutil.ProcessorTime(); testutil.ProcessorTime()-began < 500*time.Millisecond; {
		}
		return "", nil
	}
}

// needsLimits skips the test where workers cannot be limited.
func needsLimits(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("limits are tested on Linux")
	}
}

// Ctrl-C goes to the whole group of a terminal, as here: the parent gets it, and decides. The worker goes on,
// and its result arrives. A SIGINT that a worker gets itself, busy or idle, does nothing.
func TestInterruptReachesParentOnly(t *testing.T) {
	testutil.Need(t, "sh")
	noTraces(t)
	c := testutil.Shell(t, "sh", `trap : INT; "$0" "$@"; echo status $?`, "interrupted")
	if line := c.Line(); line != "ready" {
		t.Fatalf("it said %q", line)
	}
	c.InterruptGroup()
	said, _ := c.Rest()
	if said != "stopping\nresult done\nstatus 130\n" {
		t.Errorf("it said %q, complained %q", said, c.Stderr())
	}
}

func init() {
	children["interrupted"] = func([]string) error {
		err := curio.Run(background, func(ctx context.Context) error {
			dir, err := os.MkdirTemp("", "")
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			p, err := process.NewPool(ctx, process.Config{Workers: 2})
			if err != nil {
				return err
			}
			begun := new(curio.Result[int])
			busy := curio.Spawn(ctx, func(ctx context.Context) (string, error) {
				return process.Run(ctx, act, "until "+dir+"/stopping", process.In(p), process.Progress(func(pid int) { begun.SetValue(pid) }))
			})
			worker, err := begun.Get(ctx)
			if err != nil {
				return err
			}
			idle, err := process.Run(ctx, pidOf, 0, process.In(p))
			if err != nil {
				return err
			}
			for range 10 {
				_, _ = syscall.Kill(worker, syscall.SIGINT), syscall.Kill(idle, syscall.SIGINT)
			}
			fmt.Println("ready")
			waiting, cancel := curio.UntilStop(ctx)
			defer cancel()
			if err := curio.Sleep(waiting, time.Hour); !errors.Is(err, curio.ErrStopping) {
				return err
			}
			fmt.Println("stopping")
			if again, err := process.Run(ctx, pidOf, 0, process.In(p)); err != nil || again != idle {
				return fmt.Errorf("the idle worker was %d and is %d, %w", idle, again, err)
			}
			if err := os.WriteFile(dir+"/stopping", nil, 0o600); err != nil {
				return err
			}
			text, err := busy.Join(ctx)
			fmt.Println("result", text)
			return err
		}, curio.StopOnSignals(), curio.Grace(testutil.Patience))
		curio.Exit(err)
		return nil
	}
	acts["until"] = func(ctx context.Context, path string) (string, error) {
		if err := process.Report(ctx, os.Getpid()); err != nil {
			return "", err
		}
		for {
			if _, err := os.Stat(path); err == nil {
				return "done", nil
			}
			if err := curio.Sleep(ctx, time.Millisecond); err != nil {
				return "", err
			}
		}
	}
}
