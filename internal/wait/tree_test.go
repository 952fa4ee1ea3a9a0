package wait_test

import (
	"context"
	"testing"

	"github.com/curio-go/curio/internal/wait"
)

// A twin is a naive scope: it looks at nothing but the rules.
type twin struct {
	real                      *wait.Scope
	parent                    *twin
	shield, task, deaf, ended bool // deaf: detached from its parent's cancellation
	closed, loose             bool
}

func (n *twin) hears(shutdown bool) bool { return !n.shield && (!n.deaf || shutdown) }

// cancel marks n and what hears it below.
func cancelTwin(all []*twin, n *twin, shutdown bool) {
	if n.closed {
		return
	}
	n.ended = true
	for _, c := range all {
		if c.parent == n && !c.closed && c.hears(shutdown) {
			cancelTwin(all, c, shutdown)
		}
	}
}

// FuzzTree builds a tree of scopes by random operations, beside a naive twin of
// it, and compares who has been cancelled after each.
func FuzzTree(f *testing.F) {
	f.Add([]byte{0, 0, 1, 1, 2, 2, 3, 1, 8, 1, 9, 0})
	f.Add([]byte{2, 0, 0, 1, 4, 2, 9, 1, 8, 0, 10, 0, 0, 3})
	f.Fuzz(func(t *testing.T, ops []byte) {
		kernel := wait.NewKernel()
		all := []*twin{{real: kernel}}
		for i := 0; i+1 < len(ops) && i < 400; i += 2 {
			step(&all, ops[i]%11, all[int(ops[i+1])%len(all)])
			for j, n := range all {
				if got := n.real.Cause() != nil; got != n.ended {
					t.Fatalf("after operation %d, scope %d: cancelled is %v, should be %v", i/2, j, got, n.ended)
				}
			}
		}
	})
}

func step(all *[]*twin, op byte, at *twin) {
	child := &twin{parent: at, ended: at.ended}
	if op == 4 || op == 5 {
		child.loose = at.closed || at.loose
	} else {
		for child.parent.closed || child.parent.loose {
			child.parent = child.parent.parent
		}
		child.ended = child.ended || child.parent.ended
	}
	switch op {
	case 0, 1, 2: // a task
		o := new(wait.Owner)
		o.InitTask(at.real, nil)
		child.real, child.task = &o.Scope, true
	case 3: // a task whose context was cut off
		o := new(wait.Owner)
		o.InitTask(context.WithoutCancel(at.real), nil)
		child.real, child.task, child.deaf, child.ended = &o.Scope, true, true, false
	case 4, 5:
		child.real = wait.NewTimeout(at.real, 0)
	case 6:
		child.real, child.shield, child.ended = wait.New(at.real, wait.Shield), true, false
	case 7, 8:
		if at.parent != nil && !at.closed {
			closeTwin(*all, at, at.task)
			at.real.Close()
		}
		return
	case 9:
		cancelTwin(*all, at, false)
		at.real.Cancel(wait.NewCause(at.real, wait.Cancelled, nil))
		return
	default:
		return
	}
	*all = append(*all, child)
}

// closeTwin moves n's children to its parent, but for timeouts that a task has forgotten.
func closeTwin(all []*twin, n *twin, forgotten bool) {
	if !n.task {
		cancelTwin(all, n, false)
	}
	n.ended, n.closed = true, true
	for _, c := range all {
		if c.parent != n || c.closed {
			continue
		}
		c.parent = n.parent
		if forgotten && !c.task && !c.shield {
			closeTwin(all, c, true)
			continue
		}
		if n.parent.ended && c.hears(false) {
			cancelTwin(all, c, false)
		}
	}
}
