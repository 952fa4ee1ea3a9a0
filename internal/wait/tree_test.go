package wait_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
)

// A twin is a naive scope: it looks at nothing but the rules.
type twin struct {
	real                      *wait.Scope
	parent                    *twin
	shield, task, deaf, ended bool // deaf: detached from its parent's cancellation
	sealed, closed, loose     bool
	shut                      bool // ended by a shutdown
}

func (n *twin) hears(shutdown bool) bool { return !n.shield && (!n.deaf || shutdown) }

// cancelTwin marks n and what hears it below. It goes through what is sealed, and a shutdown goes
// through what has ended before.
func cancelTwin(all []*twin, n *twin, shutdown bool) {
	did := !n.ended && !n.sealed && !n.closed
	if did {
		n.ended, n.shut = true, shutdown
	}
	if n.closed || !did && !n.sealed && !shutdown {
		return
	}
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
	f.Add([]byte{0, 0, 3, 1, 10, 1, 9, 0, 0, 1, 11, 0, 7, 1})
	f.Add([]byte("0000000000c000009Z#0BX000a000000007+00c\x93")) // a shield that was put up below a shutdown
	f.Fuzz(grow)
}

// The same with random operations that are always the same.
func TestTree(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range testutil.Times(3000) {
		ops := make([]byte, 80)
		for i := range ops {
			ops[i] = byte(random.Uint32())
		}
		grow(t, ops)
	}
}

func grow(t *testing.T, ops []byte) {
	all := []*twin{{real: wait.NewKernel()}}
	for i := 0; i+1 < len(ops) && i < 400; i += 2 {
		step(&all, ops[i]%12, all[int(ops[i+1])%len(all)])
		for j, n := range all {
			if got := n.real.Cause() != nil; got != n.ended {
				t.Fatalf("%v: after operation %d, scope %d: cancelled is %v, should be %v", ops, i/2, j, got, n.ended)
			}
		}
	}
}

func step(all *[]*twin, op byte, at *twin) {
	kernel := (*all)[0]
	child := &twin{parent: at, ended: at.ended, shut: at.shut}
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
		child.real, child.task, child.deaf = &o.Scope, true, true
		child.ended = at.ended && (at.shut || kernel.shut)
		child.shut = child.ended
	case 4, 5:
		child.real = wait.NewTimeout(at.real, 0)
	case 6:
		child.real, child.shield, child.ended, child.shut = wait.New(at.real, wait.Shield), true, false, false
	case 7, 8:
		if at.parent != nil && !at.closed {
			closeTwin(*all, at, at.task)
			at.real.Close()
		}
		return
	case 9:
		if !at.sealed {
			cancelTwin(*all, at, false)
		}
		at.real.Cancel(wait.NewCause(at.real, wait.Cancelled, nil))
		return
	case 10:
		if at.task && !at.closed {
			at.real.Owner().Seal()
			at.sealed = true
		}
		return
	case 11:
		cancelTwin(*all, kernel, true)
		kernel.real.Cancel(wait.NewCause(kernel.real, wait.Shutdown, nil))
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
	kernel := all[0]
	for _, c := range all {
		if c.parent != n || c.closed {
			continue
		}
		c.parent = n.parent
		if forgotten && !c.task && !c.shield {
			closeTwin(all, c, true)
			continue
		}
		switch p := n.parent; {
		case !p.ended:
		case c.hears(p.shut):
			if !c.sealed || p.shut { // else what is below c hears of it when c is closed
				cancelTwin(all, c, p.shut)
			}
		case kernel.shut && c.hears(true):
			cancelTwin(all, c, true)
		}
	}
}
