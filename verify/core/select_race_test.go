package core_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// The worst moments of a Select: several cases become ready, and it is cancelled, at once.

// Two queues get an item each while two Selects wait for both, from opposite ends: each takes
// one, and nothing is lost or doubled.
func TestRaceSelectFromBothEnds(t *testing.T) {
	for name, more := range map[string]func() []curio.Case{
		"queues": func() []curio.Case { return nil },
		"a channel too": func() []curio.Case {
			return []curio.Case{curio.ReceiveCase(make(chan int), nil)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			fixture.Race(t, 20_000, func(ctx context.Context) {
				a, b := curio.NewQueue[int](1), curio.NewQueue[int](1)
				both := func(one, other *curio.Queue[int]) *curio.Task[int] {
					return curio.Spawn(ctx, func(ctx context.Context) (got int, err error) {
						_, err = curio.Select(ctx, append([]curio.Case{one.GetCase(&got), other.GetCase(&got)}, more()...)...)
						return got, err
					})
				}
				left, right := both(a, b), both(b, a)
				fixture.AtOnce(
					func() { fixture.Spin(); fixture.Succeed(a.Put(ctx, 1)) },
					func() { fixture.Spin(); fixture.Succeed(b.Put(ctx, 2)) },
				)
				one, err := left.Join(ctx)
				other, err2 := right.Join(ctx)
				if err != nil || err2 != nil || one+other != 3 || one*other != 2 {
					t.Errorf("got %d and %d, %v, %v", one, other, err, err2)
				}
			})
		})
	}
}

// A send on a channel, a put and a cancellation at the same instant: exactly one takes effect.
func TestRaceSelectOfAChannelAndAQueue(t *testing.T) {
	for name, channels := range map[string]int{"one channel": 1, "two channels": 2} {
		t.Run(name, func(t *testing.T) {
			fixture.Race(t, 50_000, func(ctx context.Context) {
				q, ch := curio.NewQueue[int](1), make(chan int)
				gone := make(chan struct{})
				var got int
				cases := []curio.Case{q.GetCase(&got), curio.ReceiveCase(ch, &got), curio.ReceiveCase(make(chan int), nil)}[:1+channels]
				task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
					defer close(gone)
					return curio.Select(ctx, cases...)
				})
				if rand.IntN(2) == 0 {
					fixture.WaitUntil(func() bool { return len(q.Snapshot().Waiters) == 1 })
				}
				sent := false
				fixture.AtOnce(
					func() {
						fixture.Spin()
						select {
						case ch <- 1:
							sent = true
						case <-gone:
						}
					},
					func() { fixture.Spin(); fixture.Succeed(q.Put(ctx, 2)) },
					func() {
						if fixture.Spin(); rand.IntN(2) == 0 {
							task.CancelNow()
						}
					},
				)
				i, err := task.Join(ctx)
				taken := q.Len() == 0
				switch {
				case err == nil && i == 0 && got == 2 && taken && !sent:
				case err == nil && i == 1 && got == 1 && !taken && sent:
				case errors.Is(err, curio.ErrTaskCancelled) && got == 0 && !taken && !sent:
				default:
					t.Errorf("case %d, %v: got %d; the item was taken: %v; the value was sent: %v", i, err, got, taken, sent)
				}
			})
		})
	}
}

