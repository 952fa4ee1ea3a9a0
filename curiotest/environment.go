package curiotest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// An environment is a kernel, and what is known of that which its tasks may leave
// behind. It is opened once.
type environment struct {
	kernel    *curio.Kernel
	journal   journal
	ledger    ledger
	inventory *inventory
	mark      string          // the label of its goroutines
	ctx       context.Context // carries the label and the probe
	unprobe   func()
}

// open makes e ready for a test. From then on p is told of all that anybody gives back.
func (e *environment) open(test string, p wait.Probe) {
	e.inventory, e.mark = takeInventory(test), newMark()
	e.kernel = curio.NewKernel(curio.Logger(slog.New(&e.journal)))
	e.ctx, e.unprobe = wait.WithProbe(context.Background(), p)
}

// close shuts the kernel down and describes what is left after that. What has to end by
// itself has a fifth of patience for it. If it is not thorough, it leaves out what is
// of the process.
func (e *environment) close(patience time.Duration, thorough bool) (problems []string) {
	defer e.inventory.close()
	hang := e.shutdown(patience)
	e.unprobe()
	if hang != "" {
		return []string{hang}
	}
	for _, complaint := range e.journal.complaints() {
		problems = append(problems, "the kernel had to log: "+complaint)
	}
	problems = append(problems, e.ledger.left()...)
	if thorough {
		problems = append(problems, leftGoroutines(e.mark, patience/5)...)
		problems = append(problems, e.inventory.left(patience/5)...)
	}
	return problems
}

// abandon gives up what cannot be brought to an end, but tries.
func (e *environment) abandon(grace time.Duration) {
	_ = e.shutdown(grace) // that it hangs is known
	e.unprobe()
	e.inventory.close()
}

// leftTasks waits for the tasks that have to end by themselves, and describes those that
// do not.
func (e *environment) leftTasks(main *curio.AnyTask, grace time.Duration) (left []string) {
	bound, cancel := curio.WithTimeout(context.Background(), grace)
	defer cancel()
	tasks := e.mustEnd(main)
	for len(tasks) > 0 && tasks[0].Wait(bound) == nil {
		tasks = e.mustEnd(main)
	}
	for _, t := range tasks {
		left = append(left, "a task is left running: "+describe(t))
	}
	return left
}

// mustEnd are the tasks that have not ended, except main, and daemons and what belongs to these,
// which end with the kernel.
func (e *environment) mustEnd(main *curio.AnyTask) (tasks []*curio.AnyTask) {
next:
	for _, t := range e.kernel.Tasks() {
		for p := t; p != nil; p = p.Parent() {
			if p.Daemon() {
				continue next
			}
		}
		if t != main {
			tasks = append(tasks, t)
		}
	}
	return tasks
}

// describe says what a task does and where.
func describe(t *curio.AnyTask) string {
	state := t.State()
	file, line := t.Where()
	if file == "" {
		return fmt.Sprintf("%s: %s", nameOf(t), state)
	}
	return fmt.Sprintf("%s: %s at %s:%d", nameOf(t), state, file, line)
}

// shutdown ends the daemons. If they do not end, hang describes them.
func (e *environment) shutdown(patience time.Duration) (hang string) {
	bound, cancel := curio.WithTimeout(context.Background(), patience)
	defer cancel()
	err := e.kernel.Shutdown(bound)
	if s, ok := errors.AsType[*curio.ShutdownError](err); ok {
		return fmt.Sprintf("tasks do not end with the kernel within %v:\n%s", patience, strings.Join(s.Tasks, "\n"))
	}
	return ""
}

// eventually waits until cond holds, at most for d, and reports whether it does.
func eventually(d time.Duration, cond func() bool) bool {
	bound, cancel := curio.WithTimeout(context.Background(), d)
	defer cancel()
	pause := wait.Pause{First: 10 * time.Microsecond, Most: 20 * time.Millisecond}
	for i := 0; !cond(); i++ {
		if i < 10 { // most often what is missing needs a processor and no time
			if curio.Sleep(bound, 0) != nil {
				return false
			}
			continue
		}
		if pause.Sleep(bound) != nil {
			return cond()
		}
	}
	return true
}
