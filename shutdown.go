package curio

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/curio-go/curio/internal/events"
	"github.com/curio-go/curio/internal/trouble"
	"github.com/curio-go/curio/internal/wait"
)

// Shutdown cancels every task of the kernel, and every task that these still spawn, and waits until
// all have ended. It then does the same with the services, one after the other. Then it logs the
// errors of failed tasks that no caller has joined. After that the kernel runs nothing more.
// Functions in threads that tasks have abandoned (see RunInThread) are not waited for, but logged.
//
// If ctx is done first, the error is a *ShutdownError that lists the tasks that have not ended, and
// where they hang. Shutdown may be called again. A task of the kernel cannot shut it down, because
// it would have to wait for itself: for it, Shutdown returns an error.
//
// Shutdown also waits for goroutines that are not tasks, if they are inside a timeout, a group or a
// shield that they have opened with a context of the kernel.
func (k *Kernel) Shutdown(ctx context.Context) error { return k.shutdown(ctx, caller(3)) }

// stubborn is how long Shutdown waits before it first complains about tasks that do not
// end.
var stubborn = 5 * time.Second

func (k *Kernel) shutdown(ctx context.Context, pc uintptr) error {
	if err := k.notFromInside(ctx, "Shutdown"); err != nil {
		return err
	}
	defer events.Settle()
	cause := func(s *wait.Scope) *wait.Cause {
		c := wait.NewCause(s, wait.Shutdown, nil)
		c.By, c.PC = authorOf(CurrentTask(ctx)), pc
		return c
	}
	empty := func(root *wait.Scope) error {
		c := cause(root)
		ended := func(ctx context.Context) error { return root.WaitEmpty(ctx, opShutdown) }
		return k.end(ctx, func() { root.Cancel(c) }, ended, root.CloseEmpty)
	}
	if err := empty(k.root); err != nil {
		return err
	}
	for t := k.lastService(); t != nil; t = k.lastService() {
		c := cause(&t.owner.Scope)
		ended := func(ctx context.Context) error { return t.waitFor(ctx, opShutdown) }
		if err := k.end(ctx, func() { t.owner.Scope.Cancel(c) }, ended, t.Terminated); err != nil {
			return err
		}
	}
	if err := empty(k.services); err != nil {
		return err
	}
	k.unregister()
	if failures, calls := k.takeUnseen(), k.ThreadCalls(); len(failures)+len(calls) > 0 {
		logWithin(ctx, func() {
			defer k.reportAll(failures)
			k.reportThreads(calls)
		})
	}
	return nil
}

const opShutdown = "KERNEL_SHUTDOWN"

// lastService returns the service that was started last of those that run, nil if none does. What a
// service has left behind counts as one.
func (k *Kernel) lastService() (last *AnyTask) {
	k.services.Tasks(func(o *wait.Owner) bool {
		t := taskOf(o)
		if o.Parent() == k.services && !t.Terminated() && (last == nil || t.ID() > last.ID()) {
			last = t
		}
		return true
	})
	return last
}

// end cancels something and waits until it is done. When that takes long, end says in the log what
// has not ended.
func (k *Kernel) end(ctx context.Context, cancel func(), ended func(context.Context) error, done func() bool) error {
	cancel()
	for patience := stubborn; !done(); patience *= 2 {
		s := wait.NewTimeout(ctx, wait.After(patience))
		err := ended(s)
		s.Close()
		if err == nil {
			continue
		}
		_, gone := wait.At(ctx)
		budget := patientStacks
		if gone != nil {
			budget = hastyStacks
		}
		lines, more := k.hanging(budget)
		switch {
		case len(lines) > 0:
		case gone != nil:
			lines = []string{"tasks that are just ending"} // there was something
		default:
			continue
		}
		trouble.Tell(trouble.Trouble{Kind: trouble.Shutdown, Lines: lines, Last: gone != nil})
		if gone != nil {
			return &ShutdownError{Tasks: lines, Err: gone, more: more}
		}
		logWithin(ctx, func() {
			k.say(slog.LevelWarn, "curio: tasks do not react to the shutdown of their kernel", "tasks", lines)
		})
		cancel() // again, for a daemon that has come out of a shield meanwhile
	}
	return nil
}

// notFromInside refuses a call by a task of the kernel itself.
func (k *Kernel) notFromInside(ctx context.Context, call string) error {
	if t := CurrentTask(ctx); t != nil && t.kernel == k {
		return fmt.Errorf("curio: %s called by task %s of the same kernel, which would wait for its own end", call, t.trail())
	}
	return nil
}

