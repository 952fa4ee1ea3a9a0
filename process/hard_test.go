package process_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/process"
)

// What the tests of kills, hangs and bounds have in common.

// Functions that run in workers.
var (
	pidOf = process.Register("pid of", func(context.Context, int) (int, error) { return os.Getpid(), nil })

	// hang reports its process and waits for ever, whatever its context says.
	hang = process.Register("hang", func(ctx context.Context, _ int) (int, error) {
		if err := process.Report(ctx, os.Getpid()); err != nil {
			return 0, err
		}
		time.Sleep(time.Hour)
		return 0, nil
	})

	// spin is hang for a function that uses the processor.
	spin = process.Register("spin", func(ctx context.Context, _ int) (n int, err error) {
		if err := process.Report(ctx, os.Getpid()); err != nil {
			return 0, err
		}
		for {
			n++
		}
	})

	// obey reports its process and waits until its context is done.
	obey = process.Register("obey", func(ctx context.Context, _ int) (int, error) {
		if err := process.Report(ctx, os.Getpid()); err != nil {
			return 0, err
		}
		<-ctx.Done()
		return 0, ctx.Err()
	})

	sizeOf = process.Register("size of", func(_ context.Context, b []byte) (int, error) { return len(b), nil })
	blank  = process.Register("blank", func(_ context.Context, n int) ([]byte, error) { return make([]byte, n), nil })

	// act does what acts has under a name, with what follows the name after a space.
	act = process.Register("act", func(ctx context.Context, line string) (string, error) {
		name, rest, _ := strings.Cut(line, " ")
		return acts[name](ctx, rest)
	})
)

var acts = map[string]func(ctx context.Context, rest string) (string, error){}

// noTraces fails the test if it leaves a goroutine, a descriptor, a child, or a file behind.
func noTraces(t testing.TB) {
	t.Helper()
	testutil.NoLeaks(t)
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Cleanup(func() {
		t.Helper()
		if t.Failed() {
			return
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("files are left: %v, %v", left, err)
		}
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
			t.Errorf("there is a child: wait4 says %d, %v", pid, err)
		}
	})
}

// inPool runs a test with a pool, of which nothing may be left. What workers write is not seen, unless the test
// wants to have it: they crash at length.
func inPool(t testing.TB, config process.Config, test func(ctx context.Context, p *process.Pool)) {
	t.Helper()
	noTraces(t)
	if config.Output == nil {
		config.Output = func(process.Line) {}
	}
	check(t, curio.Run(background, func(ctx context.Context) error {
		p := newPool(ctx, t, config)
		test(ctx, p)
		return p.Close(ctx)
	}))
}

// runsOn checks that a pool works, and returns the process of the worker that it has used.
func runsOn(ctx context.Context, t testing.TB, p *process.Pool) (pid int) {
	t.Helper()
	pid, err := process.Run(ctx, pidOf, 0, process.In(p))
	check(t, err)
	return pid
}

func signalTo(t testing.TB, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Errorf("signal %v to %d: %v", sig, pid, err)
	}
}

// died checks that an error says how a worker has ended.
func died(t testing.TB, err error) *process.WorkerError {
	t.Helper()
	var e *process.WorkerError
	if !errors.As(err, &e) {
		t.Fatalf("the error is %T: %v; want a *process.WorkerError", err, err)
	}
	return e
}

// killed checks that a worker has died of a signal.
func killed(t testing.TB, err error, pid int, sig syscall.Signal) {
	t.Helper()
	if e := died(t, err); pid != 0 && e.Pid != pid || e.Status.Signal != sig {
		t.Errorf("worker %d: %+v; want %d, %v", e.Pid, e.Status, pid, sig)
	}
}

// holds starts a call that never ends, in a task, and returns when it has begun.
func holds(ctx context.Context, t testing.TB, p *process.Pool, fn *process.Func[int, int]) (task *curio.Task[int], pid int) {
	t.Helper()
	begun := new(curio.Result[int])
	task = curio.Spawn(ctx, func(ctx context.Context) (int, error) {
		n, err := process.Run(ctx, fn, 0, process.In(p), process.Progress(func(pid int) { begun.SetValue(pid) }))
		begun.SetError(errors.Join(err, errors.New("it has ended")))
		return n, err
	}, curio.ReportCrash(false))
	pid, err := begun.Get(ctx)
	check(t, err)
	return task, pid
}

// cancels cancels a task, whose call must end by that.
func cancels(ctx context.Context, t testing.TB, task *curio.Task[int]) {
	t.Helper()
	if did, err := task.Cancel(ctx); err != nil || !did {
		t.Errorf("cancelled: %v, %v", did, err)
	}
	if err := task.Err(); !errors.Is(err, curio.ErrTaskCancelled) {
		t.Errorf("the error is %v", err)
	}
}

func numbers(t testing.TB, line string) (all []int) {
	t.Helper()
	for field := range strings.FieldsSeq(line) {
		n, err := strconv.Atoi(field)
		check(t, err)
		all = append(all, n)
	}
	return all
}
