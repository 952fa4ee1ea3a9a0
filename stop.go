package curio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// This file is about stopping softly: what runs is asked first, and cancelled only if it has not
// ended when its grace time is over.

// ErrStopping is the reason why a context of UntilStop is done. errors.Is finds it in the error of
// each operation of this module that was ended by that, and in context.Cause of the context.
// Functions of other packages often return the bare error of the context, which is context.Canceled.
//
// A task that was asked to stop and returns this error, or nil, has ended as it should: neither is a
// failure.
var ErrStopping = errors.New("curio: asked to stop")

// UntilStop returns a context with which to wait for new work, such as the next job. It is done when
// ctx is done, and also as soon as the task, the group or the kernel around ctx is asked to stop.
// The wait then fails with an error that matches ErrStopping. A task finishes the work that it has
// begun with its own context, which is cancelled only when the grace time is over.
//
//	for {
//		idle, cancel := curio.UntilStop(ctx)
//		job, err := jobs.Get(idle)
//		cancel()
//		if err != nil {
//			return err
//		}
//		work(ctx, job)
//	}
//
// cancel releases the context and must be called. If a stop was requested earlier, the context is
// done from the beginning. A shield does not hold the request back. In a group, derive the context
// from the group's context, so that the wait also ends when the group does.
//
// The request comes from Stop of a task, a group or a kernel, from Run with Grace, or from a server of
// package network with a grace time, which asks its handlers when it stops.
func UntilStop(ctx context.Context) (_ context.Context, cancel context.CancelFunc) {
	s := wait.NewUntil(ctx)
	return s, s.Close
}

// Stopping reports whether the task, the group or the kernel around ctx has been asked to stop, or
// will be when its Pause is over. A health check uses it. It does not block.
func Stopping(ctx context.Context) bool { return wait.Announced(ctx) }

// A GraceError lists the tasks that had not ended when their grace time was over, and were
// cancelled.
type GraceError struct {
	// Tasks has a line for each of them, with its path, what it was waiting for, for how long, and
	// where. There are lines for the tasks that they have spawned, too, because a task often only
	// waits for these. If there are more than 50 lines, the last one counts the rest.
	Tasks []string
	Err   error // why they were asked to stop, nil if no reason was given

	more int // how many the last line stands for, 0 if only for itself
}

// Error names some of the tasks, and the reason why they were asked to stop.
func (e *GraceError) Error() string {
	n := len(e.Tasks)
	if e.more > 0 {
		n += e.more - 1
	}
	const shown = 10
	lines, more := e.Tasks, ""
	if len(lines) > shown {
		lines, more = lines[:shown], "; …"
	}
	text := "curio: a task had not ended after the grace time and was cancelled"
	if n > 1 {
		text = fmt.Sprintf("curio: %d tasks had not ended after the grace time and were cancelled", n)
	}
	text += " (" + strings.Join(lines, "; ") + more + ")"
	if e.Err != nil {
		text += ": " + plainText(e.Err)
	}
	return text
}

// Unwrap returns Err.
func (e *GraceError) Unwrap() error { return e.Err }

// Stop asks the task, and all that it has spawned, to stop: their contexts of UntilStop are then
// done. It waits until the task has ended. If the task ends in time, successfully or not, the error
// is nil. If that takes longer than grace, Stop cancels the task, waits for it to end, and returns a
// *GraceError.
//
// If grace is negative, there is no limit. A reason, if one is given, is in the text of the task's
// errors, and WhoCancelled returns it. If ctx is done first, the error is ctx's error: the task has
// been asked, and goes on. If Stop is called several times, the call with the shortest grace time
// cancels. A task that calls its own Stop does not wait.
//
// A task that waits in Stop is in the state TASK_STOP.
func (t *AnyTask) Stop(ctx context.Context, grace time.Duration, reason ...error) error {
	by := CurrentTask(ctx)
	c := stopCause(&t.owner.Scope, by, caller(3), reason)
	t.owner.Scope.Ask(c)
	if by == t {
		return nil
	}
	inTime, err := within(ctx, grace, func(ctx context.Context) error { return t.waitFor(ctx, opStop) })
	if err != nil || inTime {
		return err
	}
	late := lateTasks([]*AnyTask{t}, c)
	if late == nil { // it has just ended
		return nil
	}
	late.log(ctx, t.kernel, grace)
	t.cancel(by, reason, 4)
	if err := t.waitFor(ctx, opStop); err != nil {
		return err
	}
	return late
}

