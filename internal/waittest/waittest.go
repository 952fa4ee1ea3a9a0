// Package waittest is what the tests of packages above internal/wait share: a task that is none of package
// curio's, and functions that wait in its name.
package waittest

import (
	"context"
	"errors"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
)

// Task returns a task of a kernel of its own. At the end of the test nothing may be waiting in it.
func Task(t testing.TB) *wait.Owner {
	o := new(wait.Owner)
	o.InitTask(context.Background(), wait.NewKernel())
	t.Cleanup(func() {
		// A context of package context releases the task from its timer's goroutine, possibly after the waits
		// with it have returned.
		if !testutil.Eventually(func() bool { return o.Waiters() == 0 }) {
			t.Errorf("%d waiters left behind", o.Waiters())
		}
		o.Close()
	})
	return o
}

// Cancel cancels o.
func Cancel(o *wait.Owner) { o.Cancel(wait.NewCause(&o.Scope, wait.Cancelled, nil)) }

// AwaitParked waits until o waits for something.
func AwaitParked(t testing.TB, o *wait.Owner) {
	t.Helper()
	testutil.Await(t, "a task that waits", func() bool { _, ok := o.Parked(); return ok })
}

// AwaitIn waits until o waits in that state.
func AwaitIn(t testing.TB, o *wait.Owner, state string) {
	t.Helper()
	testutil.Await(t, state, func() bool { s, ok := o.Parked(); return ok && s.Op == state })
}

// In runs f in a goroutine with a task, and returns the task and a function that waits for f to return.
func In(t testing.TB, f func(ctx context.Context) error) (o *wait.Owner, join func() error) {
	o = Task(t)
	done := make(chan error, 1)
	go func() {
		err := errors.New("the test has failed in it")
		defer func() { done <- err }() // also then
		err = f(&o.Scope)
	}()
	return o, func() error {
		t.Helper()
		return testutil.Receive(t, "return", done)
	}
}

// During runs f in a task, and cancels it when it waits. The error must be that cancellation.
func During(t testing.TB, f func(ctx context.Context) error) error {
	t.Helper()
	o, join := In(t, f)
	AwaitParked(t, o)
	Cancel(o)
	err := join()
	if !errors.Is(err, wait.ErrTaskCancelled) {
		t.Fatalf("%v, want %v", err, wait.ErrTaskCancelled)
	}
	return err
}
