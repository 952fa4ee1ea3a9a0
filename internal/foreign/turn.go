package foreign

import (
	"sync"

	"github.com/curio-go/curio/internal/wait"
)

// A turn is a lock that is passed on in order of arrival, and whose waiters can be
// cancelled. Its zero value is free. It is handed over and never set free while somebody
// queues, so nobody overtakes.
type turn struct {
	mu    sync.Mutex
	held  bool
	queue wait.List
}

// take waits for the turn at place. op and object are what a waiting task is shown to
// do.
func (t *turn) take(place wait.Place, op string, object any) error {
	t.mu.Lock()
	if !t.held {
		t.held = true
		t.mu.Unlock()
		return nil
	}
	w := place.Waiter(op, object)
	defer w.Free()
	return w.WaitIn(&t.queue, &t.mu)
}

// try takes the turn if it is free, and reports whether it has.
func (t *turn) try() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	free := !t.held
	t.held = true
	return free
}

// pass hands the turn to the next, or sets it free.
func (t *turn) pass() {
	t.mu.Lock()
	next := t.queue.Pop()
	t.held = next != nil
	t.mu.Unlock()
	if next != nil {
		next.Wake()
	}
}
