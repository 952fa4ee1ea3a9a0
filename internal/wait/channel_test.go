package wait_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
)

// A failures is a probe that counts the operations that end with their scope's error.
type failures struct{ n atomic.Int64 }

func (*failures) Enter(context.Context)             {}
func (*failures) Parked(wait.Snapshot, *wait.Owner) {}
func (*failures) Held(any, *wait.Owner, int64)      {}
func (p *failures) Failed(*wait.Owner, error)       { p.n.Add(1) }
func (p *failures) Saved(*wait.Owner, error)        { p.n.Add(-1) }

// A probe is told which operations have failed in the end: not one that has got a value in
// the moment of the cancellation.
func TestRaceReceiveAndProbe(t *testing.T) {
	probe := new(failures)
	ctx, remove := wait.WithProbe(context.Background(), probe)
	defer remove()
	for range testutil.Times(5000) {
		probe.n.Store(0)
		o := new(wait.Owner)
		if !o.InitTask(ctx, wait.NewKernel()) {
			t.Fatal("the kernel is closed")
		}
		ch := make(chan int, 1)
		done := make(chan struct{})
		go func() {
			defer close(done)
			until(t, "the wait", func() bool { _, parked := o.Parked(); return parked })
			ch <- 1
			cancel(&o.Scope)
		}()
		v, open, err := wait.Receive(o, ch)
		<-done
		want := int64(0)
		if err != nil {
			want = 1
		}
		if v+len(ch) != 1 || open != (err == nil) {
			t.Fatalf("received %d, %v, %v, and %d are in the channel", v, open, err, len(ch))
		}
		if n := probe.n.Load(); n != want {
			t.Fatalf("Receive returned %d, %v, and the probe was told of %d failures", v, err, n)
		}
		o.Close()
	}
}

// After an operation on a channel nothing is registered, whichever way it ended.
func TestChannelLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTask(t)
		defer o.Close()
		sends := func(ch chan int) (panicked any) {
			defer func() { panicked = recover() }()
			return wait.Send(o, ch, 1)
		}
		ch, closed := make(chan int), make(chan int)
		for what, c := range map[string]struct {
			op  string
			end func()
			try func() bool
		}{
			"received": {"CHANNEL_RECEIVE", func() { ch <- 7 }, func() bool {
				v, open, err := wait.Receive(o, ch)
				return v == 7 && open && err == nil
			}},
			"sent": {"CHANNEL_SEND", func() { <-ch }, func() bool { return wait.Send(o, ch, 1) == nil }},
			"send on closed": {"CHANNEL_SEND", func() { close(closed) }, func() bool {
				_, isError := sends(closed).(runtime.Error)
				return isError
			}},
		} {
			go func() {
				synctest.Wait()
				if w, parked := o.Parked(); !parked || w.Op != c.op || o.Waiters() != 1 {
					t.Errorf("%s: it waits: %v, %q", what, parked, w.Op)
				}
				c.end()
			}()
			if !c.try() {
				t.Errorf("%s: it has not ended as it should", what)
			}
			if n := o.Waiters(); n != 0 {
				t.Errorf("%s: %d waiters are left", what, n)
			}
			synctest.Wait()
		}
		go func() { synctest.Wait(); cancel(&o.Scope) }()
		if _, _, err := wait.Receive(o, ch); err == nil || o.Waiters() != 0 {
			t.Errorf("cancelled: %v, and %d waiters are left", err, o.Waiters())
		}
	})
}

// A callback that has been called is on no list any more.
func TestAfterFuncLeavesNothing(t *testing.T) {
	o := newTask(t)
	defer o.Close()
	called := make(chan struct{})
	o.AfterFunc(func() { close(called) })
	derived, stop := context.WithCancel(&o.Scope)
	defer stop()
	if n := o.Waiters(); n != 1 {
		t.Errorf("%d waiters before, and a standard context needs none", n)
	}
	cancel(&o.Scope)
	<-called
	<-derived.Done()
	if n := o.Waiters(); n != 0 {
		t.Errorf("%d waiters are left", n)
	}
}

// Who looks is shown the operation and the object that were named.
func TestReceiveAs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTask(t)
		defer o.Close()
		ch, done := make(chan int), make(chan int)
		go func() {
			v, _, _ := wait.ReceiveAs(&o.Scope, "SOME_WAIT", "something", ch)
			done <- v
		}()
		synctest.Wait()
		shown, _ := o.Parked()
		if text := fmt.Sprint(shown.Op, " for ", shown.Object); text != "SOME_WAIT for something" {
			t.Error(text)
		}
		ch <- 1
		if v := <-done; v != 1 {
			t.Errorf("received %d", v)
		}
	})
}
