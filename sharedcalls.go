package curio

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"sync"

	"github.com/curio-go/curio/internal/quote"
	"github.com/curio-go/curio/internal/wait"
)

// SharedCalls lets callers that need the same thing at the same time share one call. While a call
// for a key runs, further callers for that key wait for its result instead of starting another. The
// result is not kept: after the call has ended, the next caller starts a new one. The zero value is
// ready for use. A SharedCalls must not be copied after first use. All methods are safe for
// concurrent use, even by tasks of several kernels.
//
//	var pages curio.SharedCalls[string, *Page]
//
//	page, _, err := pages.Do(ctx, url, func(ctx context.Context) (*Page, error) {
//		return fetch(ctx, url)
//	})
//
// It is golang.org/x/sync/singleflight with contexts. A task that waits for a call is in the
// state SHARED_CALL.
type SharedCalls[K comparable, V any] struct {
	mu    sync.Mutex
	calls map[K]*sharedCall[K, V] // what a caller finds; of a key that has two, the older one
	most  int                     // the most entries that calls has had

	first, last *sharedCall[K, V] // all calls that have not ended, the oldest first
}

// A sharedCall is one call of a function.
//
//	pending ──► running    when the call before it has ended, by that one's task
//	        ──► ended      when its last caller leaves
//	running ──► abandoned  when its last caller leaves; then it is cancelled
//	running, abandoned ──► ended  by its own task, when the function has returned
//
// A new call is running at once, unless there is an abandoned one for its key: nobody joins
// that, and the new one is pending behind it. Each step is made under the mutex of the
// SharedCalls, and so is a caller's coming and leaving. So a caller either has its result or
// has left before the end, and nobody joins what is about to be cancelled.
type sharedCall[K comparable, V any] struct {
	of   *SharedCalls[K, V]
	key  K
	node *callNode
	task *AnyTask
	fn   func(context.Context) (V, error) // nil once it has been called

	// Guarded by of.mu.
	older, newer *sharedCall[K, V]
	pending      *sharedCall[K, V] // the call behind this one, which is abandoned
	before       *sharedCall[K, V] // the call in front of this one, which is pending
	waiters      wait.List
	callers      int  // that have come and not left
	starting     bool // one of them, who starts the task, is not on the list yet
	begun        bool // the task is in the tree, so that it can be cancelled
	abandoned    bool
	ended        bool

	// Written before ended is set, never after.
	value  V
	err    error
	shared bool
}

var errNobodyWaits = errors.New("no caller waits for the shared call any more")

// Do returns the result of fn, or of a call that already runs for the same key. shared reports
// whether other callers were given the same result: all callers get one value, so do not change what
// it refers to.
//
// fn is called in a task of its own, never in the caller's. Its context has the values of the first
// caller's context, and the task starts with that caller's Locals, but no caller's cancellation or
// deadline reaches it. So fn may outlive the caller that gave it. The task belongs to the first
// caller's kernel, is a daemon, and is cancelled when that kernel shuts down, even if callers wait
// for it.
//
// If ctx is done first, the error is ctx's error, and the other callers go on waiting. When the last
// caller has left, the call is cancelled. No later caller joins it: the next caller for the key
// starts a new call, whose function is called when the old one has returned. So two functions for
// the same key never run at the same time, and the clean-up of one does not get in the way of the
// next. A caller that waits for an old call to end leaves when its ctx is done; see also Forget. If
// a call without callers fails, and was not merely cancelled, its error is logged.
//
// If fn fails, every caller gets its error, as another task's error: a timeout of fn's own is
// context.DeadlineExceeded here and not ErrTaskTimeout. If fn panics, the panic is logged at once,
// and every caller gets a *PanicError. If fn calls runtime.Goexit, the error is ErrGoexit. If the
// kernel of fn's task has been shut down, the error is ErrKernelShutdown.
//
// If fn itself calls Do, in its own task or in a task spawned with its context, and would have to
// wait for its own call, the error is ErrRecursiveCall. That may happen directly, or through other
// calls that wait for each other, even of several SharedCalls. It is noticed by the context: if fn
// uses another one, such as the first caller's, it waits for itself until that context is done.
//
// Do panics if fn is nil, or if key cannot be found in a map again, such as a NaN, or an interface
// that holds a slice.
func (s *SharedCalls[K, V]) Do(ctx context.Context, key K, fn func(context.Context) (V, error)) (v V, shared bool, err error) {
	if fn == nil {
		panic("curio: SharedCalls.Do with a nil function")
	}
	mustBeKey(key)
	p, err := wait.At(ctx)
	if err != nil {
		return v, false, err
	}
	from := callAround(ctx, p)
	var c *sharedCall[K, V]
	if p.Untrusted() {
		fresh := s.newCall(ctx, key, fn)
		c, err = wait.FollowFor(p, func(p wait.Place) (*sharedCall[K, V], error) { return s.join(p, from, key, fresh) })
	} else if c, err = s.join(p, from, key, nil); c == nil && err == nil {
		c, err = s.join(p, from, key, s.newCall(ctx, key, fn))
	}
	if err != nil {
		return v, false, err
	}
	return c.value, c.shared, fromElsewhere(c.err, idOf(taskOf(p.Owner())))
}

