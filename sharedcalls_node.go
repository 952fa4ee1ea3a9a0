package curio

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// This file finds callers that would wait for themselves.
//
// Each call has a node. There is an edge from one call to another as long as a caller below the
// first waits for the second, and from a pending call to the one before it. A caller that would
// close a circle is refused. Edges are added under one mutex, after looking for a circle, so
// there never is one. A caller that is in no call, as nearly all are, has nothing to do with all
// this: it may wait for whatever it likes, as nobody waits for it.
//
// The node is among the values of the function's context, and a caller is in the call if it has
// the node and is below the call's task in the tree. A daemon that the function has spawned has
// the node too, but the call does not wait for it.

// A callNode is a call as others see it who may outlive it: it does not keep the result. It is a
// context only as a source of values.
type callNode struct {
	context.Context // the values of the first caller

	scope *wait.Scope // of the call's task
	ended atomic.Bool

	waits  map[*callNode]int // the calls that callers below this one wait for, and how many do
	behind *callNode         // of a pending call: the one before it
}

// callGraph guards waits and behind of all nodes. It is taken while a SharedCalls.mu is held;
// nothing is taken while it is held.
var callGraph sync.Mutex

type callKey struct{}

// Value returns the node itself for callKey.
func (n *callNode) Value(key any) any {
	if _, ok := key.(callKey); ok {
		return n
	}
	return n.Context.Value(key)
}

// newCallNode makes the node of a call in t that a caller with ctx starts. A call that starts
// another, which starts another, and so on, does not make a chain of nodes.
func newCallNode(ctx context.Context, t *AnyTask) *callNode {
	values := wait.Values(ctx)
	if n, ok := values.(*callNode); ok {
		values = n.Context
	}
	if values == nil {
		values = context.Background()
	}
	return &callNode{Context: values, scope: &t.owner.Scope}
}

// callAround returns the node of the innermost call that p, the place of ctx, is in; nil if it
// is in none. It calls methods of ctx.
func callAround(ctx context.Context, p wait.Place) *callNode {
	n, _ := ctx.Value(callKey{}).(*callNode)
	if n == nil || !p.Below(n.scope) {
		return nil
	}
	return n
}

// mayWaitFor reports whether a caller in n, which may be nil, may wait for to, and adds the edge
// if it may.
func (n *callNode) mayWaitFor(to *callNode) bool {
	if n == nil {
		return true
	}
	callGraph.Lock()
	defer callGraph.Unlock()
	if to.reachesLocked(n) {
		return false
	}
	if n.waits == nil {
		n.waits = make(map[*callNode]int)
	}
	n.waits[to]++
	return true
}

// waitsNoMore removes the edge that mayWaitFor has added.
func (n *callNode) waitsNoMore(to *callNode) {
	if n == nil {
		return
	}
	callGraph.Lock()
	defer callGraph.Unlock()
	if n.waits[to]--; n.waits[to] == 0 {
		delete(n.waits, to)
	}
}

// setBehind notes that n is pending behind before, or nil if it is not pending any more.
func (n *callNode) setBehind(before *callNode) {
	callGraph.Lock()
	defer callGraph.Unlock()
	n.behind = before
}

// reachesLocked reports whether n is to, or waits for it.
func (n *callNode) reachesLocked(to *callNode) bool {
	if n == to {
		return true
	}
	if n.behind == nil && len(n.waits) == 0 {
		return false
	}
	seen := map[*callNode]bool{}
	for left := []*callNode{n}; len(left) > 0; {
		at := left[len(left)-1]
		left = left[:len(left)-1]
		if at == nil || seen[at] || at.ended.Load() {
			continue
		}
		if at == to {
			return true
		}
		seen[at] = true
		left = append(left, at.behind)
		for next := range at.waits {
			left = append(left, next)
		}
	}
	return false
}
