package process_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/process"
)

func init() {
	acts["descriptors"] = func(context.Context, string) (string, error) {
		return strings.Join(testutil.Descriptors(os.Getpid()), "\n"), nil
	}
	acts["script"] = func(ctx context.Context, script string) (string, error) {
		out, err := exec.CommandContext(ctx, shellProgram, "-c", script).CombinedOutput()
		return string(out), err
	}
	acts["environ"] = func(context.Context, string) (string, error) { return strings.Join(os.Environ(), "\n"), nil }
	acts["comm"] = func(context.Context, string) (string, error) {
		text, err := os.ReadFile("/proc/self/comm")
		return string(text) + strings.Join(os.Args, " "), err
	}
}

const shellProgram = "/bin/sh"

// Trap 63: what this process has open without close-on-exec does not reach what workers start, and neither
// does the connection of the worker.
func TestInheritedDescriptors(t *testing.T) {
	noTraces(t)
	var fds [2]int
	check(t, syscall.Pipe(fds[:])) // without close-on-exec
	defer syscall.Close(fds[0])
	defer syscall.Close(fds[1])
	inPool(t, process.Config{Workers: 2}, func(ctx context.Context, p *process.Pool) {
		other, _ := holds(ctx, t, p, obey)
		text, err := process.Run(ctx, act, "script ls -l /proc/self/fd; cat /dev/null", process.In(p))
		check(t, err)
		for line := range strings.Lines(text) {
			if strings.Contains(line, "socket:") || strings.Contains(line, fmt.Sprint(" ", fds[0], " -> ")) {
				t.Errorf("it has %s", line)
			}
		}
		text, err = process.Run(ctx, act, "descriptors", process.In(p))
		check(t, err)
		sockets := 0
		for line := range strings.Lines(text) {
			if strings.Contains(line, "socket:") {
				sockets++
			}
		}
		if sockets != 1 || !strings.Contains(text, "0 /dev/null") {
			t.Errorf("a worker has %s", text)
		}
		cancels(ctx, t, other)
	})
}

// Trap 59, 62: a worker has the name of its program, and no arguments. Its environment has nothing more than
// it should, so that what it starts does not take itself for a worker.
func TestNameAndEnvironment(t *testing.T) {
	inPool(t, process.Config{Workers: 1, Env: []string{"CURIO_TEST_EXTRA=a=b"}}, func(ctx context.Context, p *process.Pool) {
		text, err := process.Run(ctx, act, "comm", process.In(p))
		check(t, err)
		own, err := os.ReadFile("/proc/self/comm")
		check(t, err)
		if want := string(own) + os.Args[0]; text != want {
			t.Errorf("it is called %q, want %q", text, want)
		}
		text, err = process.Run(ctx, act, "environ", process.In(p))
		check(t, err)
		ours, theirs := os.Environ(), strings.Split(text, "\n")
		extra := slices.DeleteFunc(theirs, func(e string) bool { return slices.Contains(ours, e) })
		if !slices.Equal(extra, []string{"CURIO_TEST_EXTRA=a=b"}) {
			t.Errorf("it has in addition %q", extra)
		}
	})
}

// Trap 59: the file of the program is replaced while it runs, and then removed. New workers run the old
// program, which knows the functions.
func TestUpgradedExecutable(t *testing.T) {
	testutil.Need(t, "sh")
	noTraces(t)
	path := t.TempDir() + "/program"
	t.Setenv("COPY", path)
	c := testutil.Shell(t, "sh", `cp "$0" "$COPY" && exec "$COPY" "$@"`, "upgraded")
	for _, change := range []func() error{
		func() error { return nil },
		func() error { return os.Chtimes(path, time.Unix(1e9, 0), time.Unix(1e9, 0)) }, // touch(1)
		func() error {
			if err := os.WriteFile(path+".new", []byte("#!/bin/sh\necho new program >&2\nexit 77\n"), 0o755); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		},
		func() error { return os.Remove(path) },
	} {
		check(t, change())
		fmt.Fprintln(c.Stdin)
		if line := c.Line(); line != "42" {
			t.Fatalf("it said %q; %s", line, c.Stderr())
		}
	}
	c.Stdin.Close()
	if said, status := c.Rest(); said != "" || status != 0 {
		t.Errorf("it said %q and ended with %d: %s", said, status, c.Stderr())
	}
}

func init() {
	children["upgraded"] = func([]string) error {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			if err := curio.Run(background, func(ctx context.Context) error {
				n, err := process.Run(ctx, double, 21)
				fmt.Println(n)
				return err
			}); err != nil {
				return err
			}
		}
		return nil
	}
}

// A parent that is killed at any moment while it starts workers leaves none behind.
func TestParentDiesWhileStarting(t *testing.T) {
	noTraces(t)
	processes := marked(t)
	for i := range testutil.Starts(100) {
		parent := testutil.Self(t, "starting")
		parent.After("starting")
		testutil.Await(t, "workers", func() bool { return len(processes()) > i%4 })
		parent.Kill()
		parent.Wait()
		testutil.Await(t, "end of the workers", func() bool { return len(processes()) == 0 })
	}
}

func init() {
	children["starting"] = func([]string) error {
		fmt.Println("starting")
		return curio.Run(background, func(ctx context.Context) error {
			for {
				p, err := process.NewPool(ctx, process.Config{Workers: 3})
				if err != nil {
					return err
				}
				if err := curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
					for range 3 {
						g.Go(func(ctx context.Context) error { _, err := process.Run(ctx, pidOf, 0, process.In(p)); return err })
					}
					return nil
				}); err != nil {
					return err
				}
				if err := p.Close(ctx); err != nil {
					return err
				}
			}
		})
	}
}
