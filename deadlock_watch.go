package curio

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// WatchDeadlocks has the kernel look for deadlocks, as [Kernel.Deadlocks] does, again and again as long as it is
// there, from the first Run on. One that has not been there the last time is logged at the error level, with the line of
// each of its tasks. Nothing is cancelled.
//
// every is the time between two looks. If looking takes more than a hundredth of that, as there are very many tasks, the
// time between is made longer, so that it never costs more than one percent of a processor. The lines cost as much as
// AnyTask.Where, once for each deadlock. It is done by a daemon task, in the state TIME_SLEEP most of the time.
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
	told := make(map[string]bool)
	for pause := k.lookEvery; ; {
		if err := Sleep(ctx, pause); err != nil {
			return nil
		}
		began := wait.Now()
		found := k.Deadlocks()
		pause = max(k.lookEvery, 100*time.Duration(wait.Now()-began))
		now := make(map[string]bool, len(found))
		for _, d := range found {
			id := d.identity()
			if now[id] = true; !told[id] {
				k.say(slog.LevelError, "curio: deadlock", "tasks", d.lines(), "behind", d.Behind)
			}
		}
		told = now
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

// lines says of each task in d what it waits for, and where that is.
func (d Deadlock) lines() []string {
	lines := make([]string, len(d.Circle))
	for i, s := range d.Circle {
		lines[i] = s.String()
		if file, line := s.Task.Where(); file != "" {
			lines[i] += fmt.Sprintf(" at %s:%d", file, line)
		}
	}
	return lines
}
