package poll_test

import (
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

// Lingering in vain becomes rarer, down to once in a while.
func TestLingeringInVain(t *testing.T) {
	a, _ := pair(t)
	if _, skip := a.Habit(); skip == 0 {
		t.Error("the first wait lingers")
	}
	a.Eager()
	var lingered []int
	for i := range 200 {
		_, before := a.Habit()
		o, join := in(t, a.WaitRead)
		await(t, parked(o))
		cancel(o)
		want(t, join(), wait.ErrTaskCancelled)
		if last, skip := a.Habit(); before == 0 {
			lingered = append(lingered, i)
			if last != skip || last > poll.MaxSkip {
				t.Errorf("after wait %d: %d, %d", i, last, skip)
			}
		}
	}
	// 0, and then after 1, 3, 7, 15, 31, 63 and 63 waits that were left out.
	if len(lingered) != 8 {
		t.Errorf("lingered at %v", lingered)
	}
}

// One success is enough to go on.
func TestLingeringHelps(t *testing.T) {
	a, _ := pair(t)
	task := newTask(t)
	a.Sleepy()
	for {
		_, skip := a.Habit()
		if skip == 0 {
			break
		}
		o, join := in(t, a.WaitRead)
		await(t, parked(o))
		cancel(o)
		want(t, join(), wait.ErrTaskCancelled)
	}
	calls := 0
	check(t, a.CallRead(&task.Scope, "READ_WAIT", func(int) error {
		if calls++; calls < 3 {
			return syscall.EAGAIN
		}
		return nil
	}))
	if last, skip := a.Habit(); calls != 3 || last != 0 || skip != 0 {
		t.Errorf("%d calls, then %d, %d", calls, last, skip)
	}
	if n := task.Cycles(); n != 0 {
		t.Errorf("slept %d times", n)
	}
}
