package curiotest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
)

func TestSequencer(t *testing.T) {
	both(t, func(t *testing.T) {
		ctx := curiotest.NoLeaks(t)
		const n = 100
		var seq curiotest.Sequencer
		var order []int
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
			for _, i := range rand.Perm(n) {
				g.Spawn(func(ctx context.Context) (struct{}, error) {
					return struct{}{}, seq.Step(ctx, i, func() error {
						order = append(order, i)
						return curio.Sleep(ctx, time.Microsecond)
					})
				})
			}
			return nil
		})
		if err != nil || len(order) != n || !slices.IsSorted(order) {
			t.Errorf("%v, %v", order, err)
		}
	})
}

func TestSequencerState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := curiotest.NoLeaks(t)
		var seq curiotest.Sequencer
		task := curio.Go(ctx, func(ctx context.Context) error { return seq.Step(ctx, 1, nil) })
		synctest.Wait()
		if state := task.State(); state != "SEQUENCER" {
			t.Errorf("the state is %s", state)
		}
		if err := seq.Step(ctx, 0, nil); err != nil {
			t.Error(err)
		}
		if _, err := task.Join(ctx); err != nil {
			t.Error(err)
		}
	})
}

// A step ends however its function does.
func TestSequencerGoesOn(t *testing.T) {
	ctx := curiotest.NoLeaks(t)
	var seq curiotest.Sequencer
	if err := seq.Step(ctx, 0, func() error { return errBoom }); !errors.Is(err, errBoom) {
		t.Error(err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = seq.Step(ctx, 1, func() error { panic("boom") })
	}()
	if err := seq.Step(ctx, 2, nil); err != nil {
		t.Error(err)
	}
}

func TestSequencerMisuse(t *testing.T) {
	for n, want := range map[int]string{-1: "numbered from 0", 0: "such a step already", 2: "such a step already"} {
		synctest.Test(t, func(t *testing.T) {
			ctx := curiotest.NoLeaks(t)
			var seq curiotest.Sequencer
			if err := seq.Step(ctx, 0, nil); err != nil {
				t.Error(err)
			}
			second := curio.Go(ctx, func(ctx context.Context) error { return seq.Step(ctx, 2, nil) })
			synctest.Wait()
			func() {
				defer func() {
					if v := fmt.Sprint(recover()); !strings.Contains(v, want) || !strings.HasPrefix(v, "curiotest: ") {
						t.Errorf("panicked with %q, want %q", v, want)
					}
				}()
				_ = seq.Step(ctx, n, nil)
			}()
			if err := seq.Step(ctx, 1, nil); err != nil { // it can still be used
				t.Error(err)
			}
			if _, err := second.Join(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

// Step 2 is given up: 1 still runs, 3 and 4 do not, whether they waited or not.
func TestSequencerBroken(t *testing.T) {
	for _, before := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ctx := curiotest.NoLeaks(t)
			var seq curiotest.Sequencer
			step := func(n int) *curio.Task[struct{}] {
				return curio.Go(ctx, func(ctx context.Context) error { return seq.Step(ctx, n, nil) })
			}
			one, three := step(1), step(3)
			var err error
			if before {
				err = curio.TimeoutAfter(ctx, 0, func(ctx context.Context) error { return seq.Step(ctx, 2, nil) })
			} else {
				err = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error { return seq.Step(ctx, 2, nil) })
			}
			if !errors.Is(err, curio.ErrTaskTimeout) {
				t.Error(err)
			}
			for _, task := range []*curio.Task[struct{}]{three, step(4)} {
				_, err := task.Join(ctx)
				if !errors.Is(err, curiotest.ErrBroken) || errors.Is(err, curio.ErrCancelled) || !strings.Contains(err.Error(), "step 2 was given up: curio: timed out") {
					t.Error(err)
				}
			}
			synctest.Wait()
			if state := one.State(); state != "SEQUENCER" {
				t.Errorf("step 1 is %s", state)
			}
			if err := seq.Step(ctx, 0, nil); err != nil {
				t.Error(err)
			}
			if _, err := one.Join(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSequencerCancelledEverywhere(t *testing.T) {
	both(t, func(t *testing.T) {
		curiotest.CancelEverywhere(t, func(ctx context.Context) error {
			var seq curiotest.Sequencer
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
				for i := range 4 {
					g.Spawn(func(ctx context.Context) (struct{}, error) { return struct{}{}, seq.Step(ctx, 3-i, nil) })
				}
				return nil
			})
			if err != nil && curio.CheckCancellation(ctx) != nil {
				return curio.CheckCancellation(ctx) // a step may have been given up before the next was cancelled
			}
			return err
		})
	})
}
