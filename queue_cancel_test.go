package curio_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

// A queueCall is an operation of a queue that may block: on one for one item, with so
// many in it. With one more or less it completes.
type queueCall struct {
	name, state string
	blockedBy   int
	call        func(ctx context.Context, q *curio.Queue[int]) error
}

var queueCalls = []queueCall{
	{"Get", "QUEUE_GET", 0, func(ctx context.Context, q *curio.Queue[int]) error {
		_, err := q.Get(ctx)
		return err
	}},
	{"Put", "QUEUE_PUT", 1, func(ctx context.Context, q *curio.Queue[int]) error { return q.Put(ctx, 2) }},
	{"Join", "QUEUE_JOIN", 1, func(ctx context.Context, q *curio.Queue[int]) error { return q.Join(ctx) }},
	{"All", "QUEUE_GET", 0, func(ctx context.Context, q *curio.Queue[int]) (failed error) {
		for _, err := range q.All(ctx) {
			failed = err
		}
		return failed
	}},
}

// queue makes one on which the call blocks, or, if it must not, completes.
func (c queueCall) queue(f *fixture, make newQueue, blocks bool) (q *curio.Queue[int], items []int) {
	q = make(1)
	if (c.blockedBy == 1) == blocks {
		items = []int{1}
		fillQueue(f, q, 1)
	}
	return q, items
}

// queueEndings are what can end a blocked call, and what the call then returns.
var queueEndings = []struct {
	name string
	run  func(ctx context.Context, call func(context.Context) error) error
	want []error
}{
	{"task cancelled", func(ctx context.Context, call func(context.Context) error) error {
		task := curio.Go(ctx, call)
		synctest.Wait()
		_, _ = task.Cancel(ctx)
		return task.Err()
	}, taskCancelled},
	{"timeout", func(ctx context.Context, call func(context.Context) error) error {
		return curio.TimeoutAfter(ctx, time.Second, call)
	}, taskTimeout},
	{"outer timeout", func(ctx context.Context, call func(context.Context) error) (inner error) {
		_ = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			inner = curio.TimeoutAfter(ctx, time.Hour, call)
			return inner
		})
		return inner
	}, outerTimeout},
	{"timeout ignored", func(ctx context.Context, call func(context.Context) error) (inner error) {
		_, err := curio.IgnoreAfter(ctx, time.Second, func(ctx context.Context) error {
			inner = call(ctx)
			return inner
		})
		if err != nil {
			return err
		}
		return inner
	}, taskTimeout},
	{"foreign timeout", func(_ context.Context, call func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return call(ctx)
	}, foreignTimeout},
	{"foreign timeout derived from ours", func(ctx context.Context, call func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		return call(ctx)
	}, foreignTimeout},
	{"foreign cancellation derived from ours", func(ctx context.Context, call func(context.Context) error) error {
		ctx, cancel := context.WithCancelCause(ctx)
		time.AfterFunc(time.Second, func() { cancel(errBoom) })
		return call(ctx)
	}, scopeCancelled},
	{"OS thread with a foreign context", func(_ context.Context, call func(context.Context) error) error {
		done := make(chan error)
		go func() {
			runtime.LockOSThread()
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			done <- call(ctx)
		}()
		return <-done
	}, foreignTimeout},
	{"another kernel's timeout", func(_ context.Context, call func(context.Context) error) (inner error) {
		_ = curio.Run(context.Background(), func(ctx context.Context) error {
			inner = curio.TimeoutAfter(ctx, time.Second, call)
			return nil
		})
		return inner
	}, taskTimeout},
}

// Q5–Q8, Q24, W-L7: whatever ends a Get, a Put, a Join or a loop over All, it ends at
// once with the error that says why, and the queue is as it was.
func TestQueueBlockedCallsEnd(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture, make newQueue) {
		for _, c := range queueCalls {
			for _, ending := range queueEndings {
				what := c.name + ", " + ending.name
				q, items := c.queue(f, make, true)
				began := time.Now()
				is(f, what, ending.run(ctx, func(ctx context.Context) error { return c.call(ctx, q) }), ending.want...)
				if d := time.Since(began); d != time.Second && ending.name != "task cancelled" {
					f.Errorf("%s: after %v", what, d)
				}
				queueHolds(f, q, items...)
				for range items {
					q.TaskDone()
				}
				if err := q.Put(ctx, 3); err != nil {
					f.Errorf("%s: a Put after that: %v", what, err)
				}
				queueHolds(f, q, 3)
			}
		}
	})
}