// logWithin calls write, which calls the log handler, in another goroutine, and waits for
// it. When ctx is done it waits no longer: the handler may hang.
func logWithin(ctx context.Context, write func()) {
	var written Result[struct{}]
	go func() {
		defer written.SetValue(struct{}{})
		write()
	}()
	if p, err := wait.At(ctx); err == nil {
		_ = written.wait(p, opShutdown, nil)
	}
}

// reportThreads logs which functions in threads outlive the kernel, if any do.
func (k *Kernel) reportThreads(calls []ThreadCall) {
	if len(calls) == 0 {
		return
	}
	lines := make([]string, len(calls))
	for i, c := range calls {
		lines[i] = c.String()
	}
	k.say(slog.LevelWarn, "curio: functions in threads outlive their kernel", "calls", lines)
}

// What a shutdown waits for is listed in at most this many lines: of a chain of tasks, the
// outermost and the innermost, which are most likely the reason.
const (
	outermostHanging = 25
	innermostHanging = 25
)

// The stacks of all goroutines are searched if there are at most this many. Printing them
// takes up to 30 µs for each, during which the program is stopped, and a Shutdown whose
// context is done has to return.
const (
	patientStacks = 30_000
	hastyStacks   = 4_000
)

// hanging describes what has not ended. lines is empty only if everything has ended, or is
// about to. With more goroutines than budget, the places are where the tasks began. If more
// is not 0, the last line stands for that many scopes without a line of their own.
func (k *Kernel) hanging(budget int) (lines []string, more int) {
	var outer, inner []*wait.Scope
	n := 0
	note := func(s *wait.Scope) bool {
		if !isHeldUp(s) {
			return true
		}
		switch i := n - outermostHanging; {
		case i < 0:
			outer = append(outer, s)
		case i < innermostHanging:
			inner = append(inner, s)
		default:
			inner[i%innermostHanging] = s
		}
		n++
		return true
	}
	k.root.Walk(note)
	k.services.Walk(note)
	if n == 0 {
		return nil, 0
	}
	if more = n - len(outer) - len(inner); more > 0 { // inner is a ring
		first := more % innermostHanging
		inner = append(append([]*wait.Scope(nil), inner[first:]...), inner[:first]...)
	}
	scopes := append(outer, inner...)
	stacks := stacksWithin(scopes, budget)
	byStack := make(map[string]int) // one goroutine may have opened several
	for _, s := range scopes {
		stack := stacks[s]
		line := describe(s, placeOf(s, stack))
		if i, told := byStack[stack]; told && stack != "" {
			if _, waits := s.Parked(); waits {
				lines[i] = line
			}
			continue
		}
		byStack[stack] = len(lines)
		lines = append(lines, line)
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more, of which the first and the last are listed here", more))
	}
	return lines, more
}

// stacksWithin is stacksOf, unless there are more goroutines than budget.
func stacksWithin(scopes []*wait.Scope, budget int) map[*wait.Scope]string {
	if runtime.NumGoroutine() > budget {
		return nil
	}
	return stacksOf(scopes, allStacks())
}

// isHeldUp reports whether a shutdown waits for s: a task, or a scope that was opened and
// not closed by a goroutine of no task or of a task that has ended.
func isHeldUp(s *wait.Scope) bool {
	if s.Kind() == wait.Task {
		return !taskOf(s.Owner()).Terminated()
	}
	ofNobody := s.Owner() == nil || taskOf(s.Owner()).Terminated()
	return ofNobody && s.Empty() // else what is inside is the reason
}

// describe says what s is, what it waits for, and where that is.
func describe(s *wait.Scope, at place) string {
	who, state := "", "RUNNING"
	switch t := taskOf(s.Owner()); {
	case s.Kind() == wait.Task:
		who, state = t.trail(), t.State()
	case t == nil:
		who = fmt.Sprintf("a goroutine of no task, in a %v", s.Kind())
	default:
		who = fmt.Sprintf("a goroutine of task %s, which has ended, in a %v", t.trail(), s.Kind())
	}
	if w, ok := s.Parked(); ok && s.Kind() != wait.Task {
		state = w.Op
	}
	if at.file == "" {
		return fmt.Sprintf("%s: %s at a place that is not known", who, state)
	}
	return fmt.Sprintf("%s: %s at %s:%d", who, state, at.file, at.line)
}
