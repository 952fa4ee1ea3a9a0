package process_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/process"
)

// Programs whose main does not begin with process.Main. As that of this test does, they are run before it, by
// an init function.

const forgetful = "CURIO_TEST_FORGETS"

// forgets runs a program that forgets something, and counts its processes, each of which leaves a file.
func forgets(t *testing.T, what string) (said string, processes int) {
	t.Helper()
	noTraces(t)
	dir := t.TempDir()
	t.Setenv(forgetful, dir)
	said, status := testutil.Self(t, what).Rest()
	if status != 0 {
		t.Errorf("it ended with status %d", status)
	}
	all, err := os.ReadDir(dir)
	check(t, err)
	lines := slices.DeleteFunc(strings.SplitAfter(said, "\n"), func(line string) bool { return strings.HasPrefix(line, "worker ") })
	return strings.Join(lines, ""), len(all)
}

func init() {
	acts["start"] = func(ctx context.Context, what string) (string, error) {
		self, err := os.Executable()
		if err != nil {
			return "", err
		}
		cmd := exec.CommandContext(ctx, self, what)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		return string(out), err
	}
	dir := os.Getenv(forgetful)
	if dir == "" {
		return
	}
	file := filepath.Join(dir, fmt.Sprint(os.Getpid()))
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	what := "nothing, as it has no arguments: it is a worker"
	if len(os.Args) > 1 {
		what = os.Args[1]
	}
	switch what {
	case "main":
		callSome()
	case "main in workers", "main in time", "to live":
		process.Main()
		os.Setenv(forgetful+"_HOW", what)
		callSome()
	case "that it is a child":
		process.Main() // which has to return, as its parent is a worker
		fmt.Println("an ordinary program")
	default:
		switch os.Getenv(forgetful + "_HOW") {
		case "main in workers":
			callSome() // as a main does that goes on
		case "main in time":
			select {}
		case "to live":
			fmt.Fprintln(os.Stderr, "the port is in use")
			os.Exit(7)
		case "":
			process.Main() // it is a worker of "that it is a child"
		}
	}
	os.Exit(0)
}

// callSome makes several calls at once, and prints which errors there were.
func callSome() {
	var errs [4]error
	err := curio.Run(background, func(ctx context.Context) error {
		if os.Getenv(forgetful+"_HOW") == "main in time" {
			if err := process.Configure(ctx, process.Config{StartTimeout: 100 * time.Millisecond}); err != nil {
				return err
			}
		}
		return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			for i := range errs {
				g.Go(func(ctx context.Context) error {
					_, errs[i] = process.Run(ctx, pidOf, 0)
					return nil
				})
			}
			return nil
		})
	})
	if err != nil {
		fmt.Println(err)
	}
	for _, err := range errs {
		fmt.Println(errors.Is(err, process.ErrNoMain), err)
	}
}

// Without Main there is an error that says what is missing, and not one process more.
func TestWithoutMain(t *testing.T) {
	said, processes := forgets(t, "main")
	if strings.Count(said, "true process: process.Main has not been called") != 4 || processes != 1 {
		t.Errorf("there were %d processes: %s", processes, said)
	}
}

// In a program that does not reach Main when it runs as a worker, the workers start no workers, which would
// start workers, and the pool stops trying.
func TestWithoutMainInWorkers(t *testing.T) {
	said, processes := forgets(t, "main in workers")
	if strings.Count(said, "process.Main") < 4 || processes > 20 {
		t.Errorf("there were %d processes: %s", processes, said)
	}
	t.Logf("%d processes: %s", processes, said)
}

// What comes before Main takes too long, or ends the worker: the calls say so, and the pool does not try for
// ever.
func TestWorkersThatDoNotStart(t *testing.T) {
	for what, says := range map[string]string{"main in time": "100ms", "to live": "the port is in use"} {
		t.Run(what, func(t *testing.T) {
			said, processes := forgets(t, what)
			if strings.Count(said, says) != 4 || processes > 20 {
				t.Errorf("there were %d processes: %s", processes, said)
			}
			t.Logf("%d processes: %s", processes, said)
		})
	}
}

// A program that a worker starts is no worker, even if it is this one. The worker itself runs no tests, as it
// gets to Main.
func TestWorkersChildIsNoWorker(t *testing.T) {
	inPool(t, process.Config{Workers: 1, Env: []string{forgetful + "=" + t.TempDir()}}, func(ctx context.Context, p *process.Pool) {
		text, err := process.Run(ctx, act, "start that it is a child", process.In(p))
		check(t, err)
		if text != "an ordinary program\n" {
			t.Errorf("it said %q", text)
		}
	})
}
