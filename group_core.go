package curio

import (
	"context"
	"fmt"
	"log/slog"
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
// closed; settleLocked and memberDone are called once for each. The group is closed when
// nothing runs any more, under the same mu, so none is left behind.
//
// Only members refers to the tasks' results, and it lets go of each as soon as it is taken.
// A task refers to its group until it is taken, or the group has ended.
//
// Lock order: AnyTask.mu < group.mu.
type group struct {
	scope  *wait.Scope // the body's; a failure cancels it
	inner  *wait.Scope // the members', below scope
	kernel *Kernel
	policy GroupPolicy // not KeepGoing

	returned bool // body has; belongs to Group's goroutine

	mu        sync.Mutex
	keepGoing bool
	stopping  bool       // what is left is being cancelled
	closed    bool       // nothing can be added any more
	members   []member   // without daemons, in the order of spawning; nil in place of those taken
	taken     int        // how many of members have been taken
	ended     int32      // the order of the member that has ended last
	collected bool       // collect has been called
	done      []*AnyTask // if collected, tasks that have ended, in that order, some of them taken; NextDone takes from here
	running   int        // members that have not ended, without daemons
	daemons   int        // daemons that have not ended
	completed member
	short     bool                     // a member ended as it was cancelled
	failed    []*AnyTask               // in order of failing
	adopted   map[*AnyTask]func() bool // end the hold that inner has on a task not born under it
	reported  bool                     // somebody has the verdict
	cut       bool                     // a failure has cancelled the group

	collectors wait.List // waiting in NextDone; done is empty while there are any
	satisfied  wait.List // waiting until the policy is satisfied
	idle       wait.List // waiting until nothing runs

	// A member takes a slot when it is added, or stands in line for one, and gives it back
	// when it has ended. One that finds itself without when its goroutine has started waits in
	// parked; the caller of SpawnWait waits in awaited until its task is out of the line.
	limit   int        // NoLimit for none
	slots   int        // in use
	line    []*AnyTask // for a slot; some of them have ended or were withdrawn
	stale   int        // how many of line
	parked  map[*AnyTask]*wait.Waiter
	awaited map[*AnyTask]*wait.Waiter
}

// A member is a Task of any result type.
type member interface {
	common() *AnyTask
	hasObject() bool // the value is not nil
}

// membership is the state of a task in its group.
type membership struct {
	index     int32 // in members; not set for a daemon
	order     int32 // in which members have ended, modulo 2^32; set with settled
	adopted   bool  // by AddTask; set before the task's group
	slot      bool  // has a slot of the group's limit; the task's own, then under group.mu
	queued    bool  // is in line for one
	limited   bool  // the group had a limit when it was added; set before its goroutine starts
	withdrawn bool  // the caller of SpawnWait has given up, so it was never in the group
	settled   bool  // what its end means for the group has been worked out
	counted   bool  // memberDone has been called
	blamed    bool  // is in group.failed
	taken     bool  // out of the group
}

// noGroup is the group of a task that has left its own.
var noGroup = new(group)

// member returns the group that t is in, nil for none.
func (t *AnyTask) member() *group {
	if g := t.group.Load(); g != noGroup {
		return g
	}
	return nil
}

func newGroup(ctx context.Context, opts []GroupOption) *group {
	g := &group{limit: NoLimit}
	for _, o := range opts {
		o.applyTo(g)
	}
	// The last call of ctx's methods, which may panic, is the one that opens the scope.
	g.scope = wait.New(ctx, wait.Group)
	g.kernel = kernelOf(g.scope)
	g.inner = wait.New(g.scope, wait.Group)
	return g
}

// add makes m a member. An adopted task does not count for the limit: it may be running
// already.
func (g *group) add(m member, adopted bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.addLocked(m, adopted)
}

// tryAdd is add if m gets a slot at once. The result is false if it would not.
func (g *group) tryAdd(m member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t := m.common(); g.slots >= g.limit && !t.Daemon() && !t.essential && !g.closed {
		return false
	}
	g.addLocked(m, false)
	return true
}

func (g *group) addLocked(m member, adopted bool) {
	t := m.common()
	if t.essential {
		panic("curio: an Essential task in a group, whose failure is the group's; spawn it with Spawn")
	}
	if g.closed {
		panic("curio: TaskGroup used after its end; tasks can be added until Group returns or Join is called")
	}
	if !adopted {
		t.number()
	}
	t.adopted = adopted
	t.group.Store(g)
	if t.Daemon() {
		g.daemons++
		return
	}
	g.running++
	t.index = int32(len(g.members))
	if g.members == nil {
		g.members = make([]member, 0, 8)
	}
	g.members = append(g.members, m)
	if !adopted {
		g.queueLocked(t)
	}
}

// adopt makes an existing task a member. AnyTask.leave notices when the task ends, or adopt
// does if it has ended already.
func (g *group) adopt(m member) error {
	t := m.common()
	for p := CurrentTask(g.scope); p != nil; p = p.Parent() {
		if p == t {
			return fmt.Errorf("curio: AddTask: task %s runs the group, which would wait for it for ever", t.Name())
		}
	}
	if t.essential {
		return fmt.Errorf("curio: AddTask: task %s is Essential, and its failure cannot be the group's", t.Name())
	}
	t.mu.Lock()
	if t.group.Load() != nil {
		t.mu.Unlock()
		return fmt.Errorf("curio: AddTask: task %s is in a group already, or was", t.Name())
	}
	over := !t.expectJoiner()
	if over {
		t.handled = false // by a Join that ended before t was a member
	}
	func() {
		defer t.mu.Unlock()
		g.add(m, true)
	}()
	if over {
		t.see() // from now on it is the group's to report
		g.memberDone(t)
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

// memberDone is called once, when t has ended.
func (g *group) memberDone(t *AnyTask) {
	g.mu.Lock()
	t.counted = true
	var heirs wait.Batch
	g.passSlotLocked(t, &heirs)
	cuts := false
	if t.Daemon() {
		g.daemons--
		t.group.Store(noGroup)
	} else {
		g.running--
		cuts = g.settleLocked(t, false)
	}
	release := g.adopted[t]
	delete(g.adopted, t)
	woken := g.changedLocked()
	g.mu.Unlock()

	if release != nil {
		release()
	}
	heirs.Wake()
	if cuts {
		g.scope.Cancel(g.failure(t))
	}
	woken.Wake()
}

// settleLocked works out what the end of t means for the group, unless that has been
// done, and reports whether it cuts the group short.
//
// joining says that a caller has come to t's Join just now. That is too late to get a
// failure that cuts the group short; otherwise this caller gets t, and nobody else does.
func (g *group) settleLocked(t *AnyTask, joining bool) (cuts bool) {
	if t.settled {
		return false
	}
	t.settled = true
	switch {
	case t.withdrawn:
	case !t.failed:
		g.short = g.short || t.err != nil
		if t.err == nil {
			g.completeLocked(t)
		}
	case t.handled:
	default:
		g.failed = append(g.failed, t)
		t.blamed = true
		if !g.keepGoing {
			if g.policy == WaitAny {
				g.completeLocked(t)
			}
			cuts, g.cut = !g.cut, true
		}
	}
	if t.handled || t.withdrawn || joining && !(t.blamed && g.cut) {
		g.takeLocked(t)
	} else {
		g.ended++
		t.order = g.ended
		if g.collected {
			g.done = append(g.done, t)
		}
	}
	return cuts
}

// completeLocked makes t the task that Completed returns, if it is the first that counts,
// and nothing has stopped the group before.
func (g *group) completeLocked(t *AnyTask) {
	if g.completed != nil || g.cut || g.stopping {
		return
	}
	if m := g.members[t.index]; g.policy != WaitObject || m.hasObject() {
		g.completed = m
	}
}

// changedLocked hands the members that are done to the collectors, in order of arrival, and
// returns the waiters that now have what they wait for.
func (g *group) changedLocked() (woken wait.Batch) {
	for !g.collectors.Empty() {
		m := g.firstDoneLocked()
		if m == nil && g.running > 0 {
			break
		}
		w := g.collectors.Pop()
		if w == nil {
			break // they have all been cancelled
		}
		if m != nil {
			g.takeLocked(m.common())
		}
		w.Slot = m
		woken.Add(w)
	}
	if !g.satisfied.Empty() && g.satisfiedLocked() {
		g.satisfied.PopAll(&woken)
	}
	if g.running == 0 && g.daemons == 0 {
		g.idle.PopAll(&woken)
	}
	return woken
}

// failure is the cause by which t's failure cancels the others.
func (g *group) failure(t *AnyTask) *wait.Cause {
	c := wait.NewCause(g.scope, wait.Failed, newTaskError(t))
	c.By = authorOf(t)
	return c
}

// join takes t, which has ended, out of the group for a caller that was in t's Join at the
// time, or has come to it now. If it came only now, t's failure may have become the
// group's. Then t stays in the group, and if ctx belongs to the group, it has been
// cancelled by the time join returns: the joiner learns of the failure as of any other.
func (g *group) join(ctx context.Context, t *AnyTask) {
	g.mu.Lock()
	g.settleLocked(t, true)
	cut := t.blamed && g.cut
	if !cut {
		g.takeLocked(t)
	}
	woken := g.changedLocked()
	g.mu.Unlock()

	if cut && g.scope.Cause() == nil { // the goroutine that settled t has not cancelled the group yet
		g.scope.Cancel(g.failure(t))
	}
	woken.Wake()
	if cut && g.scope.Cancels(ctx) {
		<-ctx.Done() // the cancellation is on its way down to ctx
	}
}

// takeLocked takes t out of the group, if it is still in it.
func (g *group) takeLocked(t *AnyTask) {
	if t.taken {
		return
	}
	t.taken = true
	t.group.Store(noGroup)
	g.members[t.index] = nil
	g.taken++
	if g.taken > len(g.members)/2 {
		g.sweepLocked()
	}
}

// sweepLocked forgets the members that have been taken, lest a group that lives long
// remember them all.
func (g *group) sweepLocked() {
	g.taken = 0
	g.members = slices.DeleteFunc(g.members, func(m member) bool { return m == nil })
	for i, m := range g.members {
		m.common().index = int32(i)
	}
	g.done = slices.DeleteFunc(g.done, (*AnyTask).isTaken)
	if !g.cut {
		g.failed = slices.DeleteFunc(g.failed, (*AnyTask).isTaken)
	}
}

// opGroupJoin is the state of a task that waits for the end of a group.
const opGroupJoin = "TASKGROUP_JOIN"

// String describes what a task that is at the group's end waits for.
func (g *group) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return fmt.Sprintf("TaskGroup(%v, %d running)", g.policy, g.running)
}

// await waits in l until cond, which it calls under mu, returns true.
func (g *group) await(ctx context.Context, l *wait.List, cond func() bool) error {
	p, err := wait.At(ctx)
	if err != nil {
		return err
	}
	g.mu.Lock()
	for !cond() {
		if p.Untrusted() {
			g.mu.Unlock()
			return p.Follow(func(p wait.Place) error { return g.await(p.Scope(), l, cond) })
		}
		if err := p.Block(opGroupJoin, g, l, &g.mu); err != nil {
			return err
		}
		g.mu.Lock()
	}
	g.mu.Unlock()
	return nil
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
		err = g.await(ctx, &g.satisfied, g.satisfiedLocked)
		if err == nil && g.fellShort() {
			_, err = wait.At(ctx) // it may be that which cancelled the members
		}
	}
	g.stop(5)
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
	return g.short && (g.completed == nil || g.policy != WaitAny && g.policy != WaitObject)
}

func (g *group) satisfiedLocked() bool {
	switch g.policy {
	case WaitNone:
		return true
	case WaitAny, WaitObject:
		return g.completed != nil || g.running == 0
	}
	return g.running == 0
}

// stop cancels all that is left and waits until nothing runs. Nothing interrupts it: no
// member outlives its group. up says which call cancels, as for caller; 0 for none.
func (g *group) stop(up int) {
	if !g.close() || !g.inner.Empty() { // what members have spawned counts too
		c := wait.NewCause(g.inner, wait.Cancelled, nil)
		c.By = authorOf(CurrentTask(g.scope))
		if up > 0 {
			c.PC = caller(up)
		}
		g.inner.Cancel(c)
		shield := wait.New(g.scope, wait.Shield)
		_ = g.await(shield, &g.idle, g.closeLocked)
		shield.Close()
	}
	g.inner.Close()
	g.dismiss()
}

// close closes the group if nothing runs, and reports whether it is closed. From then on no
// task that ends counts as completed.
func (g *group) close() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stopping = true
	return g.closeLocked()
}

