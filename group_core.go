package curio

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/curio-go/curio/internal/wait"
)

// A group is the part of a TaskGroup that does not depend on the type of the
// results.
//
// A member is running, then done (it has ended and nobody has taken it), then
// perhaps taken. Members enter by add and adopt, under mu, until the group is
// closed; memberDone is called once for each. The group is closed when nothing
// runs any more, under the same mu, so none is left behind.
//
// Lock order: AnyTask.mu < group.mu.
type group struct {
	scope  *wait.Scope // the body's; a failure cancels it
	inner  *wait.Scope // the members', below scope
	kernel *Kernel
	outer  context.Context
	policy policy
	limit  int // 0 for none

	returned bool // body has; belongs to Group's goroutine

	mu        sync.Mutex
	keepGoing bool
	closed    bool
	members   []*AnyTask // without daemons, as spawned; those taken are swept out now and then
	taken     int        // how many of members have been taken
	done      []*AnyTask // have ended, in that order; NextDone takes from here
	running   int        // members that have not ended, without daemons
	daemons   int        // daemons that have not ended
	completed *AnyTask
	short     bool                     // a member ended as it was cancelled
	failed    []*AnyTask               // in order of failing
	adopted   map[*AnyTask]func() bool // end the hold that inner has on a task not born under it
	reported  bool                     // somebody has the verdict
	cut       bool                     // a failure has cancelled the group
	watchers  wait.List                // waiting for any change of the above

	// With a limit: a member takes a slot when it is added, or stands in line for
	// one, and gives it back when it has ended. One that finds itself without when
	// its goroutine has started waits in parked.
	slots  int // in use
	line   []*AnyTask
	parked map[*AnyTask]*wait.Waiter
}

type policy int

const (
	waitAll policy = iota
	waitAny
	waitObject
	waitNone
)

func newGroup(ctx context.Context, opts []GroupOption) *group {
	g := &group{scope: wait.New(ctx, wait.Group), kernel: kernelOf(ctx), outer: ctx}
	g.inner = wait.New(g.scope, wait.Group)
	for _, o := range opts {
		o(g)
	}
	return g
}

// add counts t in. One that was adopted has no part in the limit: it may run
// already.
func (g *group) add(t *AnyTask, adopted bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		panic("curio: TaskGroup used after its end; tasks can be added until Group returns or Join is called")
	}
	t.adopted = adopted
	t.group.Store(g)
	if t.daemon {
		g.daemons++
		return
	}
	g.running++
	g.members = append(g.members, t)
	switch {
	case adopted:
	case g.slots < g.limit:
		g.slots++
		t.slot = true
	case g.limit > 0:
		g.line = append(g.line, t)
	}
}

// adopt makes an existing task a member. Its end is noticed by finish, or here if
// it is over, or by both.
func (g *group) adopt(t *AnyTask) error {
	for p := CurrentTask(g.outer); p != nil; p = p.Parent() {
		if p == t {
			return fmt.Errorf("curio: AddTask: task %s runs the group, which would wait for it for ever", t.Name())
		}
	}
	t.mu.Lock()
	if t.group.Load() != nil {
		t.mu.Unlock()
		return fmt.Errorf("curio: AddTask: task %s is in a group already", t.Name())
	}
	func() {
		defer t.mu.Unlock()
		g.add(t, true)
	}()
	if t.Terminated() {
		t.see() // from now on it is the group's to report
		g.memberDone(t, false)
		return nil
	}
	release := g.inner.AfterFunc(func() { t.owner.Scope.Cancel(g.inner.Cause()) })
	g.mu.Lock()
	if !t.counted {
		if g.adopted == nil {
			g.adopted = make(map[*AnyTask]func() bool)
		}
		g.adopted[t] = release
		release = nil
	}
	g.mu.Unlock()
	if release != nil {
		release()
	}
	return nil
}

// admit waits for t's slot. It is called by t itself, and false if t was cancelled
// meanwhile; its error is set then.
func (g *group) admit(t *AnyTask) bool {
	if g.limit == 0 || t.daemon || t.adopted {
		return true
	}
	p, err := wait.At(&t.owner.Scope)
	if err != nil {
		t.err = err
		return false
	}
	g.mu.Lock()
	if t.slot {
		g.mu.Unlock()
		return true
	}
	if g.parked == nil {
		g.parked = make(map[*AnyTask]*wait.Waiter)
	}
	w := p.Waiter("GROUP_LIMIT", nil)
	g.parked[t] = w
	g.mu.Unlock()

	ok := w.Wait()
	g.mu.Lock()
	delete(g.parked, t)
	g.mu.Unlock()
	w.Free()
	if !ok {
		t.err = p.Failure()
	}
	return ok
}

