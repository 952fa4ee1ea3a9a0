package curio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// stubbornRacer succeeds after d, whatever happens to its context.
func stubbornRacer(d time.Duration, v int) fixture.Racer {
	return func(ctx context.Context) (int, error) {
		return v, curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, d) })
	}
}

// The first success wins. The others are cancelled and waited for, and late is called with the
// values of those that succeed anyway.
func TestRaceTheFirstSuccessWins(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start := time.Now()
		var late []int
		cancelled := false
		v, err := curio.Race(ctx, []fixture.Racer{
			fixture.Fails,
			func(ctx context.Context) (int, error) {
				err := fixture.Sleeper(ctx)
				cancelled = errors.Is(err, curio.ErrCancelled)
				return 0, err
			},
			stubbornRacer(3*time.Second, 3),
			fixture.After(time.Second, 1, nil),
			stubbornRacer(2*time.Second, 2),
		}, func(v int) { late = append(late, v) })
		if v != 1 || err != nil || !cancelled || !slices.Equal(late, []int{3, 2}) {
			f.Errorf("%d, %v; cancelled: %v; late: %v", v, err, cancelled, late)
		}
		f.Elapsed(start, 3*time.Second)
	})
}

// All fail: the error is theirs, in their order, whenever they end.
func TestRaceAllFail(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		v, err := curio.Race(ctx, []fixture.Racer{
			fixture.After(time.Second, 7, io.ErrClosedPipe), fixture.Explode, fixture.Fails, fixture.Vanish,
		}, func(v int) { f.Errorf("late: %d", v) })
		fixture.Is(f, "all", err, io.ErrClosedPipe, fixture.ErrBoom, curio.ErrGoexit)
		text := err.Error()
		if at := strings.Index(text, io.ErrClosedPipe.Error()); v != 0 || at != 0 || strings.Count(text, "\n") < 3 {
			f.Errorf("%d: %s", v, text)
		}
		f.Journal.Take("panic")
	})
}

// The caller's end: all are cancelled and waited for, and what has succeeded is cleaned up after.
func TestRaceIsCancelled(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var late []int
		v, err := 0, error(nil)
		ended := curio.TimeoutAfter(ctx, brief, func(ctx context.Context) error {
			v, err = curio.Race(ctx, []fixture.Racer{fixture.Sleeping, stubbornRacer(time.Second, 1)}, func(v int) { late = append(late, v) })
			return err
		})
		fixture.Is(f, "race", ended, fixture.TaskTimeout...)
		if v != 0 || !slices.Equal(late, []int{1}) {
			f.Errorf("%d; late: %v", v, late)
		}
	})
}

// A clean-up that panics does not keep the others from being cleaned up after.
func TestRaceCleanUpPanics(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		cleaned := 0
		func() {
			defer func() {
				if v := fmt.Sprint(recover()); !strings.HasPrefix(v, "clean ") {
					f.Errorf("it panics with %s", v)
				}
			}()
			_, _ = curio.Race(ctx, []fixture.Racer{fixture.Returns(1), stubbornRacer(time.Second, 2), stubbornRacer(time.Second, 3)}, func(v int) {
				cleaned++
				panic(fmt.Sprint("clean ", v))
			})
		}()
		if cleaned != 2 {
			f.Errorf("%d were cleaned up after", cleaned)
		}
	})
}

func TestRaceMisuse(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		ignore := func(int) {}
		fixture.Panics(f, "no functions", func() { _, _ = curio.Race[int](ctx, nil) })
		fixture.Panics(f, "the one at 1", func() { _, _ = curio.Race(ctx, []fixture.Racer{fixture.Fails, nil}) })
		fixture.Panics(f, "more than one", func() { _, _ = curio.Race(ctx, []fixture.Racer{fixture.Fails}, ignore, ignore) })
	})
}

// Whatever ends at the same moment, each value is returned or cleaned up after, once.
func TestRaceLosesNothing(t *testing.T) {
	fixture.Race(t, 5000, func(ctx context.Context) {
		var made, late atomic.Int64
		makes := func(v int) fixture.Racer {
			return func(context.Context) (int, error) {
				fixture.Spin()
				made.Add(int64(v))
				return v, nil
			}
		}
		task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
			return curio.Race(ctx, []fixture.Racer{makes(1), fixture.Fails, makes(2), makes(4)}, func(v int) { late.Add(int64(v)) })
		})
		if fixture.Spin(); rand.IntN(3) == 0 {
			task.CancelNow()
		}
		v, err := task.Join(ctx)
		if made.Load() != late.Load()+int64(v) || err == nil && v == 0 {
			t.Errorf("made %d, returned %d, %v, cleaned up after %d", made.Load(), v, err, late.Load())
		}
	})
}
