package curiotest

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/curio-go/curio/internal/wait"
)

// A ledger keeps account of what has been taken and not given back: locks, units of
// semaphores.
//
// What is given back is told to every probe, as it may be done with another context, or
// none. So a sum may be negative: somebody else's was given back.
type ledger struct {
	mu       sync.Mutex
	accounts map[any]*account
}

// An account is that of one object.
type account struct {
	sum   int64
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
	if !reflect.TypeOf(object).Comparable() {
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
	l.mu.Lock()
	defer l.mu.Unlock()
	var left []string
	for object, a := range l.accounts {
		if a.sum <= 0 {
			continue
		}
		text := fmt.Sprintf("%s is left held", nameOfObject(object))
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

func nameOfObject(object any) string {
	if s, ok := object.(fmt.Stringer); ok {
		return fmt.Sprintf("%T %q", object, s.String())
	}
	return fmt.Sprintf("%T %p", object, object)
}
