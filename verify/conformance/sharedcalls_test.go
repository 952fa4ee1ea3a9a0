package conformance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/curio-go/curio"
)

// What is linearizable about a shared call is who gets which result. Each Do has a function
// with a number of its own, which its result has, so it is known whose function was called.
// The beginning and the end of a function are calls of the history too. In the model, the
// state is the number of the function that runs, 0 for none: so there is never more than one,
// and a Do that returns its result has its effect while that runs.
func stepShared(running int64, c call, a answer) (int64, bool) {
	switch c.verb {
	case begin:
		return c.n, running == 0
	case end:
		return 0, running == c.n
	}
	return running, (a.end == done || a.end == refused) && running != 0 && a.n == running
}

// A runs is when functions have run.
type runs struct {
	clock *atomic.Int64

	mu  sync.Mutex
	all []porcupine.Operation
}

// run calls a function, and writes down when it has begun and ended.
func (r *runs) run(n int64, fn func()) {
	r.write(begin, n)
	defer r.write(end, n)
	fn()
}

func (r *runs) write(v verb, n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	began := r.clock.Add(1)
	r.all = append(r.all, porcupine.Operation{Input: call{verb: v, n: n}, Call: began, Output: number(n), Return: r.clock.Add(1)})
}

// log returns the beginnings and the ends. A shared call ends later than its function, at a
// time that cannot be seen from outside: before the first Do returns its result, or, if none
// does, before the next function begins.
func (r *runs) log(calls []porcupine.Operation) []porcupine.Operation {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.all {
		o := &r.all[i]
		if o.Input.(call).verb != end {
			continue
		}
		o.Return = 1<<60 + int64(i)
		for _, other := range calls {
			if a := other.Output.(answer); a.end != cancelled && a.n == o.Output.(answer).n {
				o.Return = min(o.Return, other.Return)
			}
		}
	}
	return r.all
}

// A sharer is a SharedCalls with one key, or what people take for one.
type sharer interface {
	Do(context.Context, func(context.Context) (int64, error)) (n int64, shared bool, err error)
	snapshot() curio.Snapshot
}

type realSharer struct {
	curio.SharedCalls[string, int64]
}

func (s *realSharer) Do(ctx context.Context, fn func(context.Context) (int64, error)) (int64, bool, error) {
	return s.SharedCalls.Do(ctx, "key", fn)
}

func (s *realSharer) snapshot() curio.Snapshot { return s.Snapshot() }

// A failure is the error of a function that has failed.
type failure int64

func (f failure) Error() string { return fmt.Sprintf("function %d has failed", int64(f)) }

// A tale is how often each result was returned, and said to be shared.
type tale struct {
	mu               sync.Mutex
	returned, shared map[int64]int
}

func (t *tale) tell(n int64, shared bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.returned[n]++
	if shared {
		t.shared[n]++
	}
}

// wrong says which result was returned to several callers, some of which were not told so.
func (t *tale) wrong() string {
	for n, returned := range t.returned {
		if returned > 1 && t.shared[n] < returned {
			return fmt.Sprintf("result %d was returned to %d callers, of whom %d were told that it is shared", n, returned, t.shared[n])
		}
	}
	return ""
}

func sharedTrial(s sharer) *trial {
	var numbers atomic.Int64
	runs := new(runs)
	tale := &tale{returned: map[int64]int{}, shared: map[int64]int{}}
	return &trial{
		model: model(int64(0), stepShared),
		runs:  runs,
		do: func(ctx context.Context, c call) answer {
			n, shared, err := s.Do(ctx, func(ctx context.Context) (n int64, err error) {
				runs.run(c.n, func() { n, err = making(ctx, c.n) })
				if err == nil && n%4 == 0 {
					n, err = 0, failure(n)
				}
				return n, err
			})
			a := item(n, err)
			if failed, ok := errors.AsType[failure](err); ok {
				a = answer{end: refused, n: int64(failed)}
			}
			if a.end == done || a.end == refused {
				tale.tell(a.n, shared)
			}
			return a
		},
		choose: func(*client) call { return call{verb: produce, n: numbers.Add(1)} },
		undo:   func(call, answer) []call { return nil },
		audit: func(func(call) answer) {
			for len(s.snapshot().Holders) > 0 { // a function that nobody waits for
				runtime.Gosched()
			}
		},
		left: func() string { return remains(s.snapshot()) + tale.wrong() },
	}
}

func startShared(*rand.Rand) *trial { return sharedTrial(new(realSharer)) }

func TestSharedCalls(t *testing.T) { check(t, startShared) }

func TestBrokenSharedCalls(t *testing.T) {
	find(t, "shares nothing", func(*rand.Rand) *trial { return sharedTrial(private{}) })
	find(t, "runs in the first caller", func(*rand.Rand) *trial { return sharedTrial(new(flight)) })
	find(t, "calls for a dead context", deaf(produce, startShared))
	find(t, "keeps a result", func(rnd *rand.Rand) *trial {
		var kept atomic.Pointer[answer]
		return broken(startShared, func(real *trial, ctx context.Context, c call) answer {
			if a := kept.Swap(nil); a != nil && ctx.Err() == nil {
				return *a
			}
			a := real.do(ctx, c)
			if a.end == done {
				kept.Store(&a)
			}
			return a
		})(rnd)
	})
}

// A private calls everybody's function.
type private struct{}

func (private) snapshot() (none curio.Snapshot) { return none }

func (private) Do(ctx context.Context, fn func(context.Context) (int64, error)) (int64, bool, error) {
	if err := curio.CheckCancellation(ctx); err != nil || ctx.Err() != nil {
		return 0, false, curio.ErrCancelled
	}
	n, err := fn(ctx)
	return n, false, err
}

// A flight is what people build with a mutex: the first caller calls its function with its
// own context, so that all others are cut short when it is.
type flight struct {
	mu  sync.Mutex
	now *flown
}

type flown struct {
	over curio.Event
	n    int64
	err  error
}

func (*flight) snapshot() (none curio.Snapshot) { return none }

func (f *flight) Do(ctx context.Context, fn func(context.Context) (int64, error)) (int64, bool, error) {
	f.mu.Lock()
	if now := f.now; now != nil {
		f.mu.Unlock()
		if err := now.over.Wait(ctx); err != nil {
			return 0, false, err
		}
		return now.n, true, now.err
	}
	now := new(flown)
	f.now = now
	f.mu.Unlock()
	now.n, now.err = fn(ctx)
	f.mu.Lock()
	f.now = nil
	f.mu.Unlock()
	now.over.Set()
	return now.n, true, now.err
}
