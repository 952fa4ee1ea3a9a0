package core_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/verify/fixture"
)

// What curiotest.CancelEverywhere promises its users, it is to find of our own code too:
// each TestEverywhere… is a small program that uses some operations together, and that is
// cancelled at each of its waits, four times over. The programs check what they can
// besides: an error of theirs is no cancellation, and so fails the test.
//
// All that a program uses it makes itself, and small: the time that a test takes grows
// with the square of its waits. Each fails if a Release, a Close or the like is taken out
// of it.

// everywhere runs program under curiotest.CancelEverywhere in a bubble.
func everywhere(t *testing.T, program func(ctx context.Context) error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { curiotest.CancelEverywhere(t, program) })
}

// pause is a wait that ends by itself.
func pause(ctx context.Context) error { return curio.Sleep(ctx, time.Millisecond) }

// alone is a place where no two may be at once.
type alone struct{ inside int }

func (a *alone) stay(ctx context.Context) error {
	if a.inside++; a.inside != 1 {
		return fmt.Errorf("%d are inside", a.inside)
	}
	defer func() { a.inside-- }()
	return pause(ctx)
}

var lockers = map[string]func() curio.Locker{
	"Lock":   func() curio.Locker { return new(curio.Lock) },
	"RLock":  func() curio.Locker { return new(curio.RLock) },
	"RWLock": func() curio.Locker { return new(curio.RWLock) },
}

func TestEverywhereLocks(t *testing.T) {
	for name, lock := range lockers {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(ctx context.Context) error {
				l, place := lock(), new(alone)
				by := func(ctx context.Context) error {
					if err := l.Acquire(ctx); err != nil {
						return err
					}
					defer l.Release(ctx)
					return place.stay(ctx)
				}
				tries := func(ctx context.Context) error {
					for !l.TryAcquire(ctx) {
						if err := pause(ctx); err != nil {
							return err
						}
					}
					defer l.Release(ctx)
					return place.stay(ctx)
				}
				does := func(ctx context.Context) error { return l.Do(ctx, place.stay) }
				return fixture.Team(ctx, by, by, does, tries)
			})
		})
	}
}

// Several levels, some of which are released before others, and two locks at once.
func TestEverywhereRLock(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		var outer, inner curio.RLock
		deep := func(ctx context.Context) error {
			if err := outer.Acquire(ctx); err != nil {
				return err
			}
			defer outer.Release(ctx)
			if err := inner.Acquire(ctx); err != nil {
				return err
			}
			defer inner.Release(ctx)
			again := outer.Do(ctx, func(ctx context.Context) error { return inner.Do(ctx, pause) })
			if again != nil {
				return again
			}
			return pause(ctx)
		}
		return fixture.Team(ctx, deep, deep, deep)
	})
}

func TestEverywhereRWLock(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		var l curio.RWLock
		var place alone
		var readers atomic.Int64
		reads := func(ctx context.Context) error {
			if err := l.AcquireRead(ctx); err != nil {
				return err
			}
			defer l.ReleaseRead(ctx)
			if place.inside != 0 {
				return errors.New("somebody writes")
			}
			readers.Add(1)
			defer readers.Add(-1)
			return pause(ctx)
		}
		writes := func(ctx context.Context) error {
			return l.Do(ctx, func(ctx context.Context) error {
				if readers.Load() != 0 {
					return errors.New("somebody reads")
				}
				return place.stay(ctx)
			})
		}
		return fixture.Team(ctx, func(ctx context.Context) error { return l.DoRead(ctx, pause) }, reads, writes, reads, reads, writes)
	})
}

