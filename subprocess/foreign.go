package subprocess

import (
	"context"

	"github.com/curio-go/curio"
)

// A foreign calls a Read or Write of the user's, which may take any time, panic, or end its goroutine.
// It makes one call at a time, in a goroutine of its own, for which a task waits. If the task is
// cancelled, the call is abandoned, and is seen among the kernel's calls in threads until it returns.
type foreign struct {
	task *curio.Task[moved] // nil if there is no call
	how  moved
}

// A moved is what a Read or Write has returned.
type moved struct {
	n   int
	err error
}

func (f *foreign) start(ctx context.Context, name string, call func() (int, error)) {
	f.task = curio.Spawn(ctx, func(ctx context.Context) (moved, error) {
		return curio.RunInExecutor(ctx, goroutines{}, func() (moved, error) {
			n, err := call()
			return moved{n, err}, nil
		}, func(moved, error) {}) // of a call that was abandoned
	}, curio.Name(name))
}

func (f *foreign) busy() bool { return f.task != nil }

// returned is a case for when the call has returned. result comes after it.
func (f *foreign) returned() curio.Case { return f.task.JoinCase(&f.how) }

// result returns what the call has returned. err is the error of the case: a panic, or that there could
// be no call.
func (f *foreign) result(err error) (int, error) {
	f.task = nil
	if err != nil {
		return 0, err
	}
	return f.how.n, f.how.err
}

// abandon gives the call up, if there is one, and returns when its task has ended.
func (f *foreign) abandon(ctx context.Context) {
	if f.task != nil {
		_, _ = f.task.Cancel(ctx)
		f.task = nil
	}
}

// goroutines is an executor without a limit: a thousand programs may have a Reader each that waits.
type goroutines struct{}

func (goroutines) Submit(fn func()) error {
	go fn()
	return nil
}