// mustBeKey panics if key cannot be found in a map again. Nothing panics under a mutex then.
func mustBeKey[K comparable](key K) {
	found := false
	defer func() {
		if !found {
			_ = recover()
			panic(fmt.Sprintf("curio: SharedCalls.Do with a key of type %T, %v, which cannot be found in a map again", key, key))
		}
	}()
	same := key
	found = same == key // which panics if an interface holds, for example, a slice
}

// newCall makes a call, which is nobody's yet. It must be called by Do: see AnyTask.prepare.
// It calls methods of ctx.
func (s *SharedCalls[K, V]) newCall(ctx context.Context, key K, fn func(context.Context) (V, error)) *sharedCall[K, V] {
	t := &AnyTask{role: daemonTask}
	t.prepare(ctx, reflect.ValueOf(fn).Pointer(), nil)
	return &sharedCall[K, V]{of: s, key: key, fn: fn, task: t, node: newCallNode(ctx, t)}
}

// join waits for the call for key, which has ended when err is nil. If there is none, it
// starts fresh; if fresh is nil, too, so are c and err. from is the call that the caller is
// in, nil for none.
func (s *SharedCalls[K, V]) join(p wait.Place, from *callNode, key K, fresh *sharedCall[K, V]) (c *sharedCall[K, V], err error) {
	s.mu.Lock()
	c, err = s.enterLocked(from, key, fresh)
	if c == nil {
		s.mu.Unlock()
		return nil, err
	}
	if c.starting && c == fresh {
		s.mu.Unlock()
		c.start()
		runtime.Gosched() // it may end at once: see AnyTask.waitFor
		s.mu.Lock()
		c.starting = false
		if c.ended {
			s.mu.Unlock()
			from.waitsNoMore(c.node)
			return c, nil
		}
	}
	w := p.Waiter("SHARED_CALL", c)
	ok := w.WaitIn(&c.waiters, &s.mu)
	w.Free()
	from.waitsNoMore(c.node)
	if !ok {
		s.leave(c, p.Owner())
		return c, p.Failure()
	}
	return c, nil
}

// enterLocked makes the caller one of the callers of the call for key, or of fresh if there
// is none to join. c is nil if there is neither, or if the caller would wait for itself.
func (s *SharedCalls[K, V]) enterLocked(from *callNode, key K, fresh *sharedCall[K, V]) (c *sharedCall[K, V], err error) {
	c = s.calls[key]
	var before *sharedCall[K, V]
	if c != nil && c.abandoned {
		before, c = c, c.pending
	}
	switch {
	case c == nil && fresh == nil:
		return nil, nil
	case c == nil && before != nil:
		c = fresh
		c.node.setBehind(before.node)
	case c == nil:
		c = fresh
	}
	if !from.mayWaitFor(c.node) {
		return nil, ErrRecursiveCall
	}
	if c == fresh {
		s.addLocked(c, before)
	}
	c.callers++
	return c, nil
}

