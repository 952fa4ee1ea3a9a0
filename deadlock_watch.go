package curio

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// WatchDeadlocks makes the kernel look for deadlocks at regular intervals, as [Kernel.Deadlocks]
// does, from the first Run on. A deadlock that was not there at the last look is logged at the error
// level, with the source line of each of its tasks. Nothing is cancelled.
//
// every is the time between two looks. With very many tasks it becomes longer, so that
// WatchDeadlocks never costs more than one percent of a processor. Finding the source lines costs as much as AnyTask.Where, once for each look that finds
// new deadlocks. A daemon task does the work; it is in the state TIME_SLEEP most of the time.
// WatchDeadlocks panics if every is not positive.
func WatchDeadlocks(every time.Duration) KernelOption {
	if every <= 0 {
		panic(fmt.Sprintf("curio: WatchDeadlocks(%v): the time between two looks has to be positive", every))
	}
	return kernelOption(func(k *Kernel) { k.lookEvery = every })
}

// watchDeadlocks starts the watching, if it is wanted and has not been started. ctx is one of a main task.
func (k *Kernel) watchDeadlocks(ctx context.Context) {
	if k.lookEvery > 0 && !k.watching.Swap(true) {
		Go(ctx, k.lookForDeadlocks, Daemon(), Name("deadlock watch"))
	}
}

func (k *Kernel) lookForDeadlocks(ctx context.Context) error {
	defer k.watching.Store(false) // somebody may have cancelled all tasks: the next Run starts it again
	told := make(map[string]bool)
	for pause := k.lookEvery; ; {
		if err := Sleep(ctx, pause); err != nil {
			return nil
		}
		began := wait.Now()
		now := make(map[string]bool)
		var fresh []Deadlock
		for _, d := range k.Deadlocks() {
			id := d.identity()
			if now[id] = true; !told[id] {
				fresh = append(fresh, d)
			}
		}
		told = now
		k.tell(fresh)
		pause = max(k.lookEvery, 100*time.Duration(wait.Now()-began))
	}
}

// identity tells d from others.
func (d Deadlock) identity() string {
	var b strings.Builder
	for _, s := range d.Circle {
		fmt.Fprint(&b, s.Task.ID(), ":", s.cycle, " ")
	}
	return b.String()
}

// tell logs the deadlocks. The stacks of all goroutines, where the tasks' lines are, are printed once for all of them.
func (k *Kernel) tell(all []Deadlock) {
	if len(all) == 0 {
		return
	}
	var scopes []*wait.Scope
	for _, d := range all {
		for _, s := range d.Circle {
			scopes = append(scopes, &s.Task.owner.Scope)
		}
	}
	stacks := stacksOf(scopes, allStacks())
	for _, d := range all {
		lines := make([]string, len(d.Circle))
		for i, s := range d.Circle {
			lines[i] = s.String()
			scope := &s.Task.owner.Scope
			if at := placeOf(scope, stacks[scope]); at.file != "" && !s.Task.Terminated() {
				lines[i] += fmt.Sprintf(" at %s:%d", at.file, at.line)
			}
		}
		k.say(slog.LevelError, "curio: deadlock", "tasks", lines, "behind", d.Behind)
	}
}
