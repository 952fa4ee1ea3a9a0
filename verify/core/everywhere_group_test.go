package core_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/verify/fixture"
)

// Every policy, with and without a limit, and all of that with KeepGoing.
func TestEverywherePolicies(t *testing.T) {
	limits := map[string][]curio.GroupOption{"": nil, ", Limit(1)": {curio.Limit(1)}}
	for name, policy := range map[string]curio.GroupOption{
		"WaitAll": curio.WaitAll, "WaitAny": curio.WaitAny, "WaitObject": curio.WaitObject, "WaitNone": curio.WaitNone,
	} {
		for limit, opts := range limits {
			for keep, more := range map[string][]curio.GroupOption{"": nil, ", KeepGoing": {curio.KeepGoing}} {
				opts := slices.Concat([]curio.GroupOption{policy}, opts, more)
				t.Run(name+limit+keep, func(t *testing.T) {
					everywhere(t, func(ctx context.Context) error { return groupOf(ctx, opts...) })
				})
			}
		}
	}
}

// groupOf is a group of three tasks that hold a unit of something while they run, and a
// daemon that takes its time to end, and that the group has to wait for too.
func groupOf(ctx context.Context, opts ...curio.GroupOption) error {
	units := curio.NewSemaphore(3)
	var ended atomic.Bool
	err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[*int]) error {
		for i := range 3 {
			g.Spawn(func(ctx context.Context) (*int, error) {
				if err := units.Acquire(ctx); err != nil {
					return nil, err
				}
				defer units.Release(ctx)
				if err := curio.Sleep(ctx, time.Duration(i)*time.Millisecond); err != nil || i == 0 {
					return nil, err // the first one has nothing to show
				}
				return &i, nil
			})
		}
		g.Go(func(ctx context.Context) error {
			defer ended.Store(true)
			err := fixture.Sleeper(ctx)
			return errors.Join(err, curio.DisableCancellation(ctx, pause))
		}, curio.Daemon())
		return pause(ctx)
	}, opts...)
	if !ended.Load() {
		return errors.New("a daemon has outlived its group")
	}
	return err
}

// A task that fails ends the group, and is what the group returns, unless that was
// cancelled as a whole.
func TestEverywhereGroupThatFails(t *testing.T) {
	for name, opts := range map[string][]curio.GroupOption{"": nil, "KeepGoing": {curio.KeepGoing}} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(ctx context.Context) error {
				err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
					g.Spawn(fixture.After(time.Millisecond, 0, fixture.ErrBoom), curio.Name("bad"))
					g.Go(func(ctx context.Context) error { return curio.Sleep(ctx, time.Minute) })
					return curio.Sleep(ctx, time.Minute)
				}, opts...)
				if cancelled := curio.CheckCancellation(ctx); cancelled != nil {
					return cancelled
				}
				if !errors.Is(err, fixture.ErrBoom) {
					return fmt.Errorf("it returned %v", err)
				}
				return nil
			})
		})
	}
}

// The ways to collect: by NextDone, NextResult, Done and Join, from a group that has a
// task of somebody else's too.
func TestEverywhereCollect(t *testing.T) {
	for name, collect := range map[string]func(ctx context.Context, g *curio.TaskGroup[int]) (sum int, err error){
		"NextResult": func(ctx context.Context, g *curio.TaskGroup[int]) (sum int, err error) {
			for {
				v, err := g.NextResult(ctx)
				if errors.Is(err, curio.ErrNoTask) {
					return sum, nil
				}
				if err != nil {
					return 0, err
				}
				sum += v
			}
		},
		"NextDone": func(ctx context.Context, g *curio.TaskGroup[int]) (sum int, err error) {
			for {
				task, err := g.NextDone(ctx)
				if err == curio.ErrNoTask {
					return sum, nil
				}
				if err != nil {
					return 0, err
				}
				v, err := task.Result()
				if err != nil {
					return 0, err
				}
				sum += v
			}
		},
		"Done": func(ctx context.Context, g *curio.TaskGroup[int]) (sum int, err error) {
			for task, err := range g.Done(ctx) {
				if err != nil {
					return 0, err
				}
				v, err := task.Join(ctx)
				if err != nil {
					return 0, err
				}
				sum += v
			}
			return sum, nil
		},
		"Join": func(ctx context.Context, g *curio.TaskGroup[int]) (sum int, err error) {
			if err := g.Join(ctx); err != nil {
				return 0, err
			}
			values, err := g.Results()
			for _, v := range values {
				sum += v
			}
			return sum, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(ctx context.Context) error { return collectWith(ctx, collect) })
		})
	}
}

