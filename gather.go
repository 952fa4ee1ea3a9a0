package curio

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// Gather calls all functions at the same time, each in a task of its own. It waits for them and
// returns their results in the order of fns.
//
//	pages, err := curio.Gather(ctx, []func(context.Context) (Page, error){
//		func(ctx context.Context) (Page, error) { return fetch(ctx, first) },
//		func(ctx context.Context) (Page, error) { return fetch(ctx, second) },
//	})
//
// If a function fails, the others are cancelled. Gather waits until they have ended, and returns an
// *ItemError that says which function failed first, and with which error. The errors of the others
// are dropped. If a function panics, the error wraps a *PanicError, and the panic is logged as well.
// A task that is cancelled by its own Cancel method has failed, because its result is missing.
//
// Two options may be given. With KeepGoing, a failure does not cancel the other functions. If any
// have failed, the error joins an *ItemError for each of them, in the order of fns (see
// [errors.Join]). With Limit(n), at most n functions run at a time, in n tasks that call one
// function after another, in order. What a function leaves in its task, such as a Local, is there
// for the next one. Gather panics if it is given a policy such as WaitAny, or a nil function.
//
// The results are returned with an error, too, so that what was opened can be closed. There are as
// many results as functions, with T's zero value for each function that has failed or was not
// called. If ctx is done already, no function is called, and the results are nil. If ctx is done
// while some functions run, these are cancelled, no more are called, and the error is ctx's error.
// With KeepGoing it is joined with the earlier failures. If all functions have ended by themselves,
// Gather does not look at ctx any more. Without functions, the results are empty.
//
// When Gather returns, no function runs any more, and tasks that the functions have spawned with
// their contexts have been cancelled. Gather is Curio's and asyncio's gather, and does what errgroup
// does with a slice. A task that waits is in the state TASKGROUP_JOIN.
func Gather[T any](ctx context.Context, fns []func(context.Context) (T, error), opts ...GroupOption) ([]T, error) {
	for i, fn := range fns {
		if fn == nil {
			panic(fmt.Sprintf("curio: Gather of a nil function, the one at %d", i))
		}
	}
	g := newGathering("Gather", len(fns), opts)
	g.entry = func(i int) uintptr { return reflect.ValueOf(fns[i]).Pointer() }
	return gather(ctx, g, func(ctx context.Context, i int) (T, error) { return fns[i](ctx) })
}

// Map calls fn for each of items, waits for these calls, and returns their results in the order of
// items. Without Limit, all calls run at the same time, each in a task of its own. With Limit(n), n
// tasks take one item after another, in order, so a million items need no more memory than their
// results.
//
//	pages, err := curio.Map(ctx, urls, fetch, curio.Limit(10))
//
// Everything else is as with [Gather]: the first failure, which is an *ItemError, cancels the
// others, or with KeepGoing all failures are returned; the results come with an error, too; and
// no call is left running. Map panics if fn is nil. A task that waits is in the state
// TASKGROUP_JOIN.
func Map[S, T any](ctx context.Context, items []S, fn func(context.Context, S) (T, error), opts ...GroupOption) ([]T, error) {
	if fn == nil {
		panic("curio: Map with a nil function")
	}
	g := newGathering("Map", len(items), opts)
	entry := reflect.ValueOf(fn).Pointer()
	g.entry = func(int) uintptr { return entry }
	return gather(ctx, g, func(ctx context.Context, i int) (T, error) { return fn(ctx, items[i]) })
}

// An ItemError is the error of one function of a Gather, or of one item of a Map.
type ItemError struct {
	Index int   // of the function or item
	Err   error // what the function has failed with
}

// Error returns the index, counting from 0, and the error.
func (e *ItemError) Error() string {
	return fmt.Sprintf("curio: item %d: %s", e.Index, plainText(e.Err))
}

// Unwrap returns Err. If that was a timeout of the function's own, it is context.DeadlineExceeded
// here and not ErrTaskTimeout.
func (e *ItemError) Unwrap() error { return e.Err }

// A gathering is a Gather or a Map. The indexes 0 to n-1 stand for the functions or items. The
// workers are members of a group.
//
// Each index that is called either succeeds or fails, unless the group has been stopped. If there
// are fewer workers than indexes, the workers share them. Then a worker that cannot go on, as it
// was cancelled or its function has called runtime.Goexit, is replaced before it ends: so somebody
// calls what is left.
type gathering struct {
	call      string // Gather or Map
	n         int
	limit     int // NoLimit for none
	keepGoing bool
	do        func(ctx context.Context, i int) error // calls the function and keeps its result
	entry     func(i int) uintptr                    // of the function
	pc        uintptr                                // the user's call

	group  *group
	shared bool

	next      atomic.Int64 // if shared, the first index that nobody has taken
	succeeded atomic.Int64
	first     *ItemError // without keepGoing: the one that has cancelled the group; set once

	mu       sync.Mutex
	failures []*ItemError // with keepGoing
}

// gathererName is the name of a task that calls several of Gather's functions.
var gathererName = "Gather"

// unset is no policy.
const unset GroupPolicy = -1

func newGathering(call string, n int, opts []GroupOption) *gathering {
	g := &gathering{call: call, n: n, limit: NoLimit, pc: caller(4)}
	if len(opts) == 0 {
		return g
	}
	given := &group{policy: unset, limit: NoLimit}
	for _, o := range opts {
		o.applyTo(given)
	}
	if given.policy != unset {
		panic(fmt.Sprintf("curio: %s with a policy; it waits for all its functions, so leave out WaitAll, WaitAny, WaitObject and WaitNone", call))
	}
	g.limit, g.keepGoing = given.limit, given.keepGoing
	return g
}

