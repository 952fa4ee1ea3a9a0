package curio

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/curio-go/curio/internal/wait"
)

// ErrNotStarted is the error of Start if the task has ended, without an error, before it was ready.
var ErrNotStarted = errors.New("curio: task has ended and was never ready")

// Start spawns fn as a task, as Go does, and waits until the task is ready. The task is ready when
// fn calls ready with a value for the caller, such as the address that a server listens on. Start
// returns the task, which goes on, and that value.
//
//	server, addr, err := curio.Start(ctx, func(ctx context.Context, ready func(net.Addr) error) error {
//		l, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
//		if err != nil {
//			return err // is the error of Start
//		}
//		if err := ready(l.LocalAddr()); err != nil {
//			return err
//		}
//		return network.RunServer(ctx, l, handler)
//	})
//
// If the task fails before it is ready, Start has joined it and returns its *TaskError. If it ends
// without an error, the error is ErrNotStarted. If ctx is done before the task is ready, Start
// cancels the task, waits until it has ended, and returns ctx's error, joined with the task's error
// if its clean-up has failed. With any error the returned task is nil, and nothing is left running.
//
// ready may be called by any goroutine, once: a second call panics. It returns an error if it is too
// late. If the caller of Start has given up, that is the task's cancellation, so fn should return
// it. Start panics if fn is nil.
//
// It is Trio's nursery.start. A task that waits is in the state SELECT, and then TASK_JOIN if it has
// given up.
func Start[R any](ctx context.Context, fn func(ctx context.Context, ready func(R) error) error, opts ...SpawnOption) (*Task[struct{}], R, error) {
	if fn == nil {
		panic("curio: Start of a nil function")
	}
	s, none := new(starting[R]), *new(R)
	if _, err := wait.At(ctx); err != nil {
		return nil, none, err
	}
	t := newTask[struct{}](ctx, nil, reflect.ValueOf(fn).Pointer(), opts)
	t.start(ctx, nil, &startRunner[R]{s, t.AnyTask, fn})
	return await(ctx, t, s)
}

// StartIn is like Start, but the task belongs to the group g. Until the task is ready, it is
// cancelled when the group is cancelled or ctx is done, and its failure is the caller's. From then
// on it is like any other task of the group.
//
// With a Limit, the task may have to wait before it begins, and the caller with it.
func StartIn[R, T any](ctx context.Context, g *TaskGroup[T], fn func(ctx context.Context, ready func(R) error) error, opts ...SpawnOption) (*Task[T], R, error) {
	if fn == nil {
		panic("curio: StartIn of a nil function")
	}
	s, none := new(starting[R]), *new(R)
	if _, err := wait.At(ctx); err != nil {
		return nil, none, err
	}
	t := newTask[T](g.group.inner, nil, reflect.ValueOf(fn).Pointer(), opts)
	g.group.add(t, false)
	t.start(g.group.inner, g.group, &startRunner[R]{s, t.AnyTask, fn})
	return await(ctx, t, s)
}

// A starting is a task between its spawning and its being ready. It leaves its first phase once:
//
//	isStarting ──► isReady    by the task, in ready: the caller of Start has it
//	           ──► isGivenUp  by the caller, which cancels the task after that, as ready does
//	           ──► isOver     when the task has ended
//
// The failure of a task that ends without having been ready is the starter's: the starter waits for
// the end in any case, even if it has not begun to wait yet, or has to begin anew. See over.
type starting[R any] struct {
	said Event

	mu     sync.Mutex
	phase  startPhase
	value  R           // for the caller of Start, which takes it
	gaveUp *wait.Cause // set with isGivenUp
}

type startPhase uint8

const (
	isStarting startPhase = iota
	isReady
	isGivenUp
	isOver
)

// A startRunner is what the task runs.
type startRunner[R any] struct {
	s  *starting[R]
	t  *AnyTask
	fn func(context.Context, func(R) error) error
}

func (r *startRunner[R]) call(ctx context.Context) error {
	defer r.s.over(r.t)
	fn := r.fn
	r.fn = nil
	return fn(ctx, func(v R) error { return r.s.ready(ctx, v) })
}

func (r *startRunner[R]) forget() { r.s.over(r.t) }

func (s *starting[R]) ready(ctx context.Context, v R) error {
	late := wait.Pending(ctx)
	s.mu.Lock()
	was := s.phase
	if was == isStarting && late == nil {
		s.phase, s.value = isReady, v
		s.said.Set() // in the same step: the task may end in the meantime
	}
	s.mu.Unlock()
	switch was {
	case isReady:
		panic(fmt.Sprintf("curio: task %s calls ready a second time", CurrentTask(ctx).Name()))
	case isOver:
		return fmt.Errorf("%w: %s", ErrNotStarted, CurrentTask(ctx).Name())
	case isGivenUp:
		CurrentTask(ctx).owner.Scope.Cancel(s.gaveUp) // the caller may not have come to it yet
		return wait.Pending(ctx)
	}
	return late
}

// over is called when the function of t has ended, or will not be called. A failure is the
// starter's, as if the starter had been in Join all the time.
func (s *starting[R]) over(t *AnyTask) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != isReady {
		s.phase, t.handled = isOver, true
	}
}

// giveUp cancels t, unless it is ready: then it has been told that the caller of Start has it.
func (s *starting[R]) giveUp(ctx context.Context, t *AnyTask) (ready bool) {
	c := t.causeBy(CurrentTask(ctx), 6)
	s.mu.Lock()
	was := s.phase
	if was == isStarting {
		s.phase, s.gaveUp = isGivenUp, c
	}
	s.mu.Unlock()
	if was == isStarting {
		t.owner.Scope.Cancel(c)
	}
	return was == isReady
}

// take returns what the task has said.
func (s *starting[R]) take() R {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.value
	s.value = *new(R)
	return v
}

// await waits until t, whose function s runs, is ready.
func await[R, T any](ctx context.Context, t *Task[T], s *starting[R]) (*Task[T], R, error) {
	i, err := Select(ctx, s.said.WaitCase(), Case{&endOfStart[T]{joinCase[T]{t, nil}, &s.said}})
	if i == 0 || i < 0 && s.giveUp(ctx, t.AnyTask) {
		return t, s.take(), nil
	}
	var failure error
	if i == 1 {
		failure = err
		_, err = wait.At(ctx) // the end of ctx may have ended the task
	} else {
		shield := wait.New(ctx, wait.Shield)
		defer shield.Close()
		_, failure = t.Join(shield)
	}
	switch {
	case err != nil && t.failed:
		err = errors.Join(err, failure)
	case err == nil && failure == nil:
		err = fmt.Errorf("%w: %s", ErrNotStarted, t.Name())
	case err == nil:
		err = failure
	}
	return nil, *new(R), err
}

// endOfStart is the case of a task that ends and was not ready. A task that is ready may have
// ended since then; its end is not the starter's business.
type endOfStart[T any] struct {
	joinCase[T]
	said *Event
}

func (c *endOfStart[T]) try(*wait.Owner, int64) (done bool, err error) {
	return c.t.Terminated() && !c.said.IsSet(), nil
}

func (c *endOfStart[T]) list(w *wait.Waiter, began int64) (ok bool) {
	return !c.said.IsSet() && c.joinCase.list(w, began)
}