// The state of a task that waits, and that it runs when it has what it waited for.
func TestQueueStates(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture, make newQueue) {
		for _, c := range queueCalls[:3] {
			q, _ := c.queue(f, make, true)
			task := curio.Go(ctx, func(ctx context.Context) error {
				if err := c.call(ctx, q); err != nil {
					return err
				}
				return curio.Sleep(ctx, time.Second)
			})
			parkedAs(f, task, c.state)
			switch c.name {
			case "Get":
				fillQueue(f, q, 1)
			default:
				drainQueue(q)
				q.TaskDone()
			}
			parkedAs(f, task, "TIME_SLEEP")
			if _, err := task.Join(ctx); err != nil {
				f.Error(c.name, err)
			}
		}
	})
}

// Q5–Q8: under a context that has ended a call fails at once, also if it could complete,
// and then it does nothing.
func TestQueueCallsUnderEndedContexts(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture, make newQueue) {
		start := time.Now()
		cancelled, cancel := curio.WithTimeout(ctx, time.Hour)
		cancel()
		expired, cancel := curio.WithTimeout(ctx, -1)
		defer cancel()
		foreign, cancel := context.WithCancel(context.Background())
		cancel()
		derived, cancel := context.WithDeadline(ctx, time.Now())
		defer cancel()
		var dying context.Context
		task := curio.Go(ctx, func(ctx context.Context) error { dying = ctx; return sleeper(ctx) })
		synctest.Wait()
		_, _ = task.Cancel(ctx)
		for _, c := range queueCalls {
			for _, end := range []struct {
				name string
				ctx  context.Context
				want []error
			}{
				{"cancelled", cancelled, scopeCancelled},
				{"expired", expired, taskTimeout},
				{"foreign", foreign, scopeCancelled},
				{"derived", derived, foreignTimeout},
				{"of a cancelled task", dying, taskCancelled},
			} {
				for _, blocks := range []bool{false, true} {
					q, items := c.queue(f, make, blocks)
					is(f, c.name+", "+end.name, c.call(end.ctx, q), end.want...)
					queueHolds(f, q, items...)
				}
			}
		}
		f.elapsed(start, 0)
	})
}

// A loop of calls that never have to wait ends with its timeout.
func TestQueueLoopThatNeverWaits(t *testing.T) {
	withKernel(t, func(ctx context.Context, f *fixture) {
		q := curio.NewQueue[int](0)
		err := curio.TimeoutAfter(ctx, 5*time.Millisecond, func(ctx context.Context) error {
			for {
				if err := q.Put(ctx, 1); err != nil {
					return err
				}
				if _, err := q.Get(ctx); err != nil {
					return err
				}
			}
		})
		is(f, "loop", err, taskTimeout...)
		if n := q.Len(); n > 1 {
			f.Errorf("%d are left", n)
		}
	})
}

// context.Background never ends, and values alone change nothing: a Get under either
// waits for as long as it takes.
func TestQueueUnderBackground(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture, make newQueue) {
		for name, ctx := range map[string]context.Context{
			"Background":    context.Background(),
			"WithValue":     context.WithValue(context.Background(), key{"a"}, 1),
			"WithoutCancel": context.WithoutCancel(ctx),
		} {
			q := make(1)
			done := false
			go func() {
				defer func() { done = true }()
				for i := range 3 {
					if v, err := q.Get(ctx); v != i || err != nil {
						f.Errorf("%s: Get: %d, %v", name, v, err)
					}
					q.TaskDone()
				}
			}()
			for i := range 3 {
				time.Sleep(1000 * time.Hour)
				if err := q.Put(ctx, i); err != nil {
					f.Errorf("%s: Put: %v", name, err)
				}
			}
			if err := q.Join(ctx); err != nil {
				f.Errorf("%s: Join: %v", name, err)
			}
			synctest.Wait()
			if !done {
				f.Errorf("%s: not done", name)
			}
		}
	})
}

// A shield keeps the cancellation out of a Get, which then gets its item.
func TestQueueGetInAShield(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		q := curio.NewQueue[int](0)
		task := curio.Go(ctx, func(ctx context.Context) error {
			return curio.DisableCancellation(ctx, func(ctx context.Context) error {
				if v, err := q.Get(ctx); v != 1 || err != nil {
					f.Errorf("in the shield: %d, %v", v, err)
				}
				return nil
			})
		})
		parkedAs(f, task, "QUEUE_GET")
		task.CancelNow()
		parkedAs(f, task, "QUEUE_GET")
		fillQueue(f, q, 1)
		_ = task.Wait(ctx)
	})
}

// K5: no context at all is misuse, and the queue is not left locked by it.
func TestQueueNilContext(t *testing.T) {
	inKernel(t, func(_ context.Context, f *fixture) {
		var nilContext context.Context
		for _, c := range queueCalls {
			q, items := c.queue(f, curio.NewQueue[int], false)
			panics(f, "nil context", func() { _ = c.call(nilContext, q) })
			queueHolds(f, q, items...)
		}
	})
}
