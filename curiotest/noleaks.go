package curiotest

import (
	"context"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// NoLeaks returns a context that belongs to a kernel of the test's own, and fails the test if
// something of it is left at its end. Call it first in a test, so that it checks after all other
// cleanup.
//
// Each task that was spawned with the context must have ended when the test ends, or end soon after
// by itself. Daemons are then cancelled, and must end. No lock and no unit of a semaphore that was
// taken with the context may still be held, and the kernel must not have logged a panic or an error
// that no caller has received. This works in the same way if other tests run in parallel.
//
// No goroutine that the test has started, by whatever means, may be left, and there may be no more
// descriptors and child processes than before. That also works for a test that does not use the
// context. See the package's documentation for what is compared when tests run in parallel.
//
// The context is not done before the test's other cleanup has run. What a failed test leaves behind
// is cancelled, and not reported.
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