// Requests of different sizes, one of which can be served only when there are more units.
func TestEverywhereSemaphore(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		s := curio.NewSemaphore(2)
		one := func(ctx context.Context) error {
			if err := s.Acquire(ctx); err != nil {
				return err
			}
			defer s.Release(ctx)
			return pause(ctx)
		}
		two := func(ctx context.Context) error { return s.DoN(ctx, 2, pause) }
		three := func(ctx context.Context) error {
			if err := s.AcquireN(ctx, 3); err != nil {
				return err
			}
			defer s.ReleaseN(ctx, 3)
			return pause(ctx)
		}
		grow := func(ctx context.Context) error {
			if err := pause(ctx); err != nil {
				return err
			}
			s.Resize(3)
			return nil
		}
		return fixture.Team(ctx, one, three, one, two, grow)
	})
}

func TestEverywhereBoundedSemaphore(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		s := curio.NewBoundedSemaphore(2)
		by := func(ctx context.Context) error {
			if err := s.Acquire(ctx); err != nil {
				return err
			}
			defer s.Release(ctx)
			return pause(ctx)
		}
		all := func(ctx context.Context) error {
			if err := s.AcquireN(ctx, 2); err != nil {
				return err
			}
			defer s.ReleaseN(ctx, 2)
			if v := s.Value(); v != 0 {
				return fmt.Errorf("%d are free, and all are taken", v)
			}
			return pause(ctx)
		}
		return fixture.Team(ctx, by, by, all, by, func(ctx context.Context) error { return s.Do(ctx, pause) })
	})
}

// Who gives up lets those pass that it has held up: a large request, and a writer.
func TestEverywhereGiveUp(t *testing.T) {
	givesUp := func(acquire func(ctx context.Context) error) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			expired, err := curio.IgnoreAfter(ctx, 2*time.Millisecond, acquire)
			if err == nil && !expired {
				return errors.New("it was served")
			}
			return err
		}
	}
	behind := func(do func(context.Context, func(context.Context) error) error) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			if err := pause(ctx); err != nil {
				return err
			}
			return do(ctx, pause)
		}
	}
	everywhere(t, func(ctx context.Context) error {
		var l curio.RWLock
		s := curio.NewSemaphore(2)
		all := func(ctx context.Context) error { return s.AcquireN(ctx, 2) }
		return s.Do(ctx, func(ctx context.Context) error {
			return l.DoRead(ctx, func(ctx context.Context) error {
				return fixture.Team(ctx, fixture.Nothing, givesUp(all), behind(s.Do), givesUp(l.Acquire), behind(l.DoRead))
			})
		})
	})
}

// A semaphore that counts events: one releases what nobody has acquired.
func TestEverywhereSemaphoreCountsEvents(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		var happened curio.Semaphore
		consumes := func(ctx context.Context) error {
			for range 2 {
				if err := happened.Acquire(ctx); err != nil {
					return err
				}
				happened.Resize(happened.Size() - 1) // the event is used up
				happened.Release(ctx)
			}
			return nil
		}
		return fixture.Team(ctx, func(ctx context.Context) error {
			for range 4 {
				if err := pause(ctx); err != nil {
					return err
				}
				happened.Release(ctx)
			}
			return nil
		}, consumes, consumes)
	})
}

func TestEverywhereEvent(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		var ready, done curio.Event
		waits := func(ctx context.Context) error {
			if err := ready.Wait(ctx); err != nil {
				return err
			}
			done.Set()
			return nil
		}
		return fixture.Team(ctx, func(ctx context.Context) error {
			if err := pause(ctx); err != nil {
				return err
			}
			ready.Set()
			ready.Clear() // who waited is awake all the same
			return done.Wait(ctx)
		}, waits, waits, waits)
	})
}

func TestEverywhereResult(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		var good, bad curio.Result[int]
		gets := func(ctx context.Context) error {
			v, err := good.Get(ctx)
			if err == nil && v != 1 {
				return fmt.Errorf("got %d", v)
			}
			return err
		}
		waits := func(ctx context.Context) error {
			if err := bad.Wait(ctx); err != nil {
				return err
			}
			if _, err := bad.Get(ctx); !errors.Is(err, fixture.ErrBoom) && !errors.Is(err, curio.ErrCancelled) {
				return fmt.Errorf("got the error %v", err)
			}
			return curio.CheckCancellation(ctx)
		}
		return fixture.Team(ctx, func(ctx context.Context) error {
			good.Do(ctx, func(ctx context.Context) (int, error) { return 1, pause(ctx) })
			bad.Do(ctx, func(ctx context.Context) (int, error) {
				if err := pause(ctx); err != nil {
					return 0, err
				}
				return 0, fixture.ErrBoom
			})
			return curio.CheckCancellation(ctx)
		}, gets, gets, waits)
	})
}

