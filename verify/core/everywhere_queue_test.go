package core_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/verify/fixture"
)

// A queue of each kind, as the Queue that it is built on.
var everywhereQueues = map[string]func(max int) *curio.Queue[int]{
	"Queue":          curio.NewQueue[int],
	"PriorityQueue":  func(max int) *curio.Queue[int] { return curio.NewPriorityQueue(max, cmp.Compare[int]) },
	"LIFOQueue":      func(max int) *curio.Queue[int] { return curio.NewLIFOQueue[int](max) },
	"UniversalQueue": func(max int) *curio.Queue[int] { return curio.NewUniversalQueue[int](max) },
}

// Two producers and two consumers, one of which loops over All: everything that is put is
// got once, Join knows when, and Close ends the consumers.
func TestEverywhereQueue(t *testing.T) {
	for name, queue := range everywhereQueues {
		for _, max := range []int{0, 1} {
			t.Run(fmt.Sprintf("%s/max=%d", name, max), func(t *testing.T) {
				everywhere(t, func(ctx context.Context) error { return workOff(ctx, queue(max)) })
			})
		}
	}
}

func workOff(ctx context.Context, q *curio.Queue[int]) error {
	var sum atomic.Int64
	produces := func(ctx context.Context) error {
		for i := range 2 {
			if err := q.Put(ctx, 1+i); err != nil {
				return err
			}
		}
		return nil
	}
	loops := func(ctx context.Context) error {
		for v, err := range q.All(ctx) {
			if err != nil {
				return err
			}
			sum.Add(int64(v))
			q.TaskDone()
		}
		return nil
	}
	gets := func(ctx context.Context) error {
		for {
			v, err := q.Get(ctx)
			switch {
			case errors.Is(err, curio.ErrQueueClosed):
				return nil
			case err != nil:
				return err
			}
			sum.Add(int64(v))
			err = pause(ctx)
			q.TaskDone()
			if err != nil {
				return err
			}
		}
	}
	err := fixture.Team(ctx, func(ctx context.Context) error {
		if err := fixture.Team(ctx, fixture.Nothing, produces, produces); err != nil {
			return err
		}
		if err := q.Join(ctx); err != nil {
			return err
		}
		q.Close()
		return nil
	}, loops, gets)
	if err == nil && (sum.Load() != 6 || q.Len() != 0) {
		return fmt.Errorf("what was got is %d in sum, and %d items are left", sum.Load(), q.Len())
	}
	return err
}

// What was put and not got is still there, and what was cut short has put nothing:
// whoever cleans up finds each item once. The items are units of a semaphore, of which
// none may be lost.
func TestEverywhereQueueLosesNothing(t *testing.T) {
	for name, queue := range everywhereQueues {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(ctx context.Context) error {
				q, units := queue(2), curio.NewSemaphore(4)
				defer func() {
					for _, err := q.TryGet(); err == nil; _, err = q.TryGet() {
						units.Release(ctx)
					}
				}()
				takes := func(ctx context.Context) error {
					for range 3 {
						if _, err := q.Get(ctx); err != nil {
							return err
						}
						units.Release(ctx)
					}
					return nil
				}
				puts := func(ctx context.Context) error {
					for i := range 4 {
						if err := units.Acquire(ctx); err != nil {
							return err
						}
						if err := q.Put(ctx, i); err != nil {
							units.Release(ctx)
							return err
						}
					}
					return nil
				}
				return fixture.Team(ctx, puts, takes)
			})
		})
	}
}

// Closed while some wait in Put, Get and Join.
func TestEverywhereQueueClose(t *testing.T) {
	for name, queue := range everywhereQueues {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(ctx context.Context) error {
				full, empty := queue(1), queue(1)
				if err := full.Put(ctx, 1); err != nil {
					return err
				}
				refused := func(err error) error {
					if errors.Is(err, curio.ErrQueueClosed) {
						return nil
					}
					return errors.Join(errors.New("it is not closed"), err)
				}
				puts := func(ctx context.Context) error {
					err := full.Put(ctx, 2)
					return cmp.Or(curio.CheckCancellation(ctx), refused(err))
				}
				gets := func(ctx context.Context) error {
					_, err := empty.Get(ctx)
					return cmp.Or(curio.CheckCancellation(ctx), refused(err))
				}
				loops := func(ctx context.Context) error {
					for _, err := range empty.All(ctx) {
						return cmp.Or(err, errors.New("there was an item"))
					}
					return nil
				}
				return fixture.Team(ctx, func(ctx context.Context) error {
					if err := pause(ctx); err != nil {
						return err
					}
					full.Close()
					empty.Close()
					if err := pause(ctx); err != nil {
						return err
					}
					full.TaskDone()
					return nil
				}, puts, gets, loops, full.Join)
			})
		})
	}
}

