package curio_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// Receive and Send: Go channels, cancellably.

// A channelOp is one of the two, on a channel at which it waits.
type channelOp struct {
	name, state string
	call        func(ctx context.Context, ch chan int) error
	serve       func(ch chan int) // ends the wait
}

var channelOps = []channelOp{
	{
		"Receive", "CHANNEL_RECEIVE",
		func(ctx context.Context, ch chan int) error {
			v, err := curio.Receive(ctx, ch)
			if (err == nil) != (v == 7) {
				return fmt.Errorf("got %d with the error %w", v, err)
			}
			return err
		},
		func(ch chan int) { ch <- 7 },
	},
	{
		"Send", "CHANNEL_SEND",
		func(ctx context.Context, ch chan int) error { return curio.Send(ctx, ch, 7) },
		func(ch chan int) { <-ch },
	},
}

func eachChannelOp(t *testing.T, body func(ctx context.Context, f *fixture.Fixture, op channelOp)) {
	for _, op := range channelOps {
		t.Run(op.name, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) { body(ctx, f, op) })
		})
	}
}

func (op channelOp) spawn(ctx context.Context, ch chan int) *curio.Task[struct{}] {
	return curio.Go(ctx, func(ctx context.Context) error { return op.call(ctx, ch) }, curio.Name(op.name))
}

// What need not wait does not.
func TestChannelReady(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		ch := make(chan int, 2)
		cycles := curio.CurrentTask(ctx).Cycles()
		for i := range 2 {
			if err := curio.Send(ctx, ch, i); err != nil {
				f.Error(err)
			}
		}
		close(ch)
		for i := range 2 {
			if v, err := curio.Receive(ctx, ch); v != i || err != nil {
				f.Error(v, err)
			}
		}
		for range 2 {
			if v, err := curio.Receive(ctx, ch); v != 0 || err != curio.ErrChannelClosed {
				f.Errorf("closed: %d, %v", v, err)
			}
		}
		if n := curio.CurrentTask(ctx).Cycles(); n != cycles {
			f.Errorf("it has waited %d times", n-cycles)
		}
	})
}

// What must wait is shown as waiting, and goes on with the value: unbuffered, or with a
// buffer that is empty or full.
func TestChannelWaits(t *testing.T) {
	eachChannelOp(t, func(ctx context.Context, f *fixture.Fixture, op channelOp) {
		for size := range 3 {
			ch := make(chan int, size)
			if op.name == "Send" {
				for range size {
					ch <- 7
				}
			}
			task := op.spawn(ctx, ch)
			fixture.TaskState(f, task, op.state)
			op.serve(ch)
			if _, err := task.Join(ctx); err != nil {
				f.Error(err)
			}
			if n := task.Cycles(); n != 1 {
				f.Errorf("%d cycles, want 1", n)
			}
		}
	})
}

// The two of them, at both ends of an unbuffered channel, and the directions of the types.
func TestChannelBothEnds(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		ch := make(chan string)
		sender := curio.Go(ctx, func(ctx context.Context) error {
			defer close(ch)
			for i := range 100 {
				if err := curio.Send(ctx, (chan<- string)(ch), fmt.Sprint(i)); err != nil {
					return err
				}
			}
			return nil
		})
		for i := range 100 {
			if s, err := curio.Receive(ctx, (<-chan string)(ch)); s != fmt.Sprint(i) || err != nil {
				f.Error(s, err)
			}
		}
		if s, err := curio.Receive(ctx, ch); s != "" || err != curio.ErrChannelClosed {
			f.Error(s, err)
		}
		if _, err := sender.Join(ctx); err != nil {
			f.Error(err)
		}
	})
}

// A receiver that waits when the channel is closed gets curio.ErrChannelClosed, all of them.
func TestChannelClosedWhileWaiting(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		ch := make(chan int)
		var tasks []*curio.Task[struct{}]
		for range 10 {
			tasks = append(tasks, channelOps[0].spawn(ctx, ch))
		}
		synctest.Wait()
		close(ch)
		for _, task := range tasks {
			if _, err := task.Join(ctx); !errors.Is(err, curio.ErrChannelClosed) {
				f.Error(err)
			}
		}
	})
}

