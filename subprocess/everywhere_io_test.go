package subprocess_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/stream"
	"github.com/curio-go/curio/subprocess"
)

// inputSize is more than a pipe has room for in a long run, and otherwise little, for few waits.
func inputSize() int {
	if testutil.Long {
		return 100_000
	}
	return 1
}

// programs are small programs, which are cancelled at each of their waits, and ended in each way.
var programs = map[string]func(ctx context.Context, script string) error{
	"Run": func(ctx context.Context, script string) error {
		cmd := shell(script)
		cmd.Stdin = subprocess.Bytes(make([]byte, inputSize()))
		_, err := subprocess.Run(ctx, cmd)
		return err
	},
	"Run with user's code": func(ctx context.Context, script string) error {
		cmd := shell(script)
		cmd.Stdin = subprocess.Reader(io.MultiReader(bytes.NewReader(make([]byte, inputSize()))))
		cmd.Stdout = subprocess.Writer(new(screen))
		_, err := subprocess.Run(ctx, cmd)
		return err
	},
	"CheckOutput": func(ctx context.Context, script string) error {
		_, err := subprocess.CheckOutput(ctx, shell(script))
		return err
	},
	"Lines": func(ctx context.Context, script string) error {
		for _, err := range subprocess.Lines(ctx, shell("echo line; "+script)) {
			if err != nil && !errors.Is(err, stream.ErrLineTooLong) {
				return err
			}
		}
		return nil
	},
	"RunPipeline": func(ctx context.Context, script string) error {
		_, err := subprocess.RunPipeline(ctx, shell("echo first; "+script), subprocess.Command("cat"))
		return err
	},
	"Popen": func(ctx context.Context, script string) error {
		p, err := subprocess.Popen(ctx, piped(shell("read x; echo $x; "+script)))
		if err != nil {
			return err
		}
		defer func() {
			_ = p.Close()
			_, _ = p.Wait(background)
		}()
		if _, err := p.Stdin.WriteString(ctx, "hello\n"); err != nil {
			return err
		}
		line, err := p.Stdout.ReadLine(ctx)
		if err != nil {
			return err
		}
		if line != "hello\n" {
			return fmt.Errorf("read %q", line)
		}
		_, _, err = p.Communicate(ctx, make([]byte, inputSize()))
		return err
	},
}

func TestEverywhereIO(t *testing.T) {
	for name, program := range programs {
		if name == "CheckOutput" && !testutil.Long {
			continue // it waits as Run does
		}
		t.Run(name, func(t *testing.T) {
			curiotest.CancelEverywhere(t, func(ctx context.Context) error { return program(ctx, "cat") })
		})
	}
}

// Every operation that waits, with every way to end it.
func TestEndingsIO(t *testing.T) {
	for name, program := range programs {
		if name == "CheckOutput" && !testutil.Long {
			continue // it waits as Run does
		}
		for _, end := range endings {
			t.Run(name+" "+end.name, func(t *testing.T) {
				testutil.NoLeaks(t)
				check(t, curio.Run(background, func(ctx context.Context) error {
					err := end.run(ctx, func(ctx context.Context) error { return program(ctx, "exec sleep 1000") })
					if !errors.Is(err, end.want) {
						t.Errorf("the error is %v, want %v", err, end.want)
					}
					return nil
				}))
				noChildren(t)
			})
		}
	}
}

// A context whose methods panic, end the goroutine or hang leaves nothing behind, and holds nobody up.
func TestHostileContexts(t *testing.T) {
	for _, method := range []string{"Done", "Err", "Value", "Deadline"} {
		for _, act := range []string{"panic", "goexit"} {
			for n := 1; n < 40; n++ {
				met := false
				t.Run(fmt.Sprintf("%s %d %s", method, n, act), func(t *testing.T) {
					testutil.NoLeaks(t)
					met = hostileRun(t, method, act, n)
					testutil.Await(t, "no children", func() bool {
						_, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
						return err == syscall.ECHILD
					})
				})
				if !met {
					break
				}
			}
		}
	}
}

// hostileRun runs a program with a context whose n-th call of method does act, and reports whether there
// were so many.
func hostileRun(t *testing.T, method, act string, n int) bool {
	base, cancel := context.WithCancel(background)
	defer cancel()
	h := testutil.NewHostile()
	h.Context = base
	h.At(method, n, func() {
		if act == "panic" {
			panic("hostile")
		}
		runtime.Goexit()
	})
	out := new(screen)
	cmd := shell("echo ready; exec sleep 1000")
	cmd.Stdout = subprocess.Writer(out)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = recover() }()
		_, _ = subprocess.Run(h, cmd)
	}()
	testutil.Await(t, "its act, or the program", func() bool { return h.HasActed() || out.String() != "" })
	cancel()
	testutil.Receive(t, "return", done)
	return h.HasActed()
}
