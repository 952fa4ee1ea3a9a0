package wait

import (
	"runtime"
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
