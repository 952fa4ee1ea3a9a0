package signal_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/signal"
)

// An operation that waits for SIGUSR1, and the state in which it shows.
type operation struct {
	name, state string
	run         func(ctx context.Context, q *signal.Queue, e *signal.Event) error
	ofQueue     bool // Close ends it
}

// operations are all that can wait. One that is added to the package comes here.
var operations = []operation{
	{"Queue.Get", "SIGNAL_GET", func(ctx context.Context, q *signal.Queue, _ *signal.Event) error {
		_, err := q.Get(ctx)
		return err
	}, true},
	{"Queue.All", "SIGNAL_GET", func(ctx context.Context, q *signal.Queue, _ *signal.Event) error {
		for _, err := range q.All(ctx) {
			return err
		}
		return curio.ErrQueueClosed
	}, true},
	{"Queue.GetCase", "SELECT", func(ctx context.Context, q *signal.Queue, _ *signal.Event) error {
		_, err := curio.Select(ctx, q.GetCase(nil))
		return err
	}, true},
	{"Event.Wait", "EVENT_WAIT", func(ctx context.Context, _ *signal.Queue, e *signal.Event) error { return e.Wait(ctx) }, false},
	{"Event.WaitCase", "SELECT", func(ctx context.Context, _ *signal.Queue, e *signal.Event) error {
		_, err := curio.Select(ctx, e.WaitCase())
		return err
	}, false},
}

// endings are the ways to end an operation, and what the error is then, and what it is not. before
// is done before the operation begins to wait, and while as soon as it waits.
var endings = []struct {
	name      string
	before    func(ctx context.Context) (context.Context, context.CancelFunc)
	while     func(task *curio.Task[struct{}], cancel context.CancelFunc)
	is, isNot []error
}{
	{"cancelled before", func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return ctx, cancel
	}, nil, []error{context.Canceled}, []error{context.DeadlineExceeded, curio.ErrTaskCancelled}},
	{
		"context cancelled", context.WithCancel, func(_ *curio.Task[struct{}], cancel context.CancelFunc) { cancel() },
		[]error{context.Canceled},
		[]error{context.DeadlineExceeded, curio.ErrTaskCancelled},
	},
	{
		"task cancelled", context.WithCancel, func(task *curio.Task[struct{}], _ context.CancelFunc) { task.CancelNow() },
		[]error{curio.ErrTaskCancelled, context.Canceled},
		[]error{context.DeadlineExceeded},
	},
	{"time is up", func(ctx context.Context) (context.Context, context.CancelFunc) {
		return curio.WithTimeout(ctx, time.Millisecond)
	}, nil, []error{curio.ErrTaskTimeout, context.DeadlineExceeded}, []error{curio.ErrTaskCancelled}},
	{"deadline of package context", func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, time.Millisecond)
	}, nil, []error{context.DeadlineExceeded}, []error{curio.ErrTaskCancelled, curio.ErrTaskTimeout}},
	{"outer time is up", func(ctx context.Context) (context.Context, context.CancelFunc) {
		outer, end := curio.WithTimeout(ctx, time.Millisecond)
		inner, endInner := curio.WithTimeout(outer, time.Hour)
		return inner, func() { endInner(); end() }
	}, nil, []error{curio.ErrTimeoutCancellation}, []error{curio.ErrTaskTimeout}},
}

// However an operation ends, the error says why, nobody is left waiting, and no signal was taken.
func TestEndings(t *testing.T) {
	testutil.NoLeaks(t)
	for _, op := range operations {
		for _, end := range endings {
			t.Run(op.name+"/"+end.name, func(t *testing.T) {
				q, e := signal.NewQueue(syscall.SIGUSR1), signal.NewEvent(syscall.SIGUSR1)
				defer q.Close()
				defer e.Close()
				cancel := func() {}
				begun := make(chan struct{})
				task := curio.Go(background, func(ctx context.Context) error {
					ctx, cancel = end.before(ctx)
					close(begun)
					return op.run(ctx, q, e)
				})
				testutil.Receive(t, "the task", begun)
				defer cancel()
				if end.while != nil {
					testutil.Await(t, op.state, func() bool { return task.State() == op.state })
					end.while(task, cancel)
				}
				_ = task.Wait(background)
				for _, want := range end.is {
					if !errors.Is(task.Err(), want) {
						t.Errorf("%v, want %v", task.Err(), want)
					}
				}
				for _, not := range end.isNot {
					if errors.Is(task.Err(), not) {
						t.Errorf("%v, which is %v", task.Err(), not)
					}
				}
				if n := len(q.Snapshot().Waiters) + len(e.Snapshot().Waiters); n > 0 {
					t.Errorf("%d are left", n)
				}
				raise(syscall.SIGUSR1)
				if err := op.run(background, q, e); err != nil {
					t.Errorf("after that: %v", err)
				}
			})
		}
	}
}

// Close ends the waits for a queue. An event is as before, and is not set by a signal any more.
func TestEndingByClose(t *testing.T) {
	testutil.NoLeaks(t)
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			q, e := signal.NewQueue(syscall.SIGUSR1), signal.NewEvent(syscall.SIGUSR1)
			other := signal.NewQueue(syscall.SIGUSR1)
			defer other.Close()
			task := curio.Go(background, func(ctx context.Context) error { return op.run(ctx, q, e) })
			testutil.Await(t, op.state, func() bool { return task.State() == op.state })
			q.Close()
			e.Close()
			if op.ofQueue {
				if _, err := task.Join(background); !errors.Is(err, curio.ErrQueueClosed) {
					t.Error(err)
				}
				return
			}
			raise(syscall.SIGUSR1)
			if _, err := other.Get(background); err != nil || e.IsSet() || task.State() != op.state {
				t.Errorf("%v; the event is set: %v; the task is in %s", err, e.IsSet(), task.State())
			}
			if _, err := task.Cancel(background); err != nil {
				t.Error(err)
			}
		})
	}
}
