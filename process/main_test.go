package process_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/process"
)

func TestMain(m *testing.M) {
	process.Main()
	testutil.Main(m, asChild)
}

// children are what this test binary does when it is started by testutil.Self.
var children = map[string]func(args []string) error{}

func asChild() {
	act := children[os.Args[1]]
	if act == nil {
		fmt.Fprintf(os.Stderr, "there is no child %q\n", os.Args[1])
		os.Exit(2)
	}
	if err := act(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var background = context.Background()

// The functions that the tests call in workers.
var (
	double = process.Register("double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })

	pid = process.Register("pid", func(context.Context, struct{}) (int, error) { return os.Getpid(), nil })

	fails = process.Register("fails", func(_ context.Context, text string) (int, error) { return 7, errors.New(text) })

	panics = process.Register("panics", func(_ context.Context, text string) (int, error) { panic(text) })

	exits = process.Register("exits", func(_ context.Context, status int) (struct{}, error) {
		fmt.Fprintln(os.Stderr, "the last words")
		os.Exit(status)
		return struct{}{}, nil
	})

	// sleeps returns when its context is done.
	sleeps = process.Register("sleeps", func(ctx context.Context, d time.Duration) (string, error) {
		if err := curio.Sleep(ctx, d); err != nil {
			return "", err
		}
		return "slept", nil
	})

	// spins does not heed its context.
	spins = process.Register("spins", func(_ context.Context, d time.Duration) (int, error) {
		n := 0
		for began := time.Now(); time.Since(began) < d; n++ {
		}
		return n, nil
	})

	// killsItself sends a signal to its own process.
	killsItself = process.Register("killsItself", func(ctx context.Context, sig syscall.Signal) (int, error) {
		if err := syscall.Kill(os.Getpid(), sig); err != nil {
			return 0, err
		}
		return 0, curio.Sleep(ctx, time.Hour)
	})

	counts = process.Register("counts", func(ctx context.Context, n int) (int, error) {
		for i := range n {
			if err := process.Report(ctx, i); err != nil {
				return i, err
			}
		}
		return n, nil
	})

	echoes = process.Register("echoes", func(_ context.Context, b []byte) ([]byte, error) { return b, nil })

	inWorker = process.Register("inWorker", func(ctx context.Context, n int) (string, error) {
		_, err := process.Run(ctx, double, n)
		return fmt.Sprint(err, " ", errors.Is(err, process.ErrInWorker)), nil
	})

	says = process.Register("says", func(_ context.Context, text string) (struct{}, error) {
		fmt.Println("out: " + text)
		fmt.Fprintln(os.Stderr, "err: "+text)
		return struct{}{}, nil
	})
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("the error is %v, want %v", err, target)
	}
}

func wantText(t testing.TB, err error, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("the error is %v, and does not say %q", err, text)
		}
	}
}

// inKernel runs test in a kernel of its own, which is shut down after it. Nothing may be left.
func inKernel(t *testing.T, test func(ctx context.Context) error) {
	t.Helper()
	testutil.NoLeaks(t)
	check(t, curio.Run(background, test))
	noChildren(t)
}

// noChildren fails the test if this process has a child.
func noChildren(t testing.TB) {
	t.Helper()
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("there is a child: wait4 says %d, %v", pid, err)
	}
}

// runs reports whether a process runs; a zombie does not.
func runs(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	return !strings.Contains(string(text), ") Z ")
}

func awaitGone(t testing.TB, pid int) {
	t.Helper()
	testutil.Await(t, fmt.Sprintf("end of process %d", pid), func() bool { return !runs(pid) })
}

// busy waits until a worker of p is calling something, and returns it.
func busy(p *process.Pool) (found process.Worker) {
	testutil.Eventually(func() bool {
		for _, w := range p.Workers() {
			if w.Func != "" {
				found = w
				return true
			}
		}
		return false
	})
	return found
}