// Cancelled, and by all sorts of timeouts; the channel works as before.
func TestChannelCancelAndTimeout(t *testing.T) {
	eachChannelOp(t, func(ctx context.Context, f *fixture.Fixture, op channelOp) {
		for what, ch := range map[string]chan int{"unbuffered": make(chan int), "nil": nil} {
			call := func(ctx context.Context) error { return op.call(ctx, ch) }
			start := time.Now()
			task := op.spawn(ctx, ch)
			fixture.TaskState(f, task, op.state)
			where := fixture.Here(1)
			if did, err := task.Cancel(ctx); !did || err != nil {
				f.Error(did, err)
			}
			fixture.Is(f, what+", cancelled", task.Err(), fixture.TaskCancelled...)
			fixture.CheckAuthor(f, what, task.Err(), curio.Cancellation{By: curio.CurrentTask(ctx).Path(), Where: where, When: start})
			f.Elapsed(start, 0)
			fixture.Is(f, what+", timeout", curio.TimeoutAfter(ctx, time.Second, call), fixture.TaskTimeout...)
			if expired, err := curio.IgnoreAfter(ctx, time.Second, call); !expired || err != nil {
				f.Errorf("%s: IgnoreAfter: %v, %v", what, expired, err)
			}
			_ = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
				err := curio.TimeoutAfter(ctx, time.Minute, call)
				fixture.Is(f, what+", outer timeout", err, fixture.OuterTimeout...)
				return err
			})
			f.Elapsed(start, 3*time.Second)
		}
		ch := make(chan int)
		fixture.Is(f, "timeout", curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error { return op.call(ctx, ch) }), fixture.TaskTimeout...)
		task := op.spawn(ctx, ch)
		synctest.Wait()
		op.serve(ch)
		if _, err := task.Join(ctx); err != nil {
			f.Error(err)
		}
	})
}

// A context that has ended: nothing passes, even if it could at once.
func TestChannelDeadContext(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		dead, cancel := context.WithCancel(ctx)
		cancel()
		full, empty := make(chan int, 1), make(chan int, 1)
		full <- 1
		v, err := curio.Receive(dead, full)
		fixture.Is(f, "Receive", err, fixture.ScopeCancelled...)
		fixture.Is(f, "Send", curio.Send(dead, empty, 1), fixture.ScopeCancelled...)
		if v != 0 || len(full) != 1 || len(empty) != 0 {
			f.Errorf("value %d; %d and %d are in the channels", v, len(full), len(empty))
		}
	})
}

// Contexts that are not ours: derived from ours, and of no task at all.
func TestChannelForeignContexts(t *testing.T) {
	eachChannelOp(t, func(ctx context.Context, f *fixture.Fixture, op channelOp) {
		for what, parent := range map[string]context.Context{
			"derived": ctx, "plain": f.Context(), "background": context.Background(),
		} {
			ch := make(chan int)
			standard, cancel := context.WithTimeout(parent, time.Second)
			fixture.Is(f, what+", timeout", op.call(standard, ch), fixture.ForeignTimeout...)
			cancel()
			standard, cancel = context.WithCancel(parent)
			ended := make(chan error, 1)
			go func() { ended <- op.call(standard, ch) }()
			synctest.Wait()
			cancel()
			fixture.Is(f, what+", cancelled", <-ended, fixture.ScopeCancelled...)
			go func() { ended <- op.call(parent, ch) }()
			synctest.Wait()
			op.serve(ch)
			if err := <-ended; err != nil {
				f.Errorf("%s: %v", what, err)
			}
		}
		inner, cancel := curio.WithTimeout(context.WithValue(ctx, t0{}, 1), time.Second)
		defer cancel()
		fixture.Is(f, "ours in between", op.call(inner, make(chan int)), fixture.TaskTimeout...)
	})
}

type t0 struct{}

// A shield lets nothing in; a loop of operations that never have to wait ends too.
func TestChannelShieldAndLoop(t *testing.T) {
	eachChannelOp(t, func(ctx context.Context, f *fixture.Fixture, op channelOp) {
		ch := make(chan int)
		task := curio.Go(ctx, func(ctx context.Context) error {
			return curio.DisableCancellation(ctx, func(ctx context.Context) error { return op.call(ctx, ch) })
		})
		synctest.Wait()
		task.CancelNow()
		fixture.TaskState(f, task, op.state)
		op.serve(ch)
		if _, err := task.Join(ctx); err != nil {
			f.Error(err)
		}
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			buffered := make(chan int, 1)
			for {
				if op.name == "Receive" {
					buffered <- 7
				}
				time.Sleep(time.Millisecond) // in the bubble: its clock advances to the timeout
				if err := op.call(ctx, buffered); err != nil {
					return err
				}
				if op.name == "Send" {
					<-buffered
				}
			}
		})
		fixture.Is(f, "a loop", err, fixture.TaskTimeout...)
	})
}

