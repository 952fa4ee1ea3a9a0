package wait_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// A bell rings once for each time it was set, at the last of the times, and not when it
// was stopped.
func TestBell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rings := make(chan int64, 10)
		bell := wait.Bell{Ring: func() { rings <- wait.Now() }}
		bell.Stop() // before it was ever set
		expect := func(want ...int64) {
			t.Helper()
			time.Sleep(time.Hour)
			synctest.Wait()
			for _, at := range want {
				if len(rings) == 0 {
					t.Fatal("it has not rung")
				}
				if got := <-rings; got != at {
					t.Errorf("it rang %v late", time.Duration(got-at))
				}
			}
			if len(rings) != 0 {
				t.Errorf("it rang %d times more", len(rings))
			}
		}
		at := wait.After(time.Second)
		bell.Set(at)
		expect(at)
		bell.Set(wait.After(time.Minute))
		at = wait.After(time.Second)
		bell.Set(at) // earlier
		expect(at)
		bell.Set(wait.After(time.Second))
		at = wait.After(time.Minute)
		bell.Set(at) // later
		expect(at)
		bell.Set(wait.After(time.Second))
		bell.Stop()
		expect()
		at = wait.Now()
		bell.Set(at) // due already
		expect(at)
	})
}