func collectWith(ctx context.Context, collect func(context.Context, *curio.TaskGroup[int]) (int, error)) error {
	guest := curio.Spawn(ctx, fixture.After(2*time.Millisecond, 4, nil), curio.Name("guest"))
	return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
		g.Spawn(fixture.Returns(1))
		g.Spawn(fixture.After(time.Millisecond, 2, nil))
		if err := g.AddTask(guest); err != nil {
			return err
		}
		sum, err := collect(ctx, g)
		if err == nil && sum != 7 {
			return fmt.Errorf("the sum is %d", sum)
		}
		return err
	})
}

func TestEverywhereCancelRemaining(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			for range 2 {
				g.Spawn(fixture.Sleeping)
			}
			if err := pause(ctx); err != nil {
				return err
			}
			if err := g.CancelRemaining(ctx); err != nil {
				return err
			}
			g.Spawn(fixture.After(time.Millisecond, 1, nil)) // it goes on
			return nil
		})
	})
}

// Groups in groups, whose members need a shield for their clean-up.
func TestEverywhereNestedGroups(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		var l curio.Lock
		leaf := func(ctx context.Context) error {
			err := pause(ctx)
			clean := curio.DisableCancellation(ctx, func(ctx context.Context) error { return l.Do(ctx, pause) })
			return errors.Join(err, clean)
		}
		inner := func(ctx context.Context) error { return fixture.Team(ctx, pause, leaf, leaf) }
		return fixture.Team(ctx, leaf, inner, inner)
	})
}

// Gather and Map of functions that take a unit, and of one that may fail. Their results have to be
// given back.
func TestEverywhereGather(t *testing.T) {
	for _, g := range fixture.Gatherers {
		for name, opts := range map[string][]curio.GroupOption{"": nil, ", KeepGoing": {curio.KeepGoing}} {
			for what, last := range map[string]fixture.Racer{"": fixture.Returns(0), ", fails": fixture.Fails} {
				if g.Limit > 1 || (name == "") == (what == "") {
					continue
				}
				t.Run(g.Name+name+what, func(t *testing.T) {
					everywhere(t, func(ctx context.Context) error {
						units := curio.NewSemaphore(2)
						takes := func(ctx context.Context) (int, error) {
							if err := units.Acquire(ctx); err != nil {
								return 0, err
							}
							if err := pause(ctx); err != nil {
								units.Release(ctx)
								return 0, err
							}
							return 1, nil
						}
						late := func(ctx context.Context) (int, error) {
							if err := pause(ctx); err != nil {
								return 0, err
							}
							return last(ctx)
						}
						values, err := g.Gather(ctx, []fixture.Racer{takes, late, takes}, opts...)
						for range sum(values) {
							units.Release(ctx)
						}
						if units.Value() != 2 || units.Size() != 2 {
							return fmt.Errorf("the units are wrong: %v", units)
						}
						if cancelled := curio.CheckCancellation(ctx); cancelled != nil {
							return cancelled
						}
						if (what == "") != (err == nil) || err != nil && !errors.Is(err, fixture.ErrBoom) {
							return fmt.Errorf("it returned %w", err)
						}
						return nil
					})
				})
			}
		}
	}
}