// A send on a closed channel panics as any, whether it had to wait or not, and leaves
// nothing behind: no waiter, and a task that can go on.
func TestChannelSendOnClosed(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		sends := func(ctx context.Context, ch chan int) (text string) {
			defer func() { text = fmt.Sprint(recover()) }()
			return fmt.Sprint(curio.Send(ctx, ch, 1))
		}
		closed := make(chan int)
		close(closed)
		standard, cancel := context.WithCancel(ctx)
		defer cancel()
		for what, ctx := range map[string]context.Context{"ours": ctx, "derived": standard, "plain": context.Background()} {
			if text := sends(ctx, closed); !strings.Contains(text, "send on closed channel") {
				f.Errorf("%s, closed before: %s", what, text)
			}
			ch := make(chan int)
			task := curio.Spawn(ctx, func(ctx context.Context) (string, error) {
				text := sends(ctx, ch)
				f.NothingUnder(ctx)
				return text, curio.Sleep(ctx, time.Second) // its waiter can be used again
			})
			fixture.TaskState(f, task, "CHANNEL_SEND")
			close(ch)
			if text, err := task.Join(ctx); !strings.Contains(text, "send on closed channel") || err != nil {
				f.Errorf("%s, closed while it waits: %s, %v", what, text, err)
			}
		}
	})
}

// It is a panic of the task, if nobody recovers it.
func TestChannelSendOnClosedEndsTheTask(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		ch := make(chan int)
		task := channelOps[1].spawn(ctx, ch)
		synctest.Wait()
		close(ch)
		_ = task.Wait(ctx)
		var panicked *curio.PanicError
		if !errors.As(task.Err(), &panicked) || !strings.Contains(panicked.Error(), "send on closed channel") {
			f.Error(task.Err())
		}
		if n := len(f.Journal.Take(fixture.MsgPanic)); n != 1 {
			f.Errorf("logged %d times", n)
		}
	})
}

// A thousand who wait, half of whom give up: each value goes to one who has not.
func TestChannelThousandWaiters(t *testing.T) {
	eachChannelOp(t, func(ctx context.Context, f *fixture.Fixture, op channelOp) {
		ch := make(chan int)
		var tasks []*curio.Task[struct{}]
		for range 1000 {
			tasks = append(tasks, op.spawn(ctx, ch))
		}
		synctest.Wait()
		for i := range 500 {
			_, _ = tasks[2*i].Cancel(ctx)
		}
		for range 500 {
			op.serve(ch)
		}
		for i, task := range tasks {
			err := task.Wait(ctx)
			if err == nil {
				err = task.Err()
			}
			if i%2 == 1 && err != nil || i%2 == 0 && !errors.Is(err, curio.ErrTaskCancelled) {
				f.Fatalf("task %d: %v", i, err)
			}
		}
		select {
		case ch <- 1:
			f.Error("somebody still receives")
		case <-ch:
			f.Error("somebody still sends")
		default:
		}
	})
}

// A value that passes in the moment of a cancellation or of a timeout is not lost and not
// doubled: what was sent has been received, or is still in the channel.
func TestRaceChannelAndCancel(t *testing.T) {
	for size := range 3 {
		t.Run(fmt.Sprint("buffer=", size), func(t *testing.T) {
			fixture.TimedRace(t, 1000, func(ctx context.Context) {
				ch := make(chan int, size)
				var sent, received atomic.Int64
				var ends []*curio.Task[struct{}]
				for range 2 {
					ends = append(ends, curio.Go(ctx, func(ctx context.Context) error {
						for {
							if err := curio.Send(ctx, ch, 1); err != nil {
								return err
							}
							sent.Add(1)
						}
					}), curio.Go(ctx, func(ctx context.Context) error {
						for {
							var n int
							err := curio.TimeoutAfter(ctx, fixture.Tiny(), func(ctx context.Context) (err error) {
								n, err = curio.Receive(ctx, ch)
								return err
							})
							received.Add(int64(n))
							if err != nil && !errors.Is(err, curio.ErrTaskTimeout) {
								return err
							}
						}
					}))
				}
				var wg sync.WaitGroup
				for _, i := range rand.Perm(len(ends)) {
					wg.Go(func() {
						fixture.Spin()
						ends[i].CancelNow()
					})
				}
				wg.Wait()
				for _, end := range ends {
					if err := end.Wait(ctx); err != nil || !errors.Is(end.Err(), curio.ErrTaskCancelled) {
						t.Error(err, end.Err())
					}
				}
				if s, r, left := sent.Load(), received.Load(), int64(len(ch)); s != r+left {
					t.Errorf("%d sent, %d received, %d in the channel", s, r, left)
				}
			})
		})
	}
}

// One value, one receiver, and everything at once: who wins is told right.
func TestRaceReceive(t *testing.T) {
	ends := map[string]int{}
	fixture.TimedRace(t, 5000, func(ctx context.Context) {
		ch := make(chan int, 1)
		var got int
		err := fixture.RaceWait(t, ctx, fixture.Tiny(), func() { ch <- 1 }, func(ctx context.Context) (err error) {
			got, err = curio.Receive(ctx, ch)
			return err
		})
		if (err == nil) != (got == 1) || got+len(ch) != 1 {
			t.Errorf("%v: got %d, and %d are in the channel", err, got, len(ch))
		}
		ends[fmt.Sprint(err == nil)]++
	})
	t.Logf("received: %v", ends)
}
