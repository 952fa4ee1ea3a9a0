package curio

import (
	"fmt"
	"log/slog"
	"runtime"
	"sync"
)

// failures holds the errors of a kernel's tasks that nobody has seen.
type failures struct {
	mu        sync.Mutex
	byTask    map[uint64]failure // that somebody may still see
	forgotten []failure          // that nobody can see any more, to be reported
	reporting bool               // a goroutine is reporting these
}

// A failure is what is left of a task whose error nobody has seen. It does not keep the
// task in memory.
//
// That is why it has the error as text: many errors refer to the task.
type failure struct{ path, err string }

// unseen takes note of a failed task. Nobody joins a daemon, so its error is logged now.
// The error of any other task is logged when it is certain that nobody will see it: when
// the task is garbage, or the kernel is shut down.
func (k *Kernel) unseen(t *AnyTask) {
	if _, panicked := t.err.(*PanicError); panicked {
		return // that was logged when it happened
	}
	if t.Daemon() {
		k.report(t.trail(), t.err)
		return
	}
	f := failure{t.trail(), fmt.Sprint(t.err)} // Sprint survives an Error that panics
	t.noted = true
	u := &k.failures
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.byTask == nil {
		u.byTask = make(map[uint64]failure)
	}
	u.byTask[t.owner.ID] = f
	runtime.AddCleanup(t, k.forgotten, t.owner.ID)
}

func (k *Kernel) seen(t *AnyTask) {
	k.failures.mu.Lock()
	defer k.failures.mu.Unlock()
	delete(k.failures.byTask, t.owner.ID)
}

// forgotten is called when a failed task has become garbage. The runtime calls it in a
// goroutine that runs the cleanups of the whole program, so the log, whose handler may
// hang, is written in another one.
func (k *Kernel) forgotten(id uint64) {
	u := &k.failures
	u.mu.Lock()
	defer u.mu.Unlock()
	f, ok := u.byTask[id]
	if !ok {
		return
	}
	delete(u.byTask, id)
	u.forgotten = append(u.forgotten, f)
	if !u.reporting {
		u.reporting = true
		go k.reportForgotten()
	}
}

// reportForgotten reports forgotten failures until none is left. If the log's handler ends
// the goroutine, a new one goes on.
func (k *Kernel) reportForgotten() {
	left := true
	defer func() {
		if left {
			go k.reportForgotten()
		}
	}()
	u := &k.failures
	for {
		u.mu.Lock()
		if len(u.forgotten) == 0 {
			u.reporting, left = false, false
			u.mu.Unlock()
			return
		}
		f := u.forgotten[0]
		u.forgotten = u.forgotten[1:]
		u.mu.Unlock()
		k.report(f.path, f.err)
	}
}

// takeUnseen takes out and returns all failures that nobody has seen. The caller has to
// report them.
func (k *Kernel) takeUnseen() []failure {
	u := &k.failures
	u.mu.Lock()
	defer u.mu.Unlock()
	all := u.forgotten
	for _, f := range u.byTask {
		all = append(all, f)
	}
	u.byTask, u.forgotten = nil, nil
	return all
}

// reportAll reports failures, even if the log's handler ends the goroutine.
func (k *Kernel) reportAll(left []failure) {
	defer func() {
		if len(left) > 0 {
			k.reportAll(left)
		}
	}()
	for len(left) > 0 {
		f := left[0]
		left = left[1:]
		k.report(f.path, f.err)
	}
}

// report logs an error that nobody else sees.
func (k *Kernel) report(path string, err any) {
	k.say(slog.LevelError, "curio: task failed and no caller received its error", "task", path, "err", err)
}
