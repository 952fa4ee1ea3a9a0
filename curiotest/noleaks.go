package curiotest

import (
	"context"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// NoLeaks fails the test if something of it is left at its end, and returns a context
// that belongs to a kernel of the test's own. Called first in a test, it looks after all
// other cleanup.
//
// Of the tasks that are spawned with the context, each must have ended when the test
// does, or end soon after by itself; daemons are then cancelled, and must end. No lock and
// no unit of a semaphore that was taken with it may be left taken, and the kernel may not
// have had to log a panic or an error that nobody has seen. That is the same if other
// tests run in parallel.
//
// Of the goroutines that the test has started, by whatever means, none may be left, and
// there may be no descriptors and child processes more than there were. That also works
// for a test that has no use for the context. See the package's documentation for what
// is compared when tests run in parallel.
//
// The context does not end before the test's other cleanup has been done. What a failed
// test leaves behind is cancelled, and not reported.
func NoLeaks(t testing.TB) context.Context {
	t.Helper()
	b := &bystander{began: make(chan context.Context), end: make(chan struct{}), ended: make(chan struct{})}
	b.open(t.Name(), b)
	b.label(func(labelled context.Context) {
		go func() {
			defer close(b.ended)
			_ = b.kernel.Run(labelled, b.stand) // it does not fail
		}()
	})
	test := <-b.began
	b.main = curio.CurrentTask(test)
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels(labelKey, b.mark)))
	t.Cleanup(func() {
		t.Helper()
		b.finish(t)
	})
	return test
}

// A bystander is the probe of a test that nothing disturbs. It keeps the ledger.
type bystander struct {
	environment

	main  *curio.AnyTask
	began chan context.Context // the main task's, once
	end   chan struct{}        // closed to end the main task
	ended chan struct{}        // closed when it has ended
}

// stand is the main task. It stands for the test, which uses its context, and does
// nothing. It does not wait as Curio does, or its state would show that and not what
// the test waits for.
func (b *bystander) stand(ctx context.Context) error {
	b.began <- ctx
	<-b.end
	return nil
}

// leakPatience is for what has to end at the end of a test.
const leakPatience = 10 * time.Second

func (b *bystander) finish(t testing.TB) {
	t.Helper()
	pprof.SetGoroutineLabels(context.Background())
	failed := t.Failed()
	var problems []string
	if !failed {
		problems = b.leftTasks(b.main, leakPatience/5)
	}
	close(b.end)
	<-b.ended
	problems = append(problems, b.close(leakPatience, !failed)...)
	if !failed && len(problems) > 0 {
		t.Errorf("curiotest: the test leaves something behind\n%s", plain(bullets(problems)))
	}
	if !failed && b.inventory.disturbed() {
		t.Logf("curiotest: another test that looks for leaks ran at the same time: descriptors and child processes are not compared")
	}
}

// Enter is part of wait.Probe.
func (b *bystander) Enter(context.Context) {}

// Parked is part of wait.Probe.
func (b *bystander) Parked(wait.Snapshot, *wait.Owner) {}

// Failed is part of wait.Probe.
func (b *bystander) Failed(*wait.Owner, error) {}

// Saved is part of wait.Probe.
func (b *bystander) Saved(*wait.Owner, error) {}

// Held is part of wait.Probe.
func (b *bystander) Held(object any, owner *wait.Owner, n int64) {
	b.ledger.enter(object, owner, n)
}
