package curiotest

import (
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// A ledger keeps account of what has been taken and not given back: locks, units of
// semaphores.
//
// What is given back is told to every probe, as it may be done with another context, or
// none. So it may be somebody else's.
type ledger struct {
	mu       sync.Mutex
	accounts map[any]*account
}

// An account is the account of one object.
type account struct {
	sum   int64    // of a semaphore, which may be negative: one counts, and another counts down
	taken []taking // the latest last
}

type taking struct {
	owner *wait.Owner
	task  string
	place place
	n     int64
}

// enter is Held of a wait.Probe.
func (l *ledger) enter(object any, owner *wait.Owner, n int64) {
	if !reflect.ValueOf(object).Comparable() {
		return // no lock of ours
	}
	var t taking
	if n > 0 {
		t = taking{owner, nameOf(taskOf(owner)), here(), n}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accounts[object]
	if a == nil {
		if l.accounts == nil {
			l.accounts = make(map[any]*account)
		}
		a = new(account)
		l.accounts[object] = a
	}
	a.sum += n
	if n > 0 {
		a.taken = append(a.taken, t)
	} else {
		a.giveBack(owner, -n)
	}
}

// giveBack takes n off what has been taken: what owner took last, if it took anything,
// and else what anybody did.
func (a *account) giveBack(owner *wait.Owner, n int64) {
	for _, anybody := range []bool{false, true} {
		for i := len(a.taken) - 1; i >= 0 && n > 0; i-- {
			t := &a.taken[i]
			if t.owner != owner && !anybody {
				continue
			}
			off := min(n, t.n)
			n, t.n = n-off, t.n-off
			if t.n == 0 {
				a.taken = append(a.taken[:i], a.taken[i+1:]...)
			}
		}
	}
}

// left describes what is still taken.
func (l *ledger) left() []string {
	open := map[any]account{}
	l.mu.Lock()
	for object, a := range l.accounts {
		if held := a.held(object); held > 0 {
			open[object] = account{held, slices.Clone(a.taken)}
		}
	}
	l.mu.Unlock()

	var left []string
	for object, a := range open {
		text := fmt.Sprintf("%s is left held", nameOfObject(object)) // which may be code of the user's
		if a.sum > 1 {
			text = fmt.Sprintf("%s is left held %d times", nameOfObject(object), a.sum)
		}
		for _, t := range a.taken {
			text += fmt.Sprintf("\ntaken by %s in %v", t.task, t.place)
		}
		left = append(left, text)
	}
	return left
}

// held is how much of the account's object has been taken and not given back.
func (a *account) held(object any) (n int64) {
	if _, counts := object.(*curio.Semaphore); counts {
		return a.sum
	}
	for _, t := range a.taken {
		n += t.n
	}
	return n
}

func nameOfObject(object any) string {
	if s, ok := object.(fmt.Stringer); ok {
		return fmt.Sprintf("%T %q", object, s.String())
	}
	return fmt.Sprintf("%T %p", object, object)
}
