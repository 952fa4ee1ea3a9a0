package curiotest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// A run is one call of the function, and the probe of all its waits.
type run struct {
	environment
	moment
	thorough bool
	patience time.Duration
	maxWaits int
	fn       func(context.Context) error

	struck   chan struct{} // closed when the run is disturbed
	returned chan struct{} // closed when fn has returned, and err is what
	err      error
	problems []string
	hangs    bool // fn still runs

	mu      sync.Mutex
	main    *wait.Owner // nil before fn begins
	scope   *wait.Scope // what is cancelled
	over    bool        // fn has returned
	waits   [2]int      // how many there were, by stage, up to the disturbance
	endless bool        // there were too many
	cause   *wait.Cause // the disturbance; nil before it
	hit     string      // the wait that was disturbed
	felt    bool        // an operation of any task failed with cause
	cut     []place     // the operations of fn's own task that failed with cause
}

func newRun(e *everywhere, m moment, thorough bool) *run {
	r := &run{
		moment: m, thorough: thorough, patience: e.Patience, maxWaits: e.MaxWaits, fn: e.fn,
		struck: make(chan struct{}), returned: make(chan struct{}),
	}
	r.open(e.Name(), r)
	return r
}

// do runs fn, and finds out what is wrong.
func (r *run) do() {
	go r.label(func(ctx context.Context) {
		defer close(r.returned)
		r.err = r.kernel.Run(ctx, r.body)
	})
	if late := r.await(); late != "" {
		r.hangs = true
		r.problems = append(r.problems, late+"\n"+r.hanging())
		r.abandon(r.grace())
		return
	}
	r.problems = append(r.verdict(), r.leftTasks(nil, r.grace())...)
	r.problems = append(r.problems, r.close(r.patience, r.thorough)...)
}

func (r *run) grace() time.Duration { return r.patience / 5 }

const (
	week = 7 * 24 * time.Hour
	far  = 1000 * week // a deadline that does not come
)

// body is the main task.
func (r *run) body(ctx context.Context) error {
	main := wait.CurrentTask(ctx)
	scope := &main.Scope
	if r.expire {
		scope = wait.NewTimeout(ctx, wait.After(far))
		defer scope.Close()
	}
	r.mu.Lock()
	r.main, r.scope = main, scope
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.over = true
		r.mu.Unlock()
	}()
	return r.fn(scope)
}

// await waits for fn to return; if it does not, late describes that.
func (r *run) await() (late string) {
	limit := r.patience
	if inBubble() {
		limit = max(limit, week) // time costs nothing there, so fn may take it
	}
	bound, cancel := curio.WithTimeout(context.Background(), limit)
	defer cancel()
	select {
	case <-r.returned:
		return ""
	case <-r.struck:
	case <-bound.Done():
		return fmt.Sprintf("it has not returned within %v, and nothing had disturbed it yet", limit)
	}
	bound, cancel = curio.WithTimeout(context.Background(), r.patience)
	defer cancel()
	select {
	case <-r.returned:
		return ""
	case <-bound.Done():
		return fmt.Sprintf("it has not returned within %v of that", r.patience)
	}
}

// inBubble reports whether the goroutine is in a bubble of testing/synctest. There is no
// function for that, but stacks say it.
func inBubble() bool {
	buf := make([]byte, 200)
	first, _, _ := strings.Cut(string(buf[:runtime.Stack(buf, false)]), "\n")
	return strings.Contains(first, "synctest bubble")
}

// hanging describes the tasks that have not ended.
func (r *run) hanging() string {
	var lines []string
	for i, t := range r.kernel.Tasks() {
		stack := ""
		if i < 5 { // enough to see what is wrong
			stack = "\n" + t.Traceback()
		}
		lines = append(lines, describe(t)+stack)
	}
	return strings.Join(lines, "\n")
}

// verdict is what is wrong with how fn returned.
func (r *run) verdict() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, panicked := errors.AsType[*curio.PanicError](r.err)
	switch {
	case panicked:
		r.journal.forget(string(p.Stack))
		return []string{fmt.Sprintf("it panicked: %v\n%s", p.Value, p.Stack)}
	case r.err != nil && r.cause == nil:
		return []string{fmt.Sprintf("it returned an error, and nothing had disturbed it: %v", r.err)}
	case r.err != nil && !isCancellation(r.err):
		return []string{fmt.Sprintf("it returned an error that is no cancellation: %v", r.err)}
	case r.err == nil && len(r.cut) > 0:
		return []string{fmt.Sprintf("it swallowed the cancellation: it returned nil, and %v had failed with it", r.cut[0])}
	}
	return nil
}

// title says what was done to fn, if anything was.
func (r *run) title() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("%v: %s", r.moment, r.hit)
}

func (r *run) reached() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cause != nil
}

// missed reports whether the disturbance made no difference.
func (r *run) missed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cause != nil && !r.felt && r.err == nil
}

func (r *run) counted() (waits [2]int, endless bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waits, r.endless
}
