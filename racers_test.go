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
)

type racer = func(context.Context) (int, error)

// stubbornRacer succeeds after d, whatever happens to its context.
func stubbornRacer(d time.Duration, v int) racer {
	return func(ctx context.Context) (int, error) {
		return v, curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, d) })
	}
}

// The first success wins. The others are cancelled and waited for, and late is called with the
// values of those that succeed anyway.
func TestRaceTheFirstSuccessWins(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		start := time.Now()
		var late []int
		cancelled := false
		v, err := curio.Race(ctx, []racer{
			fails,
			func(ctx context.Context) (int, error) {
				err := sleeper(ctx)
				cancelled = errors.Is(err, curio.ErrCancelled)
				return 0, err
			},
			stubbornRacer(3*time.Second, 3),
			after(time.Second, 1, nil),
			stubbornRacer(2*time.Second, 2),
		}, func(v int) { late = append(late, v) })
		if v != 1 || err != nil || !cancelled || !slices.Equal(late, []int{3, 2}) {
			f.Errorf("%d, %v; cancelled: %v; late: %v", v, err, cancelled, late)
		}
		f.elapsed(start, 3*time.Second)
	})
}

// All fail: the error is theirs, in their order, whenever they end.
func TestRaceAllFail(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		v, err := curio.Race(ctx, []racer{
			after(time.Second, 7, io.ErrClosedPipe), explode, fails, vanish,
		}, func(v int) { f.Errorf("late: %d", v) })
		is(f, "all", err, io.ErrClosedPipe, errBoom, curio.ErrGoexit)
		text := err.Error()
		if at := strings.Index(text, io.ErrClosedPipe.Error()); v != 0 || at != 0 || strings.Count(text, "\n") < 3 {
			f.Errorf("%d: %s", v, text)
		}
		f.Journal.take("panic")
	})
}

// The caller's end: all are cancelled and waited for, and what has succeeded is cleaned up after.
func TestRaceIsCancelled(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var late []int
		v, err := 0, error(nil)
		ended := curio.TimeoutAfter(ctx, brief, func(ctx context.Context) error {
			v, err = curio.Race(ctx, []racer{sleeping, stubbornRacer(time.Second, 1)}, func(v int) { late = append(late, v) })
			return err
		})
		is(f, "race", ended, taskTimeout...)
		if v != 0 || !slices.Equal(late, []int{1}) {
			f.Errorf("%d; late: %v", v, late)
		}
	})
}

// A clean-up that panics does not keep the others from being cleaned up after.
func TestRaceCleanUpPanics(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		cleaned := 0
		func() {
			defer func() {
				if v := fmt.Sprint(recover()); !strings.HasPrefix(v, "clean ") {
					f.Errorf("it panics with %s", v)
				}
			}()
			_, _ = curio.Race(ctx, []racer{returns(1), stubbornRacer(time.Second, 2), stubbornRacer(time.Second, 3)}, func(v int) {
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
	inKernel(t, func(ctx context.Context, f *fixture) {
		ignore := func(int) {}
		panics(f, "no functions", func() { _, _ = curio.Race[int](ctx, nil) })
		panics(f, "the one at 1", func() { _, _ = curio.Race(ctx, []racer{fails, nil}) })
		panics(f, "more than one", func() { _, _ = curio.Race(ctx, []racer{fails}, ignore, ignore) })
	})
}

// Whatever ends at the same moment, each value is returned or cleaned up after, once.
func TestRaceLosesNothing(t *testing.T) {
	race(t, 5000, func(ctx context.Context) {
		var made, late atomic.Int64
		makes := func(v int) racer {
			return func(context.Context) (int, error) {
				spin()
				made.Add(int64(v))
				return v, nil
			}
		}
		task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
			return curio.Race(ctx, []racer{makes(1), fails, makes(2), makes(4)}, func(v int) { late.Add(int64(v)) })
		})
		if spin(); rand.IntN(3) == 0 {
			task.CancelNow()
		}
		v, err := task.Join(ctx)
		if made.Load() != late.Load()+int64(v) || err == nil && v == 0 {
			t.Errorf("made %d, returned %d, %v, cleaned up after %d", made.Load(), v, err, late.Load())
		}
	})
}
