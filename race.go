package curio

import (
	"context"
	"errors"
	"fmt"

	"github.com/curio-go/curio/internal/wait"
)

// Race calls all functions at the same time, each in a task of its own, and returns the result of
// the first that succeeds. The others are then cancelled, and Race waits until they have ended. Some
// of them may succeed anyway. If late is given, Race calls it with each such value before it
// returns, in the caller's task, to undo or close it. The errors of the others are dropped.
//
//	conn, err := curio.Race(ctx, []func(context.Context) (network.Conn, error){
//		dial("server.example"), dial("mirror.example"),
//	}, func(conn network.Conn) { conn.Close() })
//
// If none succeeds, Race returns the errors of all functions, in the order of fns, joined by
// [errors.Join]; a panic is a *PanicError. If ctx is done first, Race cancels all functions, waits
// for them, calls late with each value that there is, and returns ctx's error. If ctx is done
// already, no function is called. Race panics if there are no functions, if one is nil, or if late
// is given twice.
//
// A task that waits is in the state TASKGROUP_NEXT.
func Race[T any](ctx context.Context, fns []func(context.Context) (T, error), late ...func(T)) (T, error) {
	mustRace(fns, late)
	var none T
	p, err := wait.At(ctx)
	if err != nil {
		return none, err
	}
	tasks := make([]*Task[T], len(fns))
	var first *Task[T]
	var ended error // that ctx is done
	err = Group(ctx, func(ctx context.Context, g *TaskGroup[T]) error {
		for i, fn := range fns {
			tasks[i] = g.Spawn(fn)
		}
		for {
			t, err := g.NextDone(ctx)
			switch {
			case err == ErrNoTask:
				return nil
			case err != nil:
				ended = err
				return err
			case t.Err() == nil:
				first = t
				return nil
			}
		}
	}, WaitNone, KeepGoing)

	var failures []error
	var tooLate []T
	for _, t := range tasks {
		v, failure := t.outcome()
		switch {
		case failure != nil:
			failures = append(failures, failure)
		case t != first:
			tooLate = append(tooLate, v)
		}
	}
	if len(late) > 0 {
		callAll(late[0], tooLate)
	}
	switch {
	case first != nil:
		if e, ok := err.(*TaskGroupError); ok { // losers have failed
			err = e.Body
		}
		if err != nil {
			p.Saved(err) // ctx was done while the others were waited for
		}
		return first.outcome()
	case ended != nil:
		return none, ended
	}
	return none, errors.Join(failures...)
}

func mustRace[T any](fns []func(context.Context) (T, error), late []func(T)) {
	if len(fns) == 0 {
		panic("curio: Race of no functions; pass at least one")
	}
	for i, fn := range fns {
		if fn == nil {
			panic(fmt.Sprintf("curio: Race of a nil function, the one at %d", i))
		}
	}
	if len(late) > 1 {
		panic("curio: Race with more than one function for a late result")
	}
}

// callAll calls f with each value, even if f panics or exits the goroutine for some.
func callAll[T any](f func(T), values []T) {
	if len(values) == 0 {
		return
	}
	defer callAll(f, values[1:])
	f(values[0])
}
