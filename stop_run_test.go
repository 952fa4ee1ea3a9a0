package curio_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	ossignal "os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// stages are main functions that do different things when the signals come, how many signals it takes to
// end Run, and what Run returns then.
var stages = []struct {
	what   string
	main   func(context.Context) error
	wishes int
	rest   error // in the SignalError, nil for nothing
	pause  time.Duration
}{
	{"waits for a stop", untilAsked(0), 1, nil, 0},
	{"returns the request", func(ctx context.Context) error {
		idle, cancel := curio.UntilStop(ctx)
		defer cancel()
		return curio.Sleep(idle, time.Hour)
	}, 1, nil, 0},
	{"cleans up and fails", func(ctx context.Context) error { return errors.Join(untilAsked(time.Second)(ctx), fixture.ErrBoom) }, 1, fixture.ErrBoom, 0},
	{"does not hear of it", fixture.Sleeper, 2, nil, 0},
	{"fails when it is cancelled", func(ctx context.Context) error { return errors.Join(fixture.Sleeper(ctx), fixture.ErrBoom) }, 2, fixture.ErrBoom, 0},
	{"leaves a task", func(ctx context.Context) error {
		curio.Go(ctx, fixture.Sleeper)
		return untilAsked(0)(ctx)
	}, 2, nil, 0},
	{"leaves a service that takes long", func(ctx context.Context) error {
		curio.Go(ctx, func(ctx context.Context) error { return curio.DisableCancellation(ctx, fixture.Sleeper) }, curio.Service())
		return untilAsked(0)(ctx)
	}, 3, nil, 0},
	{"is in a shield", func(ctx context.Context) error { return curio.DisableCancellation(ctx, fixture.Sleeper) }, 3, nil, 0},
	{"goes on in the pause", fixture.Sleeper, 2, nil, time.Minute},
	{"is in a shield in the pause", func(ctx context.Context) error { return curio.DisableCancellation(ctx, fixture.Sleeper) }, 3, nil, time.Minute},
}

// The first wish asks, the second cancels, the third ends the process, at every stage.
func TestWishes(t *testing.T) {
	fixture.AwaitEarlierTests(t)
	for _, s := range stages {
		for wishes := 1; wishes <= 3; wishes++ {
			for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
				t.Run(fmt.Sprintf("%s/%d/%v", s.what, wishes, sig), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { testWishes(t, s.main, s.pause, wishes, s.wishes, s.rest, sig) })
				})
			}
		}
	}
}

func testWishes(t *testing.T, main func(context.Context) error, pause time.Duration, wishes, needed int, rest error, sig syscall.Signal) {
	var died atomic.Bool
	deliver, restore := curio.FakeSignals(func(os.Signal) { died.Store(true) })
	defer restore()
	start := time.Now()
	ended := make(chan error, 1)
	go func() {
		_, err := outcomes(t, t.Context(), main, curio.StopOnSignals(), curio.Grace(time.Minute), curio.Pause(pause))
		ended <- err
	}()
	for range wishes {
		time.Sleep(time.Second)
		synctest.Wait()
		deliver(sig)
		deliver(sig) // the terminal and the parent
	}
	synctest.Wait()
	if want := wishes == 3 && needed == 3; died.Load() != want {
		t.Errorf("died: %v", !want)
	}
	err := <-ended
	took := time.Since(start)
	var stopped *curio.SignalError
	if !errors.As(err, &stopped) || stopped.Signal != sig {
		t.Fatalf("Run returned %v", err)
	}
	var late *curio.GraceError
	switch {
	case wishes >= needed && needed <= 2 && took > 3*time.Second+time.Second/2:
		t.Errorf("it took %v", took)
	case wishes == 1 && needed == 2 && !errors.As(err, &late):
		t.Errorf("too late, and %v", err)
	}
	if rest != nil && !errors.Is(err, rest) {
		t.Errorf("Run returned %v", err)
	}
	if rest == nil && wishes >= needed && needed == 1 && stopped.Err != nil {
		t.Errorf("besides there is %v", stopped.Err)
	}
}

