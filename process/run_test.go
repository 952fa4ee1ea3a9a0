package process_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/process"
)

// A worker serves one call after another.
func TestRun(t *testing.T) {
	inKernel(t, func(ctx context.Context) error {
		for i := range 10 {
			n, err := process.Run(ctx, double, i)
			if n != 2*i || err != nil {
				t.Errorf("double of %d is %d, %v", i, n, err)
			}
		}
		first, err := process.Run(ctx, pid, struct{}{})
		check(t, err)
		second, err := process.Run(ctx, pid, struct{}{})
		check(t, err)
		if first != second || first == syscall.Getpid() {
			t.Errorf("the workers are %d and %d, and this is %d", first, second, syscall.Getpid())
		}
		return nil
	})
}

// What the function fails with comes back as text, and the worker goes on.
func TestRemoteError(t *testing.T) {
	inKernel(t, func(ctx context.Context) error {
		before, err := process.Run(ctx, pid, struct{}{})
		check(t, err)
		n, err := process.Run(ctx, fails, "no such thing")
		var remote *process.RemoteError
		if !errors.As(err, &remote) || remote.Text != "no such thing" || remote.Func != "fails" || remote.Panic || remote.Type != "*errors.errorString" || n != 0 {
			t.Errorf("failed with %d, %#v", n, err)
		}
		wantText(t, err, "process: fails: no such thing")
		_, err = process.Run(ctx, panics, "out of luck")
		if !errors.As(err, &remote) || !remote.Panic || remote.Text != "out of luck" || !strings.Contains(remote.Stack, "main_test.go") {
			t.Errorf("panicked with %#v", err)
		}
		wantText(t, err, "process: panics: panic: out of luck")
		after, err := process.Run(ctx, pid, struct{}{})
		check(t, err)
		if before != after {
			t.Errorf("the worker was %d and is %d", before, after)
		}
		return nil
	})
}

// A function that exits fails its call only.
func TestWorkerError(t *testing.T) {
	inKernel(t, func(ctx context.Context) error {
		for _, test := range []struct {
			name string
			run  func() error
			is   func(e *process.WorkerError) bool
		}{
			{"exit", func() error { _, err := process.Run(ctx, exits, 3); return err }, func(e *process.WorkerError) bool {
				return e.Status.Code == 3 && string(e.Stderr) == "the last words\n" && e.Func == "exits"
			}},
			{"exit with 0", func() error { _, err := process.Run(ctx, exits, 0); return err }, func(e *process.WorkerError) bool {
				return e.Status.Success()
			}},
			{"killed", func() error { _, err := process.Run(ctx, killsItself, syscall.SIGKILL); return err }, func(e *process.WorkerError) bool {
				return e.Status.Signal == syscall.SIGKILL && strings.Contains(e.Reason, "SIGKILL")
			}},
			{"terminated", func() error { _, err := process.Run(ctx, killsItself, syscall.SIGTERM); return err }, func(e *process.WorkerError) bool {
				return e.Status.Signal == syscall.SIGTERM
			}},
		} {
			err := test.run()
			var died *process.WorkerError
			if !errors.As(err, &died) || !test.is(died) {
				t.Errorf("%s: failed with %v: %+v", test.name, err, died)
			}
			n, err := process.Run(ctx, double, 21)
			if n != 42 || err != nil {
				t.Errorf("%s: the next call gives %d, %v", test.name, n, err)
			}
		}
		return nil
	})
}

// A call that is cancelled ends its worker, and another one takes its place.
func TestCancel(t *testing.T) {
	for name, start := range map[string]func(ctx context.Context) error{
		"heeds it": func(ctx context.Context) error { _, err := process.Run(ctx, sleeps, time.Hour); return err },
		"does not": func(ctx context.Context) error { _, err := process.Run(ctx, spins, time.Hour); return err },
	} {
		t.Run(name, func(t *testing.T) {
			inKernel(t, func(ctx context.Context) error {
				task := curio.Go(ctx, start)
				w := busy(process.PoolOf(ctx))
				if _, err := task.Cancel(ctx); err != nil {
					return err
				}
				wantError(t, task.Err(), curio.ErrTaskCancelled)
				awaitGone(t, w.Pid)
				n, err := process.Run(ctx, double, 21)
				if n != 42 || err != nil {
					t.Errorf("the next call gives %d, %v", n, err)
				}
				return nil
			})
		})
	}
}

// Progress values come in order, before the result.
func TestProgress(t *testing.T) {
	inKernel(t, func(ctx context.Context) error {
		for _, n := range []int{0, 1, 7, 8, 9, 16, 17, 1000} {
			var seen []int
			got, err := process.Run(ctx, counts, n, process.Progress(func(i int) { seen = append(seen, i) }))
			if got != n || err != nil || len(seen) != n {
				t.Errorf("of %d there came %d: %d, %v", n, len(seen), got, err)
			}
			for i, v := range seen {
				if i != v {
					t.Fatalf("value %d is %d", i, v)
				}
			}
			if got, err := process.Run(ctx, counts, n); got != n || err != nil { // nobody listens
				t.Errorf("without a listener: %d, %v", got, err)
			}
		}
		_, err := process.Run(ctx, counts, 3, process.Progress(func(string) {}))
		wantText(t, err, "int", "string")
		return nil
	})
}

// Arguments and results of any size.
func TestSizes(t *testing.T) {
	inKernel(t, func(ctx context.Context) error {
		for _, n := range []int{0, 1, 1000, 1 << 16, 1<<16 + 1, 1 << 20, 10 << 20} {
			b := []byte(strings.Repeat("x", n))
			got, err := process.Run(ctx, echoes, b)
			if err != nil || string(got) != string(b) {
				t.Errorf("of %d bytes there came %d, %v", n, len(got), err)
			}
		}
		return nil
	})
}

// A worker calls nothing in workers.
func TestInWorker(t *testing.T) {
	inKernel(t, func(ctx context.Context) error {
		text, err := process.Run(ctx, inWorker, 1)
		if !strings.HasSuffix(text, " true") || err != nil {
			t.Errorf("it says %q, %v", text, err)
		}
		return nil
	})
}

// What workers write comes line by line.
func TestOutput(t *testing.T) {
	var lines []process.Line
	inKernel(t, func(ctx context.Context) error {
		p, err := process.NewPool(ctx, process.Config{Output: func(l process.Line) { lines = append(lines, l) }})
		check(t, err)
		_, err = process.Run(ctx, says, "hello\nworld", process.In(p))
		check(t, err)
		check(t, p.Close(ctx))
		return nil
	})
	var out, err []string
	for _, l := range lines {
		if l.Stderr {
			err = append(err, l.Text)
		} else {
			out = append(out, l.Text)
		}
	}
	if strings.Join(out, "|") != "out: hello|world" || strings.Join(err, "|") != "err: hello|world" {
		t.Errorf("it has written %q and %q", out, err)
	}
}