const opStop = "TASK_STOP"

// Stop asks the group's tasks to stop, as AnyTask.Stop does, and waits until all have ended. Tasks
// that have not ended after grace are cancelled, and named in a *GraceError. The contexts of
// UntilStop in the group's function are done then, too. The group goes on: tasks may be spawned, but
// these have been asked to stop from the start. If a task of the group calls Stop, it waits for the
// other tasks, and cancels only these.
func (g *TaskGroup[T]) Stop(ctx context.Context, grace time.Duration, reason ...error) error {
	by := CurrentTask(ctx)
	c := stopCause(g.group.scope, by, caller(3), reason)
	g.group.scope.Ask(c)
	inTime, err := within(ctx, grace, func(ctx context.Context) error { return g.group.waitRemaining(ctx, by) })
	if err != nil || inTime {
		return err
	}
	late := lateTasks(g.group.stragglers(by), c)
	if late == nil {
		return nil
	}
	late.log(ctx, g.group.kernel, grace)
	if err := g.group.cancelRemaining(ctx, c.PC, by); err != nil {
		return err
	}
	return late
}

// waitRemaining waits until all members but except have ended, those spawned meanwhile included.
func (g *group) waitRemaining(ctx context.Context, except *AnyTask) error {
	for {
		running := g.stragglers(except)
		if len(running) == 0 {
			return nil
		}
		for _, t := range running {
			if err := t.waitFor(ctx, opStop); err != nil {
				return err
			}
		}
	}
}

// stragglers are the members that have not ended, without daemons and except.
func (g *group) stragglers(except *AnyTask) (running []*AnyTask) {
	for _, m := range g.remaining() {
		if t := m.common(); !t.Terminated() && t != except {
			running = append(running, t)
		}
	}
	return running
}

// Stop asks all tasks of the kernel to stop, and waits until they have ended, except daemons and
// services. Tasks that have not ended after grace are cancelled, and named in a *GraceError. Then
// Stop shuts the kernel down, as Shutdown does, and joins the error of that.
//
// If grace is negative, there is no limit. When ctx is done, Stop waits no longer. A task of the
// kernel cannot stop it, as with Shutdown.
func (k *Kernel) Stop(ctx context.Context, grace time.Duration, reason ...error) error {
	if err := k.notFromInside(ctx, "Stop"); err != nil {
		return err
	}
	pc := caller(3)
	c := stopCause(k.root, CurrentTask(ctx), pc, reason)
	k.root.Ask(c)
	inTime, err := within(ctx, grace, k.waitTasks)
	var late error
	if !inTime && err == nil { // else ctx is done, and shutdown reports that
		if e := lateTasks(k.stragglers(), c); e != nil {
			e.log(ctx, k, grace)
			late = e
		}
	}
	if failed := k.shutdown(ctx, pc); failed != nil {
		return errors.Join(late, failed)
	}
	return late
}

// waitTasks waits until all tasks have ended, those spawned meanwhile included, without daemons and
// services.
func (k *Kernel) waitTasks(ctx context.Context) error {
	for {
		running := k.stragglers()
		if len(running) == 0 {
			return nil
		}
		for _, t := range running {
			if err := t.waitFor(ctx, "KERNEL_STOP"); err != nil {
				return err
			}
		}
	}
}

// stragglers are the tasks that have not ended, without daemons, and without the tasks of daemons:
// these end with the daemon. A parent comes before its children.
func (k *Kernel) stragglers() []*AnyTask { return stragglersBelow(k.root) }

func stragglersBelow(top *wait.Scope) (running []*AnyTask) {
	ofDaemons := make(map[*wait.Scope]bool) // the scopes of daemons that run, and what is below
	top.Walk(func(s *wait.Scope) bool {
		isTask := s.Kind() == wait.Task
		switch {
		case ofDaemons[s.Parent()]:
			ofDaemons[s] = true
		case isTask && taskOf(s.Owner()).Terminated():
		case isTask && taskOf(s.Owner()).Daemon():
			ofDaemons[s] = true
		case isTask:
			running = append(running, taskOf(s.Owner()))
		}
		return true
	})
	return running
}

// stopCause is the cause with which by asks s to stop.
func stopCause(s *wait.Scope, by *AnyTask, pc uintptr, reason []error) *wait.Cause {
	c := wait.NewRequest(s, ErrStopping, authorOf(by))
	c.PC = pc
	if len(reason) > 0 {
		c.Reason = &stopReason{reason[0]}
	}
	return c
}

