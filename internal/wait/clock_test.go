package wait

import (
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// A goroutine may be preempted between two readings of the clock. What comes of
// that must never be too early: a sleeper would wake before its time.
func TestConversionsOfTimeAreNeverEarly(t *testing.T) {
	var wg sync.WaitGroup
	for range 4 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for range 20_000 {
				now, wall := Now(), time.Now()
				if at := Until(wall); at < int64(wall.Sub(epoch)) {
					t.Errorf("Until is %v early", wall.Sub(epoch)-time.Duration(at))
				}
				if at := Time(now); int64(at.Sub(epoch)) < now {
					t.Errorf("Time is %v early", time.Duration(now)-at.Sub(epoch))
				}
				if at := Clock(); at.Before(wall) || at.After(time.Now()) {
					t.Errorf("Clock shows %v, later than %v", at, wall)
				}
			}
		})
	}
	wg.Wait()
}

// The clock keeps its monotonic reading if it starts long ago, as on a machine without a
// battery, and is positive in a bubble whatever year it starts in.
func TestClockThatStartsLongAgo(t *testing.T) {
	now := time.Now()
	for _, year := range []int{1886, 1970, 1984, 1999, 2000, 2001, 2026, 2100} {
		clock := now.Add(time.Date(year, 3, 1, 0, 0, 0, 0, time.UTC).Sub(now))
		start := startOf(clock)
		if !strings.Contains(start.String(), " m=") {
			t.Errorf("%d: the start has no monotonic reading: %v", year, start)
		}
		if !start.Before(clock) || !start.Before(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%d: it starts at %v", year, start)
		}
	}
}
