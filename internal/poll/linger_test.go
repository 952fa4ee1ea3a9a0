package poll_test

import (
	"context"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

// waitInVain waits to read, and is cancelled.
func waitInVain(t *testing.T, f *poll.FD) {
	t.Helper()
	o, join := in(t, f.WaitRead)
	await(t, parked(o))
	cancel(o)
	want(t, join(), wait.ErrTaskCancelled)
}

// Lingering in vain becomes rarer, down to once in a while.
func TestLingeringInVain(t *testing.T) {
	poll.OnTheRuntimes(t)
	poll.LingerClock(t, 1000)
	a, _ := pair(t)
	if _, skip := a.Habit(); skip == 0 {
		t.Error("the first wait lingers")
	}
	a.Eager()
	var lingered []int
	for i := range 200 {
		_, before := a.Habit()
		waitInVain(t, a)
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
	poll.OnTheRuntimes(t)
	poll.LingerClock(t, 1000)
	a, _ := pair(t)
	task := newTask(t)
	a.Sleepy()
	for {
		if _, skip := a.Habit(); skip == 0 {
			break
		}
		waitInVain(t, a)
	}
	calls := 0
	check(t, a.CallRead(&task.Scope, func(int) error {
		if calls++; calls < 5 {
			return syscall.EAGAIN
		}
		return nil
	}))
	if last, skip := a.Habit(); calls != 5 || last != 0 || skip != 0 {
		t.Errorf("%d calls, then %d, %d", calls, last, skip)
	}
	if n := task.Cycles(); n != 0 {
		t.Errorf("slept %d times", n)
	}
}

// Where others want to run, which shows in the time that letting them run takes,
// nobody lingers for a while.
func TestNoLingeringInACrowd(t *testing.T) {
	poll.OnTheRuntimes(t)
	poll.LingerClock(t, 1_000_000)
	a, b := pair(t)
	a.Eager()
	waitInVain(t, a)
	if n := poll.Crowd(); n != poll.CrowdSkip {
		t.Errorf("%d waits left out", n)
	}
	other, _ := pair(t)
	for range 3 { // the first is left out in any case
		waitInVain(t, other)
	}
	if n := poll.Crowd(); n != poll.CrowdSkip-2 {
		t.Errorf("%d waits left out after two more", n)
	}
	_, err := b.Write(context.Background(), []byte("x"))
	check(t, err)
	check(t, a.WaitRead(context.Background()))
}

// A crowd that is met again is left alone for longer each time. After so many waits that
// lingered and were right to, one is left out, in which others would come to light; if
// twice nobody does, the crowd has gone.
func TestCrowdsAndStreaks(t *testing.T) {
	poll.OnTheRuntimes(t)
	poll.LingerClock(t, 1000)
	a, _ := pair(t)
	a.Eager()
	for n := poll.CrowdSkip; n < 3*poll.MaxCrowdSkip; n *= 2 {
		poll.MeetCrowd()
		if got, want := poll.Crowd(), min(n, poll.MaxCrowdSkip); got != want {
			t.Fatalf("%d waits left out, want %d", got, want)
		}
	}
	streak := func() {
		t.Helper()
		a.NoSkip()
		for i := range poll.MaxStreak {
			if _, skip := a.Habit(); skip != 0 {
				t.Fatalf("%d are left out after %d", skip, i)
			}
			first := true
			check(t, a.CallRead(context.Background(), func(int) error {
				if first {
					first = false
					return syscall.EAGAIN
				}
				return nil
			}))
		}
		if last, skip := a.Habit(); last != 0 || skip != 1 {
			t.Fatalf("after a streak: %d, %d", last, skip)
		}
	}
	streak()
	poll.MeetCrowd()
	if n := poll.Crowd(); n != poll.MaxCrowdSkip {
		t.Errorf("%d waits left out, although one streak may be chance", n)
	}
	streak()
	streak()
	poll.MeetCrowd()
	if n := poll.Crowd(); n != poll.CrowdSkip {
		t.Errorf("%d waits left out of another crowd", n)
	}
}

// A clock that stands still, as in a bubble, keeps nobody from sleeping.
func TestLingeringWithoutAClock(t *testing.T) {
	poll.OnTheRuntimes(t)
	poll.LingerClock(t, 0)
	a, _ := pair(t)
	a.Eager()
	waitInVain(t, a)
}
