package core_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// What a Select waits for in addition to the hurdles: queues, tasks, channels, the clock.

func operationsOfSelect() (all []operation) {
	never := new(curio.Event)
	for kind, queue := range everywhereQueues {
		all = append(all,
			operation{name: "Select of " + kind + ".Get", state: "SELECT", closes: true, begin: emptyQueue(queue, curio.ErrQueueClosed,
				func(ctx context.Context, f *fixture.Fixture, q *curio.Queue[int]) error {
					var v int
					return fixture.NoResult(f, v, fixture.Selected(ctx, 1, never.WaitCase(), q.GetCase(&v)))
				})},
			operation{name: "Select of " + kind + ".Put", state: "SELECT", closes: true, begin: fullQueueOf(queue,
				func(ctx context.Context, q *curio.Queue[int]) error {
					return fixture.Selected(ctx, 0, q.PutCase(2), never.WaitCase())
				})},
			operation{name: "Select of a put by a Producer of " + kind, state: "SELECT", closes: true, begin: fullQueueOf(queue,
				func(ctx context.Context, q *curio.Queue[int]) error {
					return fixture.Selected(ctx, 0, q.Producers(1)[0].PutCase(2), never.WaitCase())
				})},
		)
	}
	for kind, others := range map[string]func() []curio.Case{
		"nothing else": func() []curio.Case { return nil },
		"an event":     func() []curio.Case { return []curio.Case{never.WaitCase()} },
		"other channels": func() []curio.Case { // made here, as they belong to the bubble
			return []curio.Case{curio.ReceiveCase[int](nil, nil), curio.SendCase(make(chan string), "")}
		},
	} {
		all = append(all,
			operation{name: "Select of a receive and " + kind, state: "SELECT", closes: true, begin: receiving(func(ctx context.Context, ch chan int) (v int, err error) {
				cases := others()
				err = fixture.Selected(ctx, len(cases), append(cases, curio.ReceiveCase(ch, &v))...)
				return v, err
			})},
			operation{name: "Select of a send and " + kind, state: "SELECT", begin: sending(func(ctx context.Context, ch chan int, v int) error {
				cases := others()
				return fixture.Selected(ctx, len(cases), append(cases, curio.SendCase(ch, v))...)
			})},
		)
	}
	return append(all,
		// Of a task's end, by JoinCase and WaitCase.
		ofTask("Select", "SELECT", func(ctx context.Context, f *fixture.Fixture, task *curio.Task[int]) error {
			var v int
			return fixture.NoResult(f, v, fixture.Selected(ctx, 1, never.WaitCase(), task.JoinCase(&v)))
		}),
		ofTask("Select", "SELECT", func(ctx context.Context, _ *fixture.Fixture, task *curio.Task[int]) error {
			return fixture.Selected(ctx, 0, task.WaitCase(), never.WaitCase())
		}),
		operation{name: "Race", covers: []string{"Race"}, state: "TASKGROUP_NEXT", begin: func(context.Context, *fixture.Fixture) *blocked {
			return &blocked{
				run: func(ctx context.Context) error {
					_, err := curio.Race(ctx, []fixture.Racer{fixture.Fails, fixture.Sleeping})
					return err
				},
				works: func(ctx context.Context) error {
					_, err := curio.Race(ctx, []fixture.Racer{fixture.Fails, fixture.Returns(1)})
					return err
				},
			}
		}},
		operation{name: "Select of WaitReadCase", covers: []string{"Select"}, state: "SELECT", real: true, begin: func(_ context.Context, f *fixture.Fixture) *blocked {
			r, w := testutil.Pipe(f)
			wait := func(ctx context.Context) error {
				return fixture.Selected(ctx, 1, never.WaitCase(), curio.WaitReadCase(r))
			}
			return &blocked{run: wait, works: func(ctx context.Context) error {
				_, err := syscall.Write(w, []byte("x"))
				return cmp.Or(err, wait(ctx))
			}}
		}},
		ofTickerCase(never),
		operation{name: "Select of AfterCase", covers: []string{"Select"}, state: "SELECT", begin: func(context.Context, *fixture.Fixture) *blocked {
			return &blocked{
				run: func(ctx context.Context) error {
					return fixture.Selected(ctx, 1, never.WaitCase(), curio.AfterCase(time.Hour))
				},
				works: func(ctx context.Context) error { return fixture.Selected(ctx, 0, curio.AfterCase(time.Millisecond)) },
			}
		}},
	)
}

func ofTickerCase(never *curio.Event) operation {
	o := ofTicker("Select of Ticker.NextCase", func(ctx context.Context, t *curio.Ticker) (tick time.Time, err error) {
		err = fixture.Selected(ctx, 1, never.WaitCase(), t.NextCase(&tick))
		return tick, err
	})
	o.covers, o.state = []string{"Select"}, "SELECT"
	return o
}

func receiving(receive func(ctx context.Context, ch chan int) (int, error)) func(context.Context, *fixture.Fixture) *blocked {
	return func(_ context.Context, f *fixture.Fixture) *blocked {
		ch := make(chan int)
		isClosed := false
		return &blocked{
			run: func(ctx context.Context) error {
				v, err := receive(ctx, ch)
				return fixture.NoResult(f, v, err)
			},
			close: func() { close(ch); isClosed = true }, closed: curio.ErrChannelClosed,
			works: func(ctx context.Context) error {
				if isClosed {
					return nil
				}
				sender := curio.Go(ctx, func(ctx context.Context) error { return curio.Send(ctx, ch, 1) })
				v, err := receive(ctx, ch)
				if err == nil && v != 1 {
					return fmt.Errorf("received %d", v)
				}
				return errors.Join(err, sender.Wait(ctx))
			},
		}
	}
}

func sending(send func(ctx context.Context, ch chan int, v int) error) func(context.Context, *fixture.Fixture) *blocked {
	return func(_ context.Context, f *fixture.Fixture) *blocked {
		ch := make(chan int, 1)
		ch <- 1
		return &blocked{
			run: func(ctx context.Context) error { return send(ctx, ch, 2) },
			works: func(ctx context.Context) error {
				<-ch
				err := send(ctx, ch, 3)
				if v := <-ch; v != 3 {
					return fmt.Errorf("in the channel was %d", v)
				}
				return err
			},
		}
	}
}
