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
}{
	{"waits for a stop", untilAsked(0), 1, nil},
	{"returns the request", func(ctx context.Context) error {
		idle, cancel := curio.UntilStop(ctx)
		defer cancel()
		return curio.Sleep(idle, time.Hour)
	}, 1, nil},
	{"cleans up and fails", func(ctx context.Context) error { return errors.Join(untilAsked(time.Second)(ctx), fixture.ErrBoom) }, 1, fixture.ErrBoom},
	{"does not hear of it", fixture.Sleeper, 2, nil},
	{"fails when it is cancelled", func(ctx context.Context) error { return errors.Join(fixture.Sleeper(ctx), fixture.ErrBoom) }, 2, fixture.ErrBoom},
	{"leaves a task", func(ctx context.Context) error {
		curio.Go(ctx, fixture.Sleeper)
		return untilAsked(0)(ctx)
	}, 2, nil},
	{"leaves a service that takes long", func(ctx context.Context) error {
		curio.Go(ctx, func(ctx context.Context) error { return curio.DisableCancellation(ctx, fixture.Sleeper) }, curio.Service())
		return untilAsked(0)(ctx)
	}, 3, nil},
	{"is in a shield", func(ctx context.Context) error { return curio.DisableCancellation(ctx, fixture.Sleeper) }, 3, nil},
}

// The first wish asks, the second cancels, the third ends the process, at every stage.
func TestWishes(t *testing.T) {
	fixture.AwaitEarlierTests(t)
	for _, s := range stages {
		for wishes := 1; wishes <= 3; wishes++ {
			for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
				t.Run(fmt.Sprintf("%s/%d/%v", s.what, wishes, sig), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { testWishes(t, s.main, wishes, s.wishes, s.rest, sig) })
				})
			}
		}
	}
}

func testWishes(t *testing.T, main func(context.Context) error, wishes, needed int, rest error, sig syscall.Signal) {
	var died atomic.Bool
	deliver, restore := curio.FakeSignals(func(os.Signal) { died.Store(true) })
	defer restore()
	start := time.Now()
	ended := make(chan error, 1)
	go func() {
		_, err := outcomes(t, t.Context(), main, curio.StopOnSignals(), curio.Grace(time.Minute))
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

// Without Grace the first wish cancels. The cause says which signal it was.
func TestSignalWithoutGrace(t *testing.T) {
	fixture.AwaitEarlierTests(t)
	synctest.Test(t, func(t *testing.T) {
		deliver, restore := curio.FakeSignals(func(os.Signal) { t.Error("dead") })
		defer restore()
		var err error
		start := time.Now()
		time.AfterFunc(time.Second, func() { deliver(syscall.SIGTERM) })
		_, stopped := outcomes(t, t.Context(), func(ctx context.Context) error {
			err = fixture.Sleeper(ctx)
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
