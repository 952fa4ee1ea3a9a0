package curio

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"github.com/curio-go/curio/internal/wait"
)

// This file has the one rule for the error that the function of a scope returns, be that a
// timeout, a group or a task: the scope takes its own ending out of the error, wherever in
// the error's tree it is, and lets everything else through.

// An ending is how a scope has ended, as its function sees it. The zero value is for a scope
// that has not ended.
type ending struct {
	cause *wait.Cause
	err   error // what the scope's Err returns
}

// ownEndingOf returns how the timeout s has ended if it is s itself that has expired or was
// cancelled, otherwise the zero ending.
func ownEndingOf(s *wait.Scope) ending {
	err := s.Err() // looks at the clock
	if c := s.Cause(); c != nil && c.IsOf(s) {
		return ending{c, err}
	}
	return ending{}
}

// endingOf returns how s has ended, whatever ended it.
func endingOf(s *wait.Scope) ending {
	if c := s.Cause(); c != nil {
		return ending{c, s.Err()}
	}
	return ending{}
}

// owns reports whether leaf, an error that wraps no other, is the scope's ending. Most Go
// code does not know our errors and returns ctx.Err(): that is the scope's ending too, if
// the scope's Err returns the same.
func (e ending) owns(leaf error) bool {
	if _, panicked := leaf.(*PanicError); panicked || e.cause == nil {
		return false
	}
	if w, ok := leaf.(*wait.Error); ok {
		return w.Cause() == e.cause
	}
	return errors.Is(leaf, e.err) || e.cause.Late() && errors.Is(leaf, context.DeadlineExceeded)
}

// rest returns err without the scope's ending, nil if nothing else is in it. owned reports
// whether the ending was in err.
func (e ending) rest(err error) (rest error, owned bool) { return takeOut(err, e.owns) }

// takeOut returns err without the leaves for which cond holds, nil if nothing else is in it.
// found reports whether there were any.
func takeOut(err error, cond func(leaf error) bool) (rest error, found bool) {
	rest, _ = rewrite(err, func(err error) (error, bool) {
		if !isLeaf(err) {
			return err, false
		}
		if cond(err) {
			found = true
			return nil, true
		}
		return err, true
	})
	return rest, found
}

// settle returns err, the error of a task that has ended with e, as others see it: with an
// error of ours wherever the ending is in it. failed reports whether there is anything else
// in it.
func (e ending) settle(err error) (failed bool, settled error) {
	rest, _ := e.rest(err)
	settled, _ = rewrite(err, func(err error) (error, bool) {
		if !isLeaf(err) {
			return err, false
		}
		if e.owns(err) {
			return e.cause.AsTask(), true
		}
		return err, true
	})
	return rest != nil, settled
}

// isLeaf reports whether rewrite goes no further than err. A panic is a leaf: it is never
// just an ending, whatever panic was called with.
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

// rewrite replaces errors in the tree of err. It calls the function to for each error, from
// the top down. Where that reports done, rewrite goes no deeper and puts by in the error's
// place, or takes the error out if by is nil. An error in which nothing was replaced stays
// the identical value, and one that has lost everything in it is taken out too.
func rewrite(err error, to func(error) (by error, done bool)) (_ error, changed bool) {
	return rewriteIn(err, to, false)
}

// rewriteIn is rewrite for an error that may be another task's. If that task was cancelled
// from here, settleError has made its error one of ours. So an error of package context
// there is about something of that task's own, and stays.
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

// joinError is the type of what errors.Join returns. Such an error can be made anew.
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

// rewrite is rewriteIn for the errors in e.
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

// same reports whether by, which takes the place of err, is err itself. Only our own errors
// take the place of another, so only they are compared; a foreign error may be of a type
// that cannot be.
func same(by, err error) bool {
	b, ours := by.(*wait.Error)
	if !ours {
		return (by == nil) == (err == nil)
	}
	e, ours := err.(*wait.Error)
	return ours && b == e
}

// An altered error has the text of another error, but wraps only what is left of that, or
// what that looks like from where it is now.
type altered struct {
	error // whose text it has
	parts []error
}

// alter returns err with only parts left in it. If err has been altered before, the result
// alters the original error.
func alter(err error, parts ...error) error {
	if a, ok := err.(*altered); ok {
		err = a.error
	}
	return &altered{err, parts}
}

// Unwrap returns what is left.
func (a *altered) Unwrap() []error { return a.parts }

// Is compares the error itself, not what it wraps.
func (a *altered) Is(target error) bool {
	if reflect.TypeOf(target).Comparable() && target == a.error {
		return true
	}
	is, ok := a.error.(interface{ Is(error) bool })
	return ok && is.Is(target)
}

// As finds the error itself by its type, but not by an interface such as net.Error, because the
// error would then answer for everything that was in it.
func (a *altered) As(target any) bool {
	to := reflect.ValueOf(target).Elem()
	if to.Kind() == reflect.Interface || reflect.TypeOf(a.error) != to.Type() {
		return false
	}
	to.Set(reflect.ValueOf(a.error))
	return true
}

// fromElsewhere returns err as it looks in the task whose number is here, 0 for no task.
// There, a timeout of another task is not one of the task's own.
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