// A signal that comes when main has returned already is told all the same, so that a shell sees it.
func TestSignalAfterMain(t *testing.T) {
	fixture.AwaitEarlierTests(t)
	synctest.Test(t, func(t *testing.T) {
		for _, cleanUp := range []time.Duration{0, time.Hour} {
			deliver, restore := curio.FakeSignals(func(os.Signal) { t.Error("dead") })
			time.AfterFunc(time.Second, func() { deliver(syscall.SIGINT) })
			_, err := outcomes(t, t.Context(), func(ctx context.Context) error {
				curio.Go(ctx, func(ctx context.Context) error {
					_ = fixture.Sleeper(ctx)
					return curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, cleanUp) })
				}, curio.Service())
				return nil
			}, curio.StopOnSignals())
			restore()
			e, bySignal := err.(*curio.SignalError)
			if want := cleanUp > 0; bySignal != want || want && (e.Signal != syscall.SIGINT || e.Err != nil) || !want && err != nil {
				t.Errorf("with a clean-up of %v: %v", cleanUp, err)
			}
			time.Sleep(time.Minute) // in the bubble: nothing is left of this round
		}
	})
}

// Without Grace the first wish cancels, and nobody is asked first: a server would take that for the
// beginning of a grace time. The cause says which signal it was.
func TestSignalWithoutGrace(t *testing.T) {
	fixture.AwaitEarlierTests(t)
	synctest.Test(t, func(t *testing.T) {
		deliver, restore := curio.FakeSignals(func(os.Signal) { t.Error("dead") })
		defer restore()
		var err error
		start := time.Now()
		time.AfterFunc(time.Second, func() { deliver(syscall.SIGTERM) })
		_, stopped := outcomes(t, t.Context(), func(ctx context.Context) error {
			idle, cancel := curio.UntilStop(ctx)
			defer cancel()
			err = fixture.Sleeper(idle)
			if curio.Stopping(ctx) || errors.Is(err, curio.ErrStopping) {
				t.Errorf("it was asked, too: %v", err)
			}
			return err
		}, curio.StopOnSignals(syscall.SIGTERM))
		var by *curio.SignalError
		who, _ := curio.WhoCancelled(err)
		if !errors.Is(err, curio.ErrTaskCancelled) || !errors.As(who.Reason, &by) || by.Signal != syscall.SIGTERM || !strings.Contains(err.Error(), "SIGTERM") {
			t.Errorf("it was cancelled with %v", err)
		}
		if e, ok := stopped.(*curio.SignalError); !ok || e.Err != nil || time.Since(start) != time.Second {
			t.Errorf("Run returned %v after %v", stopped, time.Since(start))
		}
	})
}

func init() {
	run := func(main func(context.Context) error) func() {
		return func() {
			curio.Exit(curio.Run(context.Background(), func(ctx context.Context) error {
				fmt.Println("ready")
				return main(ctx)
			}, curio.StopOnSignals(), curio.Grace(time.Hour)))
		}
	}
	fixture.Children["asked"] = run(func(ctx context.Context) error {
		err := untilAsked(0)(ctx)
		fmt.Println("asked", err)
		return err
	})
	fixture.Children["cancelled"] = run(func(ctx context.Context) error {
		idle, cancel := curio.UntilStop(ctx)
		defer cancel()
		_ = curio.Sleep(idle, time.Hour)
		fmt.Println("asked")
		err := fixture.Sleeper(ctx)
		fmt.Println("cancelled")
		return err
	})
	fixture.Children["killed"] = run(func(ctx context.Context) error {
		return curio.DisableCancellation(ctx, func(ctx context.Context) error {
			idle, cancel := curio.UntilStop(ctx)
			defer cancel()
			_ = curio.Sleep(idle, time.Hour)
			fmt.Println("asked")
			for curio.CheckCancellation(ctx) == nil {
				_ = curio.Sleep(ctx, time.Millisecond)
			}
			fmt.Println("cancelled")
			return fixture.Sleeper(ctx)
		})
	})
	fixture.Children["fails"] = func() {
		curio.Exit(curio.Run(context.Background(), func(context.Context) error { return fixture.ErrBoom }))
	}
	fixture.Children["succeeds"] = func() {
		curio.Exit(curio.Run(context.Background(), func(context.Context) error { return nil }, curio.StopOnSignals()))
	}
}