// Everything at once, cancellations included: of what was granted, exactly what Select says.
func TestRaceSelectOfEverything(t *testing.T) {
	fixture.Race(t, 10_000, func(ctx context.Context) {
		var l curio.Lock
		s, q, full := curio.NewSemaphore(2), curio.NewQueue[int](1), curio.NewQueue[int](1)
		var rw curio.RWLock
		var e curio.Event
		fixture.Succeed(errors.Join(l.Acquire(ctx), s.AcquireN(ctx, 2), full.Put(ctx, 1), rw.Acquire(ctx)))
		var got int
		var after int32
		task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
			i, err := curio.Select(ctx, l.AcquireCase(), s.AcquireNCase(2), q.GetCase(&got), full.PutCase(2), rw.AcquireReadCase(), e.WaitCase())
			if err != nil {
				return i, err
			}
			after = int32(i)
			switch i {
			case 0:
				l.Release(ctx)
			case 1:
				s.ReleaseN(ctx, 2)
			case 4:
				rw.ReleaseRead(ctx)
			}
			return i, nil
		})
		if rand.IntN(2) == 0 {
			fixture.WaitUntil(func() bool { return task.State() == "SELECT" })
		}
		var stolen atomic.Int32
		fixture.AtOnce(
			func() { fixture.Spin(); l.Release(ctx) },
			func() { fixture.Spin(); s.ReleaseN(ctx, 2) },
			func() { fixture.Spin(); fixture.Succeed(q.Put(ctx, 1)) },
			func() {
				fixture.Spin()
				if v, err := full.TryGet(); err == nil {
					stolen.Store(int32(v))
				}
			},
			func() { fixture.Spin(); rw.Release(ctx) },
			func() {
				if fixture.Spin(); rand.IntN(4) == 0 {
					task.CancelNow()
				}
			},
			func() {
				if fixture.Spin(); rand.IntN(4) == 0 {
					e.Set()
				}
			},
		)
		i, err := task.Join(ctx)
		if err != nil {
			i = -1
		}
		held := l.Locked() || s.Value() != 2 || !rw.TryAcquire(ctx)
		if held || (q.Len() == 0) != (i == 2) || (full.Len() == 1) != (i == 3) || stolen.Load() != 1 {
			t.Errorf("case %d (%d), %v: lock held or not free: %v; %v; %v; %v", i, after, err, held, s, q, full)
		}
		for _, look := range []func() curio.Snapshot{l.Snapshot, s.Snapshot, q.Snapshot, full.Snapshot, rw.Snapshot, e.Snapshot} {
			if w := look().Waiters; len(w) > 0 {
				t.Errorf("case %d: there wait %v", i, w)
			}
		}
	})
}

// Producers, consumers by Get and consumers by Select, with and without a channel: every item
// arrives once, in the order of its producer at each consumer.
func TestRaceSelectAmongOthers(t *testing.T) {
	for _, channel := range []bool{false, true} {
		t.Run(fmt.Sprintf("channel=%v", channel), func(t *testing.T) {
			fixture.Watch(t, func() {
				fixture.WithKernel(t, func(ctx context.Context, _ *fixture.Fixture) {
					const producers, consumers = 3, 4
					each := testutil.Times(20_000)
					type item struct{ from, n int }
					queues := []*curio.Queue[item]{curio.NewQueue[item](2), curio.NewQueue[item](0)}
					var received atomic.Int64
					err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
						for p := range producers {
							g.Spawn(func(ctx context.Context) (int, error) {
								for n := range each {
									v := item{p, n}
									if p == 0 { // to any of them
										if _, err := curio.Select(ctx, queues[0].PutCase(v), queues[1].PutCase(v)); err != nil {
											return 0, err
										}
										continue
									}
									if err := queues[p%2].Put(ctx, v); err != nil {
										return 0, err
									}
								}
								return 0, nil
							})
						}
						for c := range consumers {
							g.Spawn(func(ctx context.Context) (int, error) {
								var last [2][producers]int
								for {
									var v item
									from := c % 2
									cases := []curio.Case{queues[0].GetCase(&v), queues[1].GetCase(&v)}
									if channel {
										cases = append(cases, curio.ReceiveCase(make(chan int), nil))
									}
									var err error
									if c < 2 {
										v, err = queues[from].Get(ctx)
									} else {
										from, err = curio.Select(ctx, cases...)
									}
									switch {
									case errors.Is(err, curio.ErrQueueClosed):
										return 0, nil
									case err != nil:
										return 0, err
									case v.n < last[from][v.from]:
										return 0, fmt.Errorf("item %d of %d comes after item %d", v.n, v.from, last[from][v.from])
									}
									last[from][v.from] = v.n
									if received.Add(1) == int64(producers*each) {
										queues[0].Close()
										queues[1].Close()
									}
								}
							})
						}
						return nil
					})
					if err != nil || received.Load() != int64(producers*each) {
						t.Errorf("%d received, %v", received.Load(), err)
					}
				})
			})
		})
	}
}