// addLocked adds c, a new call, which is pending if there is one before it.
func (s *SharedCalls[K, V]) addLocked(c, before *sharedCall[K, V]) {
	c.older = s.last
	if s.last != nil {
		s.last.newer = c
	} else {
		s.first = c
	}
	s.last = c
	if before != nil {
		before.pending, c.before = c, before
		return
	}
	c.task.number() // a pending one gets its number when it starts, as it may never do that
	c.starting, c.begun = true, true
	s.setLocked(c)
}

// setLocked makes c the call that callers for its key find.
func (s *SharedCalls[K, V]) setLocked(c *sharedCall[K, V]) {
	if s.calls == nil {
		s.calls = make(map[K]*sharedCall[K, V])
	}
	s.calls[c.key] = c
	s.most = max(s.most, len(s.calls))
}

// forgetLocked makes callers for c's key find no call, if c is what they find now. The map does
// not shrink, so one that was large is dropped when it is empty.
func (s *SharedCalls[K, V]) forgetLocked(c *sharedCall[K, V]) {
	if s.calls[c.key] != c {
		return
	}
	delete(s.calls, c.key)
	if len(s.calls) == 0 && s.most > 8*smallest {
		s.calls, s.most = nil, 0
	}
}

// removeLocked takes c, which has ended, off the list of calls.
func (s *SharedCalls[K, V]) removeLocked(c *sharedCall[K, V]) {
	c.ended = true
	c.node.ended.Store(true)
	if c.older != nil {
		c.older.newer = c.newer
	} else {
		s.first = c.newer
	}
	if c.newer != nil {
		c.newer.older = c.older
	} else {
		s.last = c.older
	}
	c.older, c.newer = nil, nil
}

// leave is for a caller whose context was done first.
func (s *SharedCalls[K, V]) leave(c *sharedCall[K, V], me *wait.Owner) {
	s.mu.Lock()
	c.callers--
	cancel := false
	switch {
	case c.callers > 0 || c.ended:
	case c.before != nil: // nothing has begun
		c.before.pending, c.before = nil, nil
		s.removeLocked(c)
	default:
		c.abandoned, cancel = true, c.begun
	}
	s.mu.Unlock()
	if cancel {
		c.cancel(me)
	}
}

// cancel cancels c, which nobody waits for any more. me was the last who did.
func (c *sharedCall[K, V]) cancel(me *wait.Owner) {
	scope := &c.task.owner.Scope
	cause := wait.NewCause(scope, wait.Cancelled, errNobodyWaits)
	cause.By = authorOf(taskOf(me))
	scope.Cancel(cause)
}