// gather runs g. do calls the function with the given index.
func gather[T any](ctx context.Context, g *gathering, do func(ctx context.Context, i int) (T, error)) ([]T, error) {
	p, err := wait.At(ctx)
	if err != nil {
		return nil, err
	}
	results := make([]T, g.n)
	g.do = func(ctx context.Context, i int) error {
		v, err := do(ctx, i)
		if err == nil {
			results[i] = v
		}
		return err
	}
	return results, g.run(ctx, p)
}

func (g *gathering) run(ctx context.Context, p wait.Place) error {
	if g.n == 0 {
		return nil
	}
	g.shared = g.limit < g.n
	workers := g.n
	if g.shared {
		workers = g.limit
	}
	err := Group(ctx, func(_ context.Context, tasks *TaskGroup[struct{}]) error {
		g.group = tasks.group
		all := make([]worker, workers)
		for i := range all {
			if g.stopped() {
				break
			}
			g.start(&all[i], i)
		}
		return nil
	}, KeepGoing)
	return g.verdict(p, err)
}

// stopped reports whether no more functions are to be called: one has failed, or ctx is done.
func (g *gathering) stopped() bool { return g.group.inner.Cause() != nil }

// start starts w as a task, for index i unless workers share.
func (g *gathering) start(w *worker, i int) {
	t := newTask[struct{}](g.group.inner, nil, g.entry(i), nil)
	if g.shared && g.call != "Map" { // it calls many functions
		t.setName(gathererName)
	}
	if t.spawn() != 0 {
		t.setSpawn(g.pc)
	}
	*w = worker{g, t.AnyTask, i}
	g.group.add(t, false)
	t.start(g.group.inner, g.group, w)
}

// verdict returns the error of g when its group has ended with err.
func (g *gathering) verdict(p wait.Place, err error) error {
	if g.first != nil {
		return g.first
	}
	if e, ok := err.(*TaskGroupError); ok { // workers have exited
		err = e.Body
	}
	switch complete := int(g.succeeded.Load())+len(g.failures) == g.n; {
	case err != nil && complete:
		p.Saved(err)
		err = nil
	case err == nil && !complete: // workers that stop for the end of ctx do not fail, so the group may not have noticed
		err = p.Err()
	}
	if len(g.failures) == 0 {
		return err
	}
	slices.SortFunc(g.failures, func(a, b *ItemError) int { return a.Index - b.Index })
	all := make([]error, 0, len(g.failures)+1)
	all = append(all, err)
	for _, f := range g.failures {
		all = append(all, f)
	}
	return errors.Join(all...)
}

// fail takes note that the function at i has ended with err in the task t, which is a failure
// unless g has been stopped and err says just that.
func (g *gathering) fail(t *AnyTask, i int, err error) {
	failed := true
	defer func() {
		if failed {
			g.note(t, &ItemError{i, err})
		}
	}()
	defer func() { _ = recover() }() // the methods of the user's errors may panic
	failed, err = endingOf(&t.owner.Scope).settle(err)
	if c := t.owner.Cause(); c != nil && c.IsOf(&t.owner.Scope) { // it alone was cancelled
		failed = true
	}
	err = fromElsewhere(err, 0)
}

// note takes note of a failure in the task t. Whether a failure or the end of ctx came first, is
// decided by the one that has cancelled the group.
func (g *gathering) note(t *AnyTask, f *ItemError) {
	if g.keepGoing {
		g.mu.Lock()
		g.failures = append(g.failures, f)
		g.mu.Unlock()
		return
	}
	c := wait.NewCause(g.group.scope, wait.Failed, f)
	c.By = authorOf(t)
	if g.group.scope.Cancel(c) {
		g.first = f
	}
}

// A worker calls the functions of a gathering in a task: a single one, or if workers share, what
// nobody has taken.
type worker struct {
	g *gathering
	t *AnyTask
	i int // of the single one
}

func (w *worker) call(ctx context.Context) error {
	g := w.g
	if !g.shared {
		if !g.stopped() {
			w.do(ctx, w.i)
		}
		return nil
	}
	defer w.replace()
	for w.t.owner.Cause() == nil {
		i, ok := g.take()
		if !ok {
			break
		}
		w.do(ctx, i)
	}
	return nil
}

// take takes the next index.
func (g *gathering) take() (i int, ok bool) {
	i = int(g.next.Add(1)) - 1
	return i, i < g.n
}

// replace starts another worker if there is something left to do.
func (w *worker) replace() {
	if g := w.g; int(g.next.Load()) < g.n && !g.stopped() {
		g.start(new(worker), 0)
	}
}

// do calls the function at i, however that ends.
func (w *worker) do(ctx context.Context, i int) {
	err := ErrGoexit // what is true if the function does not return
	defer func() {
		if err != nil {
			w.g.fail(w.t, i, err)
			return
		}
		w.g.succeeded.Add(1)
	}()
	defer func() {
		if v := recover(); v != nil {
			e := newPanicError(w.t, v)
			err = e
			if w.t.kernel.crash {
				panic(v) // the task reports it and ends the process
			}
			w.t.kernel.panicked(e, w.t.silent)
		}
	}()
	err = w.g.do(ctx, i)
}

// forget is never called: as long as a group has not ended, its scope is open.
func (w *worker) forget() {}
