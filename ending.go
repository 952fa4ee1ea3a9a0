package curio

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"github.com/curio-go/curio/internal/wait"
)

// This file is the one rule by which a scope, be it a timeout, a group or a task, treats
// the error that its function returns: it takes its own ending out of it, wherever in the
// tree of the error that is, and lets everything else through.

// An ending is how a scope has ended, as its function sees it. The zero value is for a scope
// that has not ended.
type ending struct {
	cause *wait.Cause
	err   error // what the scope's Err returns
}

// expiryOf is how the timeout s has ended, if it has expired itself.
func expiryOf(s *wait.Scope) ending {
	err := s.Err() // looks at the clock
	if c := s.Cause(); c != nil && c.Kind == wait.Expired && c.IsOf(s) {
		return ending{c, err}
	}
	return ending{}
}

// endingOf is how s has ended, by whatever.
func endingOf(s *wait.Scope) ending {
	if c := s.Cause(); c != nil {
		return ending{c, s.Err()}
	}
	return ending{}
}

// owns reports whether leaf, an error that wraps no other, is the scope's ending. Most of
// Go knows nothing of ours and returns what ctx.Err does: that is the scope's ending too,
// if it is what the scope's Err returns.
func (e ending) owns(leaf error) bool {
	if _, panicked := leaf.(*PanicError); panicked || e.cause == nil {
		return false
	}
	if w, ok := leaf.(*wait.Error); ok {
		return w.Cause() == e.cause
	}
	return errors.Is(leaf, e.err) || e.cause.Late() && errors.Is(leaf, context.DeadlineExceeded)
}

// rest is err without the scope's ending, nil if that is all that it is. owned reports
// whether it was in it.
func (e ending) rest(err error) (rest error, owned bool) {
	rest, _ = rewrite(err, func(err error) (error, bool) {
		if !isLeaf(err) {
			return err, false
		}
		if e.owns(err) {
			owned = true
			return nil, true
		}
		return err, true
	})
	return rest, owned
}

// isLeaf reports whether rewrite goes no further than err. A panic is one: it is never
// just an ending, whatever it was called with.
func isLeaf(err error) bool {
	switch err := err.(type) {
	case *wait.Error, *PanicError:
		return true
	case *TaskError:
		return false
	case interface{ Unwrap() error }:
		return err.Unwrap() == nil
	case interface{ Unwrap() []error }:
		return !slices.ContainsFunc(err.Unwrap(), func(err error) bool { return err != nil })
	}
	return true
}

// rewrite replaces errors in the tree of err. It calls to for each error from the top
// down, until that says done, and takes what it returns in its place; nil takes it out.
// What nothing was replaced in is the identical value, and what has lost all that was in
// it is gone too.
func rewrite(err error, to func(error) (by error, done bool)) (_ error, changed bool) {
	return rewriteIn(err, to, false)
}

// rewriteIn is rewrite of an error that may be of another task. If that was cancelled from
// here, settleError has made its error one of ours. So what package context says there is
// about something of that task's own, and stays.
func rewriteIn(err error, to func(error) (by error, done bool), another bool) (_ error, changed bool) {
	if _, ours := err.(*wait.Error); another && !ours && isLeaf(err) {
		return err, false
	}
	if by, done := to(err); done {
		return by, !same(by, err)
	}
	switch e := err.(type) {
	case *TaskError:
		by, changed := rewriteIn(e.innermost(), to, true)
		switch {
		case !changed:
			return err, false
		case by == nil:
			return nil, true
		}
		return alter(err, by), true
	case *TaskGroupError:
		return e.rewrite(to, another)
	case interface{ Unwrap() error }:
		by, changed := rewriteIn(e.Unwrap(), to, another)
		switch {
		case !changed:
			return err, false
		case by == nil:
			return nil, true
		}
		return alter(err, by), true
	case interface{ Unwrap() []error }:
		by, changed := rewriteAll(e.Unwrap(), to, another)
		switch {
		case !changed:
			return err, false
		case len(by) == 0:
			return nil, true
		case reflect.TypeOf(err) == joinError && len(by) == 1:
			return by[0], true
		case reflect.TypeOf(err) == joinError:
			return errors.Join(by...), true
		}
		return alter(err, by...), true
	}
	return err, false
}

// joinError is what errors.Join returns, which can be made anew.
var joinError = reflect.TypeOf(errors.Join(context.Canceled))

func rewriteAll(errs []error, to func(error) (error, bool), another bool) (all []error, changed bool) {
	for _, err := range errs {
		if err == nil {
			continue
		}
		by, c := rewriteIn(err, to, another)
		changed = changed || c
		if by != nil {
			all = append(all, by)
		}
	}
	return all, changed
}

// rewrite is for what is in e.
func (e *TaskGroupError) rewrite(to func(error) (error, bool), another bool) (_ error, changed bool) {
	var body error
	if e.Body != nil {
		body, changed = rewriteIn(e.Body, to, another)
	}
	var failed []*AnyTask
	for _, t := range e.Failed {
		if by, _ := rewriteIn(t.err, to, true); by != nil {
			failed = append(failed, t)
		}
	}
	switch {
	case !changed && len(failed) == len(e.Failed):
		return e, false
	case len(failed) == 0:
		return body, true
	}
	return &TaskGroupError{Body: body, Failed: failed}, true
}

// same reports whether by, which stands in the place of err, is err. Only errors of ours take
// the place of another; a foreign error may be of a type that cannot be compared.
func same(by, err error) bool {
	b, ours := by.(*wait.Error)
	if !ours {
		return (by == nil) == (err == nil)
	}
	e, ours := err.(*wait.Error)
	return ours && b == e
}

// An altered error reads as another one did, but is only what is left of that, or what
// that looks like from where it is now.
type altered struct {
	error // what it reads like
	parts []error
}

// alter is err, in which parts are left. If err has been altered before, it still is what
// it was in the beginning.
func alter(err error, parts ...error) error {
	if a, ok := err.(*altered); ok {
		err = a.error
	}
	return &altered{err, parts}
}

// Unwrap returns what is left.
func (a *altered) Unwrap() []error { return a.parts }

// Is asks the error itself, and not what it wraps.
func (a *altered) Is(target error) bool {
	if reflect.TypeOf(target).Comparable() && target == a.error {
		return true
	}
	is, ok := a.error.(interface{ Is(error) bool })
	return ok && is.Is(target)
}

// As finds the error itself by its type. By an interface, such as net.Error, it does not:
// the error would answer for all that it had in it.
func (a *altered) As(target any) bool {
	to := reflect.ValueOf(target).Elem()
	if to.Kind() == reflect.Interface || reflect.TypeOf(a.error) != to.Type() {
		return false
	}
	to.Set(reflect.ValueOf(a.error))
	return true
}

// fromElsewhere is err as those see it who are not in the task with the number home: a
// timeout of that task's own is none of theirs. 0 is no task.
func fromElsewhere(err error, here uint64) error {
	if err == nil {
		return nil
	}
	by, _ := rewrite(err, func(err error) (error, bool) {
		switch e := err.(type) {
		case *TaskError:
			return e, true // which does the same when it is unwrapped
		case *wait.Error:
			if e.IsPositional() && (here == 0 || e.Cause().Task() != here) {
				return e.Elsewhere(), true
			}
			return e, true
		}
		return err, false
	})
	return by
}
