package process

import (
	"context"
	"errors"
	"iter"
	"math"
	"sync"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/gobs"
	"github.com/curio-go/curio/internal/wait"
)

// Map returns an iterator that calls fn with each of args in workers and yields the results in the
// order of args, or, with Unordered, as they come.
//
//	for page, err := range process.Map(ctx, render, slices.Values(numbers)) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// Map takes an argument from args only when there is room for its call, so args may be infinite. At
// most twice as many calls as the pool's maximum of workers are waiting for a worker, running, or
// finished but not yet yielded, including those that wait behind a slow call. The order in which
// calls begin is not specified.
//
// For a call that fails, Map yields a *curio.ItemError with the index of the argument and the error
// that Run would have returned, and goes on with the other calls. When ctx is done, Map yields
// ctx's error, unwrapped, and ends. When the loop is left by break, return or a panic, the
// remaining calls are cancelled. The iterator args and the function passed to Progress run in the
// task that runs the loop. Each use of the iterator calls the functions again. Map panics if fn or
// args is nil.
//
// A task that waits is in the state PROCESS_MAP. The calls are child tasks, with the name of the
// function.
func Map[A, R any](ctx context.Context, fn *Func[A, R], args iter.Seq[A], opts ...Option) iter.Seq2[R, error] {
	mustBeRegistered("Map", fn)
	if args == nil {
		panic("process: Map over a nil sequence")
	}
	o := newOptions(opts)
	return func(yield func(R, error) bool) {
		m := newMapping(fn, o, yield)
		if err := m.run(ctx, args); err != nil && err != errLeft {
			var none R
			yield(none, err)
		}
	}
}

// errLeft is that the loop was left.
var errLeft = errors.New("internal error: the loop was left")

// A mapping is a loop over Map. Its calls are tasks, which hand what comes of them to the loop's task, by line.
type mapping[A, R any] struct {
	fn       *Func[A, R]
	pool     *Pool
	listener *listener // what the user has given to Progress; nil for none
	ordered  bool
	yield    func(R, error) bool
	bound    int // how many calls may have begun and not been yielded

	// For the loop's task.
	begun   int // how many calls there have been
	yielded int // and how many of them are through

	mu       sync.Mutex
	line     curio.WaitList[outcome[R]] // the loop's task
	end      curio.WaitList[struct{}]   // the same one, when it waits until no call runs any more
	running  int
	come     []outcome[R]       // what can be taken
	next     int                // if ordered: the index of the call that is to be taken next
	finished map[int]outcome[R] // if ordered: the calls that have ended and whose turn has not come
}

// An outcome is what comes of a call, or a progress value on the way to that.
type outcome[R any] struct {
	index  int
	result R
	err    error
	tell   func() // not nil for a progress value: calls the function of Progress
	told   *curio.Event
}

func newMapping[A, R any](fn *Func[A, R], o options, yield func(R, error) bool) *mapping[A, R] {
	m := &mapping[A, R]{fn: fn, pool: o.pool, listener: o.listener, ordered: !o.unordered, yield: yield}
	m.finished = make(map[int]outcome[R])
	m.line.Mutex, m.line.State, m.line.Object, m.line.Serve = &m.mu, "PROCESS_MAP", m, m.serveLocked
	m.end.Mutex, m.end.State, m.end.Object, m.end.Serve = &m.mu, "PROCESS_MAP", m, m.serveLocked
	return m
}

// String is for monitors.
func (m *mapping[A, R]) String() string { return "Map of " + m.fn.Name() }

// run runs the loop. However that ends, no call is left.
func (m *mapping[A, R]) run(ctx context.Context, args iter.Seq[A]) error {
	if err := refusal(); err != nil {
		return err
	}
	if m.pool == nil {
		m.pool = PoolOf(ctx)
	}
	size := m.pool.size()
	m.bound = size + min(size, math.MaxInt-size)
	defer func() {
		_ = curio.DisableCancellation(ctx, func(ctx context.Context) error {
			_, err := m.end.Wait(ctx, struct{}{})
			return err
		})
	}()
	var calls curio.CancelScope // its end cancels what is left
	return calls.Run(ctx, func(below context.Context) error { return m.loop(ctx, below, args) })
}