// withoutRequest returns err, the error of t, without what says only that t was asked to stop.
func (t *AnyTask) withoutRequest(err error) error {
	if err == nil || !t.owner.AskedWith(nil) {
		return err
	}
	rest, _ := takeOut(err, func(leaf error) bool {
		if e, ours := leaf.(*wait.Error); ours {
			return t.owner.AskedWith(e.Cause())
		}
		_, panicked := leaf.(*PanicError)
		return !panicked && errors.Is(leaf, context.Canceled) // most code returns the bare error of its context
	})
	return rest
}

// A stopReason is ErrStopping with a reason.
type stopReason struct{ why error }

func (r *stopReason) Error() string        { return ErrStopping.Error() + ": " + plainText(r.why) }
func (r *stopReason) Is(target error) bool { return target == ErrStopping }

// whyAsked is the reason in the cause of a stop, nil if nobody gave one.
func whyAsked(c *wait.Cause) error {
	if r, ok := c.Reason.(*stopReason); ok {
		return r.why
	}
	return nil
}

// within calls fn, which waits, for at most grace. inTime reports whether fn has succeeded; err is
// its error unless the grace time was over.
func within(ctx context.Context, grace time.Duration, fn func(context.Context) error) (inTime bool, err error) {
	if grace < 0 {
		grace = NoTimeout
	}
	expired, err := IgnoreAfter(ctx, grace, fn)
	return !expired && err == nil, err
}

// namedLate is how many tasks a GraceError has a line for.
const namedLate = 50

// lateTasks is the GraceError for the ones among tasks that still run, and for what runs below them,
// nil if none does.
func lateTasks(tasks []*AnyTask, c *wait.Cause) *GraceError {
	return newGraceError(withBelow(tasks, make(map[*wait.Scope]bool)), c)
}

// withBelow returns the scopes of the ones among tasks that still run, and of the tasks below them,
// without those that are in listed, which it adds them to.
func withBelow(tasks []*AnyTask, listed map[*wait.Scope]bool) (late []*wait.Scope) {
	list := func(t *AnyTask) (isNew bool) {
		s := &t.owner.Scope
		if isNew = !listed[s]; isNew {
			listed[s] = true
			late = append(late, s)
		}
		return isNew
	}
	for _, t := range tasks {
		begun := t.owner.Parent() != nil         // else it is just being spawned, and cannot be looked at
		if begun && !t.Terminated() && list(t) { // else what is below it is listed as well
			for _, below := range stragglersBelow(&t.owner.Scope) {
				list(below)
			}
		}
	}
	return late
}

func newGraceError(scopes []*wait.Scope, c *wait.Cause) *GraceError {
	if len(scopes) == 0 {
		return nil
	}
	more := max(len(scopes)-namedLate, 0)
	scopes = scopes[:len(scopes)-more]
	e := &GraceError{Err: whyAsked(c), more: more}
	stacks := stacksWithin(scopes, hastyStacks)
	for _, s := range scopes {
		line := describe(s, placeOf(s, stacks[s]))
		if w, ok := s.Owner().Parked(); ok {
			line += fmt.Sprintf(", for %v", time.Duration(wait.Now()-w.Since).Round(time.Millisecond))
		}
		e.Tasks = append(e.Tasks, line)
	}
	e.count()
	return e
}

// count appends the line for the tasks that have none.
func (e *GraceError) count() {
	if e.more > 0 {
		e.Tasks = append(e.Tasks, fmt.Sprintf("and %d more", e.more))
	}
}

// and returns e, which may be nil, with the tasks of later.
func (e *GraceError) and(later *GraceError) *GraceError {
	if e == nil {
		return later
	}
	both := &GraceError{Err: later.Err, more: e.more + later.more}
	for _, part := range []*GraceError{e, later} {
		both.Tasks = append(both.Tasks, part.Tasks[:len(part.Tasks)-min(part.more, 1)]...)
	}
	both.count()
	return both
}

// log reports e, in the kernel's name. A log handler that hangs must not hold up what is to be
// cancelled for longer than a moment.
func (e *GraceError) log(ctx context.Context, k *Kernel, grace time.Duration) {
	args := []any{"tasks", e.Tasks, "grace", grace}
	if e.Err != nil {
		args = append(args, "why", e.Err)
	}
	patient, cancel := WithTimeout(ctx, time.Second)
	defer cancel()
	logWithin(patient, func() {
		k.say(slog.LevelWarn, "curio: tasks have not ended in the grace time and are cancelled", args...)
	})
}