// Timeouts in each other, of which the inner one, the outer one or none expires.
func TestEverywhereTimeouts(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		const ms = time.Millisecond
		nested := func(outer, inner, sleep time.Duration) (innerErr, outerErr error) {
			outerErr = curio.TimeoutAfter(ctx, outer, func(ctx context.Context) error {
				innerErr = curio.TimeoutAfter(ctx, inner, func(ctx context.Context) error { return curio.Sleep(ctx, sleep) })
				if errors.Is(innerErr, curio.ErrTaskTimeout) {
					return curio.Sleep(ctx, ms)
				}
				return innerErr
			})
			return innerErr, outerErr
		}
		for _, c := range []struct {
			outer, inner, sleep time.Duration
			innerErr, outerErr  error
		}{
			{5 * ms, 4 * ms, 1 * ms, nil, nil},
			{5 * ms, 1 * ms, 4 * ms, curio.ErrTaskTimeout, nil},
			{1 * ms, 5 * ms, 4 * ms, curio.ErrTimeoutCancellation, curio.ErrTaskTimeout},
			{5 * ms, curio.NoTimeout, 1 * ms, nil, nil},
		} {
			innerErr, outerErr := nested(c.outer, c.inner, c.sleep)
			if cancelled := curio.CheckCancellation(ctx); cancelled != nil {
				return cancelled
			}
			if !errors.Is(innerErr, c.innerErr) || !errors.Is(outerErr, c.outerErr) {
				return fmt.Errorf("%v: inside %v, outside %v", c, innerErr, outerErr)
			}
		}
		return nil
	})
}

// IgnoreAfter, IgnoreAt, TimeoutAt and WithTimeout, around things that are taken and have
// to be given back.
func TestEverywhereIgnoreAndAt(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		s := curio.NewSemaphore(1)
		holds := func(ctx context.Context) error {
			if err := s.Acquire(ctx); err != nil {
				return err
			}
			defer s.Release(ctx)
			return fixture.Sleeper(ctx)
		}
		still := errors.New("it did not expire")
		if expired, err := curio.IgnoreAfter(ctx, time.Millisecond, holds); err != nil || !expired {
			return cmp.Or(err, still)
		}
		at := curio.Clock(ctx).Add(time.Millisecond)
		if expired, err := curio.IgnoreAt(ctx, at, holds); err != nil || !expired {
			return cmp.Or(err, still)
		}
		at = curio.Clock(ctx).Add(time.Millisecond)
		if err := curio.TimeoutAt(ctx, at, holds); !errors.Is(err, curio.ErrTaskTimeout) {
			return cmp.Or(err, still)
		}
		bound, cancel := curio.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if err := holds(bound); !errors.Is(err, curio.ErrTaskTimeout) {
			return cmp.Or(err, still)
		}
		return s.Do(ctx, pause)
	})
}

// Clean-up under a shield runs to its end, and what is let through to it is cut short.
func TestEverywhereShield(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		var l curio.Lock
		steps := 0
		work := pause(ctx)
		clean := curio.DisableCancellation(ctx, func(ctx context.Context) error {
			if err := l.Acquire(ctx); err != nil {
				return err
			}
			defer l.Release(ctx)
			for range 2 {
				if err := pause(ctx); err != nil {
					return err
				}
				steps++
			}
			// A timeout inside works as ever.
			if expired, err := curio.IgnoreAfter(ctx, time.Millisecond, fixture.Sleeper); err != nil || !expired {
				return fmt.Errorf("expired: %v, and %w", expired, err)
			}
			return nil
		})
		if clean != nil || steps != 2 {
			return fmt.Errorf("the clean-up was cut short after %d steps: %v", steps, clean)
		}
		window := curio.DisableCancellation(ctx, func(ctx context.Context) error {
			err := curio.EnableCancellation(ctx, func(ctx context.Context) error { return l.Do(ctx, pause) })
			if err := pause(ctx); err != nil {
				return fmt.Errorf("the shield has a hole: %v", err)
			}
			return err
		})
		return errors.Join(work, window, curio.CheckCancellation(ctx))
	})
}

// Tasks that spawn, join and cancel each other; one is joined by two, and one ends only
// in its own time.
func TestEverywhereTasks(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		leaf := curio.Spawn(ctx, fixture.After(time.Millisecond, 1, nil))
		joins := func(ctx context.Context) (int, error) { return leaf.Join(ctx) }
		a, b := curio.Spawn(ctx, joins), curio.Spawn(ctx, joins)
		slow := curio.Go(ctx, func(ctx context.Context) error {
			err := fixture.Sleeper(ctx)
			return errors.Join(err, curio.DisableCancellation(ctx, pause))
		})
		curio.Go(ctx, fixture.Sleeper, curio.Daemon())
		var never curio.Event
		left := curio.Go(ctx, func(ctx context.Context) error { return curio.Go(ctx, never.Wait).Wait(ctx) })
		for _, task := range []*curio.Task[int]{a, b} {
			if v, err := task.Join(ctx); err != nil || v != 1 {
				return cmp.Or(err, fmt.Errorf("joined %d", v))
			}
		}
		if _, err := slow.Cancel(ctx, fixture.ErrBoom); err != nil {
			return err
		}
		left.CancelNow()
		return left.Wait(ctx)
	})
}