// Real signals, and how the process ends.
func TestSignalsOfAProcess(t *testing.T) {
	for child, steps := range map[string][]string{
		"asked":     {"asked <nil>"},
		"cancelled": {"asked", "cancelled"},
		"killed":    {"asked", "cancelled", ""},
	} {
		t.Run(child, func(t *testing.T) {
			t.Parallel()
			c := testutil.Self(t, child)
			expect(t, c, "ready")
			for i, line := range steps {
				if i > 0 {
					time.Sleep(300 * time.Millisecond) // else it would count as one
				}
				c.Interrupt()
				if line != "" {
					expect(t, c, line)
				}
			}
			if rest, status := c.Rest(); rest != "" || status != -1 {
				t.Errorf("it printed %q too, and ended with %d", rest, status)
			}
		})
	}
}

func expect(t *testing.T, c *testutil.Child, line string) {
	t.Helper()
	if got := c.Line(); got != line {
		t.Fatalf("it printed %q, want %q", got, line)
	}
}

func TestExit(t *testing.T) {
	for child, want := range map[string]int{"fails": 1, "succeeds": 0} {
		c := testutil.Self(t, child)
		if rest, status := c.Rest(); rest != "" || status != want {
			t.Errorf("%s: it printed %q and ended with %d", child, rest, status)
		}
		if said := c.Stderr(); said != map[string]string{"fails": "boom\n"}[child] {
			t.Errorf("%s: it said %q", child, said)
		}
	}
}

func init() {
	stopped := &curio.SignalError{Signal: syscall.SIGTERM}
	fixture.Children["has failed as well"] = func() { curio.Exit(&curio.SignalError{Signal: syscall.SIGTERM, Err: fixture.ErrBoom}) }
	fixture.Children["says more"] = func() { curio.Exit(fmt.Errorf("the server: %w", stopped)) }
	fixture.Children["says nothing"] = func() { curio.Exit(stopped) }
	fixture.Children["exits"] = func() { curio.Exit(&curio.SignalError{Signal: syscall.SIGINT}) }
	fixture.Children["exits, with SIGINT ignored"] = func() {
		ossignal.Ignore(syscall.SIGINT)
		os.Setenv("CURIO_TEST_CHILD", "1")
		panic(syscall.Exec(os.Args[0], []string{os.Args[0], "exits"}, os.Environ()))
	}
	fixture.Children["is process 1"] = func() {
		fmt.Println("process", os.Getpid())
		curio.Exit(stopped)
	}
}

// Exit prints what the error says beyond the signal, and dies by the signal.
func TestExitBySignal(t *testing.T) {
	for child, want := range map[string]string{
		"has failed as well": "curio: stopped by the signal SIGTERM: boom\n",
		"says more":          "the server: curio: stopped by the signal SIGTERM\n",
		"says nothing":       "",
	} {
		if said := testutil.Self(t, child).EndedBy(syscall.SIGTERM); said != want {
			t.Errorf("%s: it said %q", child, said)
		}
	}
}

// Where a signal would not end the process, it exits with the status that a shell shows for one.
func TestExitWithStatus(t *testing.T) {
	if said, status := testutil.Self(t, "exits, with SIGINT ignored").Rest(); said != "" || status != 128+2 {
		t.Errorf("with the signal ignored it said %q and ended with %d", said, status)
	}
	t.Run("process 1", func(t *testing.T) {
		testutil.Need(t, "sh")
		testutil.Need(t, "unshare")
		child := testutil.Shell(t, "sh", `exec unshare --pid --fork "$0" "$@"`, "is process 1")
		said, status := child.Rest()
		if strings.Contains(child.Stderr(), "unshare failed") {
			t.Skipf("no process ids of its own here: %s", child.Stderr())
		}
		if said != "process 1\n" || status != 128+15 {
			t.Errorf("it said %q and ended with %d", said, status)
		}
	})
}

// What comes within a fifth of a second, as from a terminal and from a parent process, is one wish.
func TestOneWish(t *testing.T) {
	fixture.AwaitEarlierTests(t)
	for apart, cancels := range map[time.Duration]bool{0: false, 199 * time.Millisecond: false, 200 * time.Millisecond: true} {
		synctest.Test(t, func(t *testing.T) {
			deliver, restore := curio.FakeSignals(func(os.Signal) { t.Error("dead") })
			defer restore()
			start := time.Now()
			time.AfterFunc(time.Second, func() { deliver(syscall.SIGINT) })
			time.AfterFunc(time.Second+apart, func() { deliver(syscall.SIGTERM) })
			_, _ = outcomes(t, t.Context(), fixture.Sleeper, curio.StopOnSignals(), curio.Grace(time.Minute))
			want := time.Second + time.Minute
			if cancels {
				want = time.Second + apart
			}
			if took := time.Since(start); took != want {
				t.Errorf("with signals %v apart it took %v", apart, took)
			}
		})
	}
}

