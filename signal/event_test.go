package signal_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/signal"
)

func TestEvent(t *testing.T) {
	testutil.NoLeaks(t)
	e := signal.NewEvent(syscall.SIGUSR1, syscall.SIGUSR2)
	if e.IsSet() || e.Signal() != nil || e.String() != "signal.Event(SIGUSR1, SIGUSR2)" {
		t.Errorf("a new one is %v", e)
	}
	tasks := []*curio.Task[struct{}]{curio.Go(background, e.Wait), curio.Go(background, e.Wait)}
	testutil.Await(t, "waiting tasks", func() bool { return len(e.Snapshot().Waiters) == 2 })
	raise(syscall.SIGUSR2)
	for _, task := range tasks {
		if _, err := task.Join(background); err != nil {
			t.Error(err)
		}
	}
	if !e.IsSet() || e.Signal() != syscall.SIGUSR2 || e.String() != "signal.Event(SIGUSR1, SIGUSR2; set by SIGUSR2)" {
		t.Errorf("a set one is %v", e)
	}
	if err := e.Wait(background); err != nil {
		t.Error(err)
	}
	e.Clear()
	if e.IsSet() {
		t.Error("it is set")
	}
	cancelled := curio.Go(background, e.Wait)
	if did, err := cancelled.Cancel(background); !did || err != nil {
		t.Error(did, err)
	}
	if !errors.Is(cancelled.Err(), curio.ErrTaskCancelled) {
		t.Error(cancelled.Err())
	}
	raise(syscall.SIGUSR1)
	if i, err := curio.Select(background, e.WaitCase()); i != 0 || err != nil {
		t.Errorf("%d, %v", i, err)
	}
	e.Close()
	e.Close()
	other := signal.NewQueue(syscall.SIGUSR1)
	defer other.Close()
	e.Clear()
	raise(syscall.SIGUSR1)
	if _, err := other.Get(background); err != nil || e.IsSet() {
		t.Errorf("a closed event is set, or %v", err)
	}
}