// Producers that close the queue when the last of them has ended, whether or not it was
// cancelled. One of them makes another, and one puts by a Select.
func TestEverywhereProducers(t *testing.T) {
	for name, queue := range everywhereQueues {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(ctx context.Context) error { return produceTogether(ctx, queue(1)) })
		})
	}
}

func produceTogether(ctx context.Context, q *curio.Queue[int]) error {
	var got atomic.Int64
	puts := func(p *curio.Producer[int]) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			defer p.Close()
			if err := p.Put(ctx, 1); err != nil {
				return err
			}
			_, err := curio.Select(ctx, p.PutCase(2), new(curio.Event).WaitCase())
			return err
		}
	}
	producers := q.Producers(2)
	first, second := producers[0], producers[1]
	loops := func(ctx context.Context) error {
		for v, err := range q.All(ctx) {
			if err != nil {
				return err
			}
			got.Add(int64(v))
		}
		return nil
	}
	// The consumers are not cancelled, and end all the same.
	err := curio.DisableCancellation(ctx, func(shielded context.Context) error {
		return fixture.Team(shielded, func(context.Context) error {
			return fixture.Team(ctx, fixture.Nothing, puts(second), func(ctx context.Context) error {
				defer first.Close()
				curio.Go(ctx, puts(q.Producers(1)[0]))
				return pause(ctx)
			})
		}, loops, loops)
	})
	if err == nil && (got.Load() != 6 || q.Len() != 0) {
		return fmt.Errorf("what was got is %d in sum, and %d items are left", got.Load(), q.Len())
	}
	return err
}

// The descriptor of a UniversalQueue, at which somebody waits who does not know Curio's
// queues. There is real I/O in it, so there is no bubble.
func TestEverywhereUniversalQueueFD(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		q := curio.NewUniversalQueue[int](0)
		fd, err := q.FD()
		if err != nil {
			return err
		}
		defer q.CloseFD()
		return fixture.Team(ctx, func(ctx context.Context) error {
			for {
				if err := curio.WaitRead(ctx, fd); err != nil {
					return err
				}
				if _, err := q.TryGet(); errors.Is(err, curio.ErrQueueClosed) {
					return nil
				}
			}
		}, func(ctx context.Context) error {
			defer q.Close()
			for i := range 2 {
				if err := q.Put(ctx, i); err != nil {
					return err
				}
				if err := curio.Sleep(ctx, 0); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// Go channels, one without room and one with, between two senders and two receivers.
func TestEverywhereChannels(t *testing.T) {
	for _, room := range []int{0, 1} {
		t.Run(fmt.Sprintf("room=%d", room), func(t *testing.T) {
			everywhere(t, func(ctx context.Context) error {
				ch := make(chan int, room)
				var sum atomic.Int64
				sends := func(ctx context.Context) error {
					for i := range 2 {
						if err := curio.Send(ctx, ch, 1+i); err != nil {
							return err
						}
					}
					return nil
				}
				receives := func(ctx context.Context) error {
					for {
						v, err := curio.Receive(ctx, ch)
						if err == curio.ErrChannelClosed {
							return nil
						}
						if err != nil {
							return err
						}
						sum.Add(int64(v))
					}
				}
				err := fixture.Team(ctx, func(ctx context.Context) error {
					defer close(ch)
					return fixture.Team(ctx, fixture.Nothing, sends, sends)
				}, receives, receives)
				if err == nil && sum.Load() != 6 {
					return fmt.Errorf("what was received is %d in sum", sum.Load())
				}
				return err
			})
		})
	}
}