// passSlotLocked gives t's slot, if it has one, to the first in line that can use it.
// The waiter that it returns is to be woken.
func (g *group) passSlotLocked(t *AnyTask) *wait.Waiter {
	if !t.slot {
		return nil
	}
	t.slot = false
	for len(g.line) > 0 {
		heir := g.line[0]
		g.line[0], g.line = nil, g.line[1:]
		w := g.parked[heir]
		if heir.counted || w != nil && !w.Grant() {
			continue // it has been cancelled
		}
		heir.slot = true
		return w
	}
	g.slots--
	return nil
}

// memberDone is called when t has ended, and counts once; joined says that somebody
// was in its Join, who sees its error.
func (g *group) memberDone(t *AnyTask, joined bool) {
	g.mu.Lock()
	if t.counted {
		g.mu.Unlock()
		return
	}
	t.counted = true
	heir := g.passSlotLocked(t)
	cuts := false
	if t.daemon {
		g.daemons--
	} else {
		g.running--
		g.done = append(g.done, t)
		cuts = g.settleLocked(t, joined)
	}
	release := g.adopted[t]
	delete(g.adopted, t)
	watchers := g.watchers.PopAll()
	g.mu.Unlock()

	if release != nil {
		release()
	}
	if heir != nil {
		heir.Wake()
	}
	if cuts {
		g.scope.Cancel(g.failure(t))
	}
	watchers.Wake()
}

// settleLocked works out what the end of t means for the group, and reports whether
// it cuts the group short.
func (g *group) settleLocked(t *AnyTask, joined bool) (cuts bool) {
	switch {
	case !t.failed:
		g.short = g.short || t.err != nil
		if g.completed == nil && t.err == nil && (g.policy != waitObject || t.body().hasObject()) {
			g.completed = t
		}
	case joined:
	default:
		g.failed = append(g.failed, t)
		if !g.keepGoing {
			cuts, g.cut = !g.cut, true
			if g.policy == waitAny && g.completed == nil {
				g.completed = t
			}
		}
	}
	return cuts
}

// failure is the cause by which t's failure cancels the others.
func (g *group) failure(t *AnyTask) *wait.Cause {
	c := wait.NewCause(g.scope, wait.Failed, &TaskError{t, t.err})
	c.By = t.Path()
	return c
}

// collect makes failures the body's own business.
func (g *group) collect() {
	g.mu.Lock()
	g.keepGoing = true
	g.mu.Unlock()
}

// next takes the next member that has ended; nil if there is none.
func (g *group) next(ctx context.Context) (*AnyTask, error) {
	g.collect()
	var t *AnyTask
	err := g.until(ctx, "TASKGROUP_NEXT", func() bool {
		for len(g.done) > 0 && t == nil {
			t = g.done[0]
			g.done[0], g.done = nil, g.done[1:]
			if !g.takeLocked(t) {
				t = nil // somebody joined it
			}
		}
		return t != nil || g.running == 0
	})
	return t, err
}

// take takes t out of the group for somebody who has joined it.
func (g *group) take(t *AnyTask) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.takeLocked(t)
}

// takeLocked reports whether t was still to be taken.
func (g *group) takeLocked(t *AnyTask) bool {
	if t.taken {
		return false
	}
	t.taken = true
	g.taken++
	if g.taken > len(g.members)/2 {
		g.sweepLocked()
	}
	return true
}

// sweepLocked forgets the members that have been taken, lest a group that lives long
// keep them all.
func (g *group) sweepLocked() {
	g.taken = 0
	g.members = slices.DeleteFunc(g.members, (*AnyTask).isTaken)
	g.done = slices.DeleteFunc(g.done, (*AnyTask).isTaken)
	if !g.cut {
		g.failed = slices.DeleteFunc(g.failed, (*AnyTask).isTaken)
	}
}