// loop begins calls with a context below ctx, and yields what comes of them.
func (m *mapping[A, R]) loop(ctx, below context.Context, args iter.Seq[A]) error {
	for arg := range args {
		if _, err := wait.At(ctx); err != nil {
			return err
		}
		m.begin(below, arg)
		if err := m.makeRoom(ctx); err != nil {
			return err
		}
	}
	for m.begun > m.yielded {
		if err := m.take(ctx); err != nil {
			return err
		}
	}
	return nil
}

// makeRoom deals with what has come, and waits until there is room for another call.
func (m *mapping[A, R]) makeRoom(ctx context.Context) error {
	for {
		o, ok := m.line.TryWait(ctx, outcome[R]{})
		var err error
		switch {
		case ok:
			err = m.deal(ctx, o)
		case m.begun-m.yielded < m.bound:
			return nil
		default:
			err = m.take(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// begin begins a call.
func (m *mapping[A, R]) begin(ctx context.Context, arg A) {
	index := m.begun
	m.begun++
	m.mu.Lock()
	m.running++
	m.mu.Unlock()
	curio.Go(ctx, func(ctx context.Context) error {
		o := outcome[R]{index: index, err: curio.ErrGoexit} // what is true if run does not return
		defer func() { m.put(o, true) }()
		o.result, o.err = run(ctx, m.fn, arg, m.pool, m.relay(ctx))
		return nil
	}, curio.Name(m.fn.Name()))
}

// relay returns a listener for a call, which has the loop's task call the function of Progress, and waits
// for that.
func (m *mapping[A, R]) relay(ctx context.Context) *listener {
	if m.listener == nil {
		return nil
	}
	return &listener{of: m.listener.of, decode: func(d *gobs.Decoder, message []byte) (func(), error) {
		tell, err := m.listener.decode(d, message)
		return func() {
			told := new(curio.Event)
			m.put(outcome[R]{tell: tell, told: told}, false)
			_ = told.Wait(ctx) // if that is cut short, so is the call
		}, err
	}}
}

// put is what a call has to tell.
func (m *mapping[A, R]) put(o outcome[R], last bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if last {
		m.running--
	}
	if !last || !m.ordered {
		m.come = append(m.come, o)
	} else {
		m.finished[o.index] = o
		for {
			first, ok := m.finished[m.next]
			if !ok {
				break
			}
			delete(m.finished, m.next)
			m.next++
			m.come = append(m.come, first)
		}
	}
	m.serveLocked()
}

func (m *mapping[A, R]) serveLocked() {
	for len(m.come) > 0 && m.line.Hand(m.come[0]) {
		m.come[0] = outcome[R]{}
		m.come = m.come[1:]
	}
	if m.running == 0 {
		m.end.HandAll(struct{}{})
	}
}

// take waits until there is something to deal with.
func (m *mapping[A, R]) take(ctx context.Context) error {
	o, err := m.line.Wait(ctx, outcome[R]{})
	if err != nil {
		return err
	}
	return m.deal(ctx, o)
}

// deal calls the user's function.
func (m *mapping[A, R]) deal(ctx context.Context, o outcome[R]) error {
	if o.tell != nil {
		o.tell()
		o.told.Set()
		return nil
	}
	m.yielded++
	if o.err != nil {
		if _, err := wait.At(ctx); err != nil { // that is the reason, most likely
			return err
		}
		o.err = &curio.ItemError{Index: o.index, Err: o.err}
	}
	if !m.yield(o.result, o.err) {
		return errLeft
	}
	return nil
}
