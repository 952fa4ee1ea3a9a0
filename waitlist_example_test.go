package curio_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/curio-go/curio"
)

// A latch opens when it has been counted down, for all who wait. It needs only a mutex, a number
// and a WaitList.
type latch struct {
	mu   sync.Mutex
	left int
	line curio.WaitList[struct{}]
}

func newLatch(n int) *latch {
	l := &latch{left: n}
	l.line.Mutex, l.line.State, l.line.Object, l.line.Serve = &l.mu, "LATCH_WAIT", l, l.serve
	return l
}

func (l *latch) serve() {
	if l.left == 0 {
		l.line.HandAll(struct{}{})
	}
}

func (l *latch) Wait(ctx context.Context) error {
	_, err := l.line.Wait(ctx, struct{}{})
	return err
}

func (l *latch) WaitCase() curio.Case { return l.line.Case(struct{}{}, nil) }

func (l *latch) CountDown() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = max(0, l.left-1)
	l.serve()
}

// A primitive built on a WaitList can be cancelled, timed out, selected and seen like those of
// this package.
func ExampleWaitList() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		l := newLatch(2)
		fmt.Println("in time:", curio.TimeoutAfter(ctx, time.Millisecond, l.Wait))

		waiter := curio.Go(ctx, l.Wait)
		for waiter.State() != "LATCH_WAIT" {
			if err := curio.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		fmt.Println("the waiter is in", waiter.State())

		l.CountDown()
		l.CountDown()
		_, err := waiter.Join(ctx)
		fmt.Println("the waiter:", err)

		i, err := curio.Select(ctx, curio.AfterCase(time.Hour), l.WaitCase())
		fmt.Println("selected:", i, err)
		return nil
	})
	fmt.Println(err)
	// Output:
	// in time: curio: timed out after 1ms
	// the waiter is in LATCH_WAIT
	// the waiter: <nil>
	// selected: 1 <nil>
	// <nil>
}

// Tasks that ask for different things are served one by one. A large request at the front holds up
// the small ones behind it until it is served, or gives up.
func ExampleWaitList_All() {
	var mu sync.Mutex
	free := 2
	line := &curio.WaitList[int]{Mutex: &mu, State: "SEATS"}
	line.Serve = func() {
		for w := range line.All() {
			if w.Ask() > free {
				return // nobody overtakes it
			}
			if w.Grant(w.Ask()) { // else it has given up
				free -= w.Ask()
			}
		}
	}
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		large := curio.Go(ctx, func(ctx context.Context) error { _, err := line.Wait(ctx, 3); return err })
		for large.State() != "SEATS" {
			if err := curio.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		_, ok := line.TryWait(ctx, 1)
		fmt.Println("overtaken:", ok)

		_, _ = large.Cancel(ctx)
		n, err := line.Wait(ctx, 2)
		fmt.Println("then:", n, err)
		return nil
	})
	fmt.Println(err)
	// Output:
	// overtaken: false
	// then: 2 <nil>
	// <nil>
}