// until waits for cond, which it calls under mu, whenever something has changed.
// What cond took is kept even if ctx ends at the same moment.
func (g *group) until(ctx context.Context, op string, cond func() bool) error {
	p, err := wait.At(ctx)
	if err != nil {
		return err
	}
	for {
		g.mu.Lock()
		if cond() {
			g.mu.Unlock()
			return nil
		}
		if p.Untrusted() {
			g.mu.Unlock()
			return p.Follow(func(p wait.Place) error { return g.until(p.Scope(), op, cond) })
		}
		if err := p.Block(op, nil, &g.watchers, &g.mu); err != nil {
			return err
		}
	}
}

// end is what happens after the body, which returned err: the group waits as its
// policy says, and stops the rest. Once it is closed, err is all there is to say.
func (g *group) end(ctx context.Context, err error) error {
	if g.isClosed() {
		return err
	}
	if t := CurrentTask(ctx); t != nil && t.group.Load() == g {
		panic(fmt.Sprintf("curio: task %s joins its own group and would wait for itself; let the group's function do it", t.Name()))
	}
	if err == nil {
		err = g.until(ctx, "TASKGROUP_JOIN", g.satisfiedLocked)
		if err == nil && g.fellShort() {
			_, err = wait.At(ctx) // it may be that which cancelled the members
		}
	}
	g.stop(caller(4))
	return g.verdict(err)
}

func (g *group) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// fellShort reports whether the group is satisfied only because members were cancelled.
func (g *group) fellShort() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.short && (g.completed == nil || g.policy != waitAny && g.policy != waitObject)
}

func (g *group) satisfiedLocked() bool {
	switch g.policy {
	case waitNone:
		return true
	case waitAny, waitObject:
		return g.completed != nil || g.running == 0
	}
	return g.running == 0
}

// stop cancels all that is left and waits until nothing runs. Nothing interrupts
// it: no member outlives its group.
func (g *group) stop(pc uintptr) {
	c := wait.NewCause(g.inner, wait.Cancelled, nil)
	c.By, c.PC = CurrentTask(g.outer).Path(), pc
	g.inner.Cancel(c)
	_ = g.until(context.WithoutCancel(g.outer), "TASKGROUP_JOIN", func() bool {
		g.closed = g.running == 0 && g.daemons == 0
		return g.closed
	})
	g.inner.Close()
}

// verdict is the error of a closed group whose body returned, or waited in vain
// with, err. The first who asks gets it.
func (g *group) verdict(err error) error {
	caused := g.causedBy(err)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.reported {
		return err
	}
	g.reported = true
	failed := g.failed
	if !g.cut { // what cut the group is reported, whoever has seen it
		failed = slices.DeleteFunc(failed, (*AnyTask).isTaken)
		if g.completed != nil && (g.policy == waitAny || g.policy == waitObject) {
			failed = nil
		}
	}
	if len(failed) == 0 {
		return err
	}
	if caused {
		err = nil
	}
	return &TaskGroupError{Body: err, Failed: failed}
}

// causedBy reports whether err is just how the body saw that the group was cut.
func (g *group) causedBy(err error) bool {
	var e *wait.Error
	return errors.As(err, &e) && e.Cause().IsOf(g.scope)
}

// leave runs when Group returns. If body has not returned, but panicked or called
// runtime.Goexit, the members are stopped all the same. A panic is reported before
// that, as it may take long, and goes on afterwards.
func (g *group) leave() {
	defer g.scope.Close()
	if g.returned {
		return
	}
	v := recover()
	defer func() { // whatever a log handler does
		g.stop(0)
		if v != nil {
			panic(v)
		}
	}()
	if v != nil && g.left() > 0 {
		g.kernel.log().Error("curio: panic in the function of a task group",
			"task", CurrentTask(g.outer).Path(), "panic", v, "stack", string(debug.Stack()))
	}
}

func (g *group) left() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.running + g.daemons
}

// cancelRemaining cancels the members there are, and waits for them.
func (g *group) cancelRemaining(ctx context.Context, pc uintptr) error {
	members := g.remaining()
	for _, t := range members {
		c := wait.NewCause(&t.owner.Scope, wait.Cancelled, nil)
		c.By, c.PC = CurrentTask(ctx).Path(), pc
		t.owner.Scope.Cancel(c)
	}
	for _, t := range members {
		if err := t.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// remaining are the members that have not been taken, without daemons.
func (g *group) remaining() []*AnyTask {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(g.members), (*AnyTask).isTaken)
}

func (g *group) firstCompleted() *AnyTask {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.completed
}