// A signal that was ignored when the program was started does not stop it.
func TestStopOnIgnoredSignal(t *testing.T) {
	c := testutil.Self(t, "asked, with SIGINT ignored")
	expect(t, c, "ready")
	c.Interrupt()
	if err := syscall.Kill(c.PID(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	expect(t, c, "asked <nil>")
	if rest, status := c.Rest(); rest != "" || status != -1 {
		t.Errorf("it printed %q too, and ended with %d", rest, status)
	}
}

func init() {
	fixture.Children["asked, with SIGINT ignored"] = func() {
		ossignal.Ignore(syscall.SIGINT)
		os.Setenv("CURIO_TEST_CHILD", "1")
		panic(syscall.Exec(os.Args[0], []string{os.Args[0], "asked"}, os.Environ()))
	}
}

// Run of a Kernel, too, tells of a signal that had nothing to stop any more.
func TestSignalTooLateForMain(t *testing.T) {
	fixture.AwaitEarlierTests(t)
	synctest.Test(t, func(t *testing.T) {
		deliver, restore := curio.FakeSignals(func(os.Signal) { t.Error("dead") })
		defer restore()
		k := curio.NewKernel(curio.StopOnSignals(), curio.Grace(time.Minute))
		for range 100 { // main and the signal are ready at the same time
			err := k.Run(t.Context(), func(context.Context) error {
				deliver(syscall.SIGTERM)
				return nil
			})
			if e, ok := err.(*curio.SignalError); !ok || e.Signal != syscall.SIGTERM || e.Err != nil {
				t.Errorf("main has ended by itself, and Run returned %v", err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		time.AfterFunc(2*time.Second, func() { deliver(syscall.SIGTERM) })
		err := k.Run(ctx, untilAsked(time.Hour))
		if e, ok := err.(*curio.SignalError); !ok || e.Signal != syscall.SIGTERM || !errors.As(err, new(*curio.GraceError)) {
			t.Errorf("main was stopped by its context, and Run returned %v", err)
		}
		if err := k.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func init() {
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGPIPE} {
		fixture.Children["stops on "+sig.String()] = func() {
			curio.Exit(curio.Run(context.Background(), func(ctx context.Context) error {
				fmt.Println("ready")
				return untilAsked(0)(ctx)
			}, curio.StopOnSignals(sig), curio.Grace(time.Hour)))
		}
	}
}

// Not every signal ends a Go program as it would end others: SIGQUIT prints all stacks, and SIGUSR1 and
// SIGPIPE do nothing.
func TestExitByOtherSignals(t *testing.T) {
	for sig, want := range map[syscall.Signal]int{
		syscall.SIGHUP: -1, syscall.SIGQUIT: 128 + 3, syscall.SIGUSR1: 128 + int(syscall.SIGUSR1), syscall.SIGPIPE: 128 + 13,
	} {
		c := testutil.Self(t, "stops on "+sig.String())
		expect(t, c, "ready")
		c.Signal(sig)
		if said, status := c.Rest(); said != "" || status != want || c.Stderr() != "" {
			t.Errorf("%v: it said %q, complained %q and ended with %d", sig, said, c.Stderr(), status)
		}
	}
}

// Run of a Kernel, too, takes what says only that main has stopped as it was asked to for no failure,
// whoever else is being asked.
func TestKernelRunReturnsRequest(t *testing.T) {
	fixture.AwaitEarlierTests(t)
	synctest.Test(t, func(t *testing.T) {
		k := curio.NewKernel(curio.Grace(time.Minute))
		for what, failure := range map[string]error{"returns it": nil, "fails as well": fixture.ErrBoom} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := k.Run(ctx, func(ctx context.Context) error {
				idle, cancel := curio.UntilStop(ctx)
				defer cancel()
				return errors.Join(curio.Sleep(idle, time.Hour), failure)
			})
			cancel()
			if !errors.Is(err, failure) || errors.Is(err, curio.ErrStopping) {
				t.Errorf("main %s, and Run returned %v", what, err)
			}
		}
		if err := k.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