// Two rounds of three, in each of which one is the last.
func TestEverywhereBarrier(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		b := curio.NewBarrier(3)
		var lasts atomic.Int64
		passes := func(ctx context.Context) error {
			for range 2 {
				last, err := b.Wait(ctx)
				if err != nil {
					return err
				}
				if last {
					lasts.Add(1)
				}
			}
			return nil
		}
		if err := fixture.Team(ctx, passes, passes, passes); err != nil {
			return err
		}
		if n := lasts.Load(); n != 2 || b.Waiting() != 0 {
			return fmt.Errorf("%d were the last of two rounds, and %d wait", n, b.Waiting())
		}
		return nil
	})
}

// A buffer with room for one item, between two producers and two consumers, over each
// kind of lock, and its own.
func TestEverywhereCondition(t *testing.T) {
	for name, lock := range lockers {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(ctx context.Context) error {
				l := lock()
				return boundedBuffer(ctx, curio.NewCondition(l), curio.NewCondition(l))
			})
		})
	}
	t.Run("own", func(t *testing.T) {
		everywhere(t, func(ctx context.Context) error {
			c := new(curio.Condition) // for both sides
			return boundedBuffer(ctx, c, c)
		})
	})
}

func boundedBuffer(ctx context.Context, notFull, notEmpty *curio.Condition) error {
	items, got := 0, 0
	const each = 2
	produces := func(ctx context.Context) error {
		for range each {
			if err := notFull.Acquire(ctx); err != nil {
				return err
			}
			err := notFull.WaitFor(ctx, func() bool { return items == 0 })
			if err == nil {
				items++
				notEmpty.NotifyAll()
			}
			notFull.Release(ctx)
			if err != nil {
				return err
			}
		}
		return nil
	}
	consumes := func(ctx context.Context) error {
		for range each {
			if err := notEmpty.Do(ctx, func(ctx context.Context) error {
				for items == 0 {
					if err := notEmpty.Wait(ctx); err != nil {
						return err
					}
				}
				items, got = items-1, got+1
				notFull.NotifyAll()
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	}
	if err := fixture.Team(ctx, produces, consumes, produces, consumes); err != nil {
		return err
	}
	if items != 0 || got != 2*each {
		return fmt.Errorf("%d items are left, and %d were got", items, got)
	}
	return nil
}

// Who is cancelled in a Wait takes the lock back first, all levels of it, and that can
// take its time.
func TestEverywhereConditionOfADeepRLock(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		var l curio.RLock
		c := curio.NewCondition(&l)
		ready := false
		waits := func(ctx context.Context) error {
			return l.Do(ctx, func(ctx context.Context) error {
				return c.Do(ctx, func(ctx context.Context) error {
					err := c.WaitFor(ctx, func() bool { return ready })
					if h := l.Snapshot().Holders; len(h) != 1 || h[0].N != 2 || h[0].Task != curio.CurrentTask(ctx) {
						return fmt.Errorf("after the Wait it is held by %v", h)
					}
					return err
				})
			})
		}
		return fixture.Team(ctx, func(ctx context.Context) error {
			if err := pause(ctx); err != nil {
				return err
			}
			return l.Do(ctx, func(ctx context.Context) error {
				// Those that wait are cancelled while the lock is taken.
				err := curio.DisableCancellation(ctx, pause)
				ready = true
				c.NotifyAll()
				return errors.Join(err, curio.CheckCancellation(ctx))
			})
		}, waits, waits)
	})
}