// Forget makes the next caller for key start a new call at once, even if one is running. Callers
// that wait for the running call still get its result. After a write, Forget thus keeps callers from
// joining a call that may have read the old state. Two functions for the same key may then run at
// the same time. Forget does not block. It panics if key cannot be found in a map again, as Do does.
func (s *SharedCalls[K, V]) Forget(key K) {
	mustBeKey(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.calls[key]; c != nil {
		s.forgetLocked(c)
	}
}

// start starts the task of c.
func (c *sharedCall[K, V]) start() { c.task.start(c.node, nil, c) }

// beforePending is called before a pending call starts. Tests replace it.
var beforePending = func() {}

// startPending starts the task of c, which was pending: the call before it has ended. The
// last caller of c may have left meanwhile.
func (c *sharedCall[K, V]) startPending() {
	beforePending()
	c.start()
	c.of.mu.Lock()
	c.begun = true
	cancel := c.abandoned
	c.of.mu.Unlock()
	if cancel {
		c.cancel(nil)
	}
}

// call implements runner: it calls the function, and ends the call, however the function ends. A
// panic is reported before the callers hear of it. If it is to end the process, they never do.
func (c *sharedCall[K, V]) call(ctx context.Context) (err error) {
	fn := c.fn
	c.fn = nil
	var v V
	err = ErrGoexit // what is true if the function does not return
	crashes := false
	defer func() {
		if !crashes {
			c.end(v, err)
		}
	}()
	defer func() {
		p := recover()
		switch {
		case p == nil:
		case c.task.kernel.crash:
			crashes = true
			panic(p) // for the task to report
		default:
			e := newPanicError(c.task, p)
			err = e
			panics.Add(1) // the task does not hear of it
			c.task.kernel.panicked(e, false)
		}
	}()
	v, err = fn(ctx)
	err = c.settled(err)
	return err
}

// settled returns err, what the function has returned, as the callers see it. It calls the
// methods of err, which may panic.
func (c *sharedCall[K, V]) settled(err error) (settled error) {
	e := endingOf(&c.task.owner.Scope)
	if err == nil || e.cause == nil {
		return err
	}
	settled = err
	defer func() { _ = recover() }()
	_, settled = e.settle(err)
	return settled
}

// forget implements runner: the kernel has been shut down.
func (c *sharedCall[K, V]) forget() {
	var none V
	c.fn = nil
	c.end(none, ErrKernelShutdown)
	c.task.handled = true // it is nobody's failure if all callers have left
}

// end gives the result to those who wait for it, and lets the pending call begin.
func (c *sharedCall[K, V]) end(v V, err error) {
	s := c.of
	var woken wait.Batch
	receivers := 0
	s.mu.Lock()
	c.value, c.err = v, err
	for w := c.waiters.Pop(); w != nil; w = c.waiters.Pop() {
		woken.Add(w)
		receivers++
	}
	if c.starting {
		receivers++
	}
	c.shared = receivers > 1
	next := c.pending
	c.pending = nil
	if next != nil {
		next.before = nil
		next.task.number() // before anybody can see it
	}
	switch {
	case s.calls[c.key] != c: // it was forgotten
	case next != nil:
		s.setLocked(next)
	default:
		s.forgetLocked(c)
	}
	s.removeLocked(c)
	s.mu.Unlock()

	c.task.handled = receivers > 0
	woken.Wake()
	if next != nil {
		next.node.setBehind(nil)
		next.startPending()
	}
}

// Snapshot returns the tasks that wait for a call; the callers of the oldest call come first. The
// holders are the tasks in which the calls run, the oldest first. The N of each is its number of
// callers: 0 for a call that has been cancelled and has not ended yet.
func (s *SharedCalls[K, V]) Snapshot() (all Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := s.first; c != nil; c = c.newer {
		if c.before == nil {
			all.Holders = append(all.Holders, Holder{c.task, c.task.owner.ID, int64(c.callers)})
		}
		all.Waiters = appendWaiters(all.Waiters, &c.waiters)
	}
	return all
}

// String returns how many calls run, and how many callers wait for them.
func (s *SharedCalls[K, V]) String() string {
	now := s.Snapshot()
	return Snapshot{Waiters: now.Waiters}.text("SharedCalls", fmt.Sprintf("%d running", len(now.Holders)))
}

// String names the key and the task. It is shown for a task that waits for c. It calls no method of the key, which might
// hang or panic.
func (c *sharedCall[K, V]) String() string {
	c.of.mu.Lock()
	pending := c.before != nil // then its task has no number yet
	c.of.mu.Unlock()
	if pending {
		return fmt.Sprintf("the call for %s, behind one that was cancelled", quote.Value(c.key))
	}
	return fmt.Sprintf("the call for %s in %s", quote.Value(c.key), taskName(c.task))
}