// A helper that outlives whoever cancels it is waited for under a shield.
func TestEverywhereHelper(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		var l curio.Lock
		helper := curio.Go(context.WithoutCancel(ctx), func(ctx context.Context) error { return l.Do(ctx, fixture.Sleeper) })
		err := pause(ctx)
		clean := curio.DisableCancellation(ctx, func(ctx context.Context) error {
			_, err := helper.Cancel(ctx)
			return err
		})
		return errors.Join(err, clean)
	})
}

// A kernel inside of a task, whose tasks end with it.
func TestEverywhereKernel(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		if err := curio.Run(ctx, func(ctx context.Context) error {
			curio.Go(ctx, fixture.Sleeper)
			curio.Go(ctx, fixture.Sleeper, curio.Daemon())
			return pause(ctx)
		}); err != nil {
			return err
		}
		k := curio.NewKernel()
		err := k.Run(ctx, pause)
		return errors.Join(err, k.Shutdown(context.WithoutCancel(ctx)))
	})
}

// Workers of a group and beside it are asked to stop, and finish what they have begun.
func TestEverywhereStop(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			var jobs curio.Queue[int]
			worker := func(ctx context.Context) error {
				for {
					idle, cancel := curio.UntilStop(ctx)
					_, err := jobs.Get(idle)
					cancel()
					if err != nil {
						return err
					}
					if err := pause(ctx); err != nil {
						return err
					}
				}
			}
			task := curio.Go(ctx, worker)
			g.Go(worker)
			if err := jobs.Put(ctx, 1); err != nil {
				return err
			}
			if err := task.Stop(ctx, time.Minute); err != nil {
				return err
			}
			if err := jobs.Put(ctx, 2); err != nil {
				return err
			}
			return g.Stop(ctx, time.Minute)
		})
	})
}

// Work at a fixed rate, with the clock of its own kernel.
func TestEverywhereSleep(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		start := curio.Clock(ctx)
		for i := range 3 {
			at := start.Add(time.Duration(i) * time.Millisecond)
			now, err := curio.WakeAt(ctx, at)
			if err != nil {
				return err
			}
			if now.Before(at) {
				return fmt.Errorf("woken at %v, before %v", now, at)
			}
		}
		return curio.Sleep(ctx, 0)
	})
}

// Contexts and goroutines as others make them, with locks and queues of ours.
func TestEverywhereForeignContexts(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		derived, cancel := context.WithCancel(ctx)
		defer cancel()
		var l curio.Lock
		q := curio.NewQueue[int](1)
		done := make(chan error, 2)
		go func() { done <- l.Do(derived, pause) }()
		go func() { done <- q.Put(derived, 1) }()
		if err := l.Do(derived, pause); err != nil {
			return errors.Join(err, <-done, <-done)
		}
		_, err := q.Get(derived)
		return errors.Join(err, <-done, <-done)
	})
}

func TestEverywhereSequencer(t *testing.T) {
	everywhere(t, func(whole context.Context) error {
		var seq curiotest.Sequencer
		var order []int
		step := func(n int) func(context.Context) error {
			return func(ctx context.Context) error {
				err := seq.Step(ctx, n, func() error {
					order = append(order, n)
					return pause(ctx)
				})
				// A cancellation reaches one member after the other, and the whole
				// before them.
				if cancelled := curio.CheckCancellation(whole); err != nil && cancelled != nil {
					return cancelled
				}
				return err
			}
		}
		err := fixture.Team(whole, step(1), step(3), step(0), step(2))
		if err == nil && !slices.Equal(order, []int{0, 1, 2, 3}) {
			return fmt.Errorf("the order was %v", order)
		}
		return err
	})
}

func sum(values []int) (s int) {
	for _, v := range values {
		s += v
	}
	return s
}
