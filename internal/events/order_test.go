package events_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/curio-go/curio/internal/events"
	"github.com/curio-go/curio/internal/testutil"
)

// Many write while one reads: the reader sees each event once, whole, and in the order of the numbers, or is told that it is lost.
func TestCursorIsInOrder(t *testing.T) {
	defer events.Ask(events.Order)()
	c := events.NewCursor()
	const writers, first = 8, 1 << 50
	each := testutil.Times(20_000)
	var left atomic.Int32
	var wg sync.WaitGroup
	left.Store(writers)
	for w := range uint64(writers) {
		wg.Go(func() {
			defer left.Add(-1)
			for i := range each {
				events.Add(events.Waits, int64(i), first+w%3, uint64(i), fmt.Sprint("text of ", i)) // three tasks, so that they meet
			}
		})
	}
	last, seen, lost := uint64(0), 0, uint64(0)
	for over := false; !over; {
		over = left.Load() == 0
		got, n := c.Next()
		lost += n
		for _, e := range got {
			if e.Number <= last {
				t.Fatalf("number %d after %d", e.Number, last)
			}
			if e.Text != fmt.Sprint("text of ", e.Arg) {
				t.Fatalf("half of an event: %v", e)
			}
			last = e.Number
		}
		seen += len(got)
	}
	wg.Wait()
	if uint64(seen)+lost != uint64(writers*each) {
		t.Errorf("%d of %d, and %d lost", seen, writers*each, lost)
	}
}