func (g *group) closeLocked() bool {
	g.closed = g.running == 0 && g.daemons == 0
	return g.closed
}

// dismiss makes the members forget the group, which is closed.
func (g *group) dismiss() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.members {
		if m != nil {
			m.common().group.Store(noGroup)
		}
	}
}

// verdict is the error of a closed group whose body returned, or waited in vain
// with, err. The first who asks gets it.
func (g *group) verdict(err error) error {
	own := err // the body's error, without what only says that the group was cut short
	if c := g.scope.Cause(); err != nil && c != nil && c.IsOf(g.scope) {
		own, _ = endingOf(g.scope).rest(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.reported {
		return err
	}
	g.reported = true
	failed := g.failed
	if !g.cut { // what cut the group is reported, even if a caller has received it
		failed = slices.DeleteFunc(failed, (*AnyTask).isTaken)
		if g.completed != nil && (g.policy == WaitAny || g.policy == WaitObject) {
			failed = nil
		}
	}
	if len(failed) == 0 {
		return err
	}
	return &TaskGroupError{Body: own, Failed: failed}
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
		g.kernel.say(slog.LevelError, "curio: panic in the function of a task group",
			"task", CurrentTask(g.scope).trail(), "panic", v, "stack", string(debug.Stack()))
	}
}

func (g *group) left() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.running + g.daemons
}

// cancelRemaining cancels the members there are but except, and waits for them.
func (g *group) cancelRemaining(ctx context.Context, pc uintptr, except *AnyTask) error {
	members := slices.DeleteFunc(g.remaining(), func(m member) bool { return m.common() == except })
	by := authorOf(CurrentTask(ctx))
	for _, m := range members {
		t := m.common()
		if t.Terminated() {
			continue
		}
		c := wait.NewCause(&t.owner.Scope, wait.Cancelled, nil)
		c.By, c.PC = by, pc
		t.owner.Scope.Cancel(c)
	}
	for _, m := range members {
		if err := m.common().Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// remaining are the members that have not been taken, without daemons.
func (g *group) remaining() []member {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(g.members), func(m member) bool { return m == nil || m.common().withdrawn })
}

func (g *group) firstCompleted() member {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.completed
}
