package wait

import (
	"fmt"
	"strings"
	"sync"
)

// A Choice is one wait for several objects, of which exactly one takes effect.
//
// The goroutine has one waiter, the chief, which its scope knows. In the list of each object it
// has a node: a waiter whose claims and wake-ups go to the chief. An object needs to know nothing
// of that. Its claim of a node claims the chief, and notes the node as the winner. A node whose
// chief has been claimed is like a waiter that has been cancelled.
//
// A node is referred to only by its object, under the object's mutex, and by the goroutine that has
// claimed it, until that has woken the chief. The mutex belongs to a lock or queue, to an alarm, or
// to a descriptor's readiness. The choosing goroutine takes all nodes off before it frees them.
//
// A goroutine that waits for Go channels too sleeps in a select statement. There a value may pass
// at the moment when an object claims, and neither can be undone. So nothing may be handed
// over: the claim of a node fails, and makes the goroutine look again. That is a send that never
// blocks, so it may be done under the object's mutex. Only a harmless node can be claimed: its
// object hands nothing over, so if a value has passed, the claim is forgotten.
type Choice struct {
	chief  *Waiter
	nodes  []*Waiter
	winner *Waiter       // written when a node is claimed, read after the wake-up
	again  chan struct{} // to look again, nil unless the goroutine waits for Go channels too
	ended  bool          // nobody can claim the chief any more
}

var choices = sync.Pool{New: func() any { return new(Choice) }}

// Choose begins a choice, which Release ends. p must not be Untrusted.
func (p Place) Choose(op string, channels bool) *Choice {
	c := choices.Get().(*Choice)
	if channels {
		c.again = make(chan struct{}, 1)
		c.chief = p.Waiter(op, (*awayChoice)(c))
	} else {
		c.chief = p.Waiter(op, c)
	}
	return c
}

// Node makes a node for the case at the given index.
func (c *Choice) Node(index int) *Waiter {
	w := pool.Get().(*Waiter)
	for !w.state.CompareAndSwap(idle, deputy) { // see takeOwn
		w = pool.Get().(*Waiter)
	}
	w.choice, w.index = c, index
	w.scope, w.foreign, w.special = c.chief.scope, c.chief.foreign, c.chief.special
	c.nodes = append(c.nodes, w)
	return w
}

// Nodes are the nodes that have been made.
func (c *Choice) Nodes() []*Waiter { return c.nodes }

// For says what a node waits for: as with Place.Waiter.
func (w *Waiter) For(op string, object any) { w.op, w.object = op, object }

// Harmless says that the object hands nothing over when it claims w, a node.
func (w *Waiter) Harmless() { w.harmless = true }

// Index is the index that Node was given.
func (w *Waiter) Index() int { return w.index }

// claimChief claims the chief, if w is a node.
func (w *Waiter) claimChief() bool {
	if w.state.Load() != deputy {
		return false
	}
	c := w.choice
	if c.again != nil && !w.harmless {
		c.lookAgain()
		return false
	}
	if !c.chief.claim(granted) {
		return false
	}
	c.winner = w
	return true
}

// wake ends the goroutine's wait. The caller has claimed a node.
func (c *Choice) wake() {
	if c.again != nil {
		c.lookAgain()
	}
	c.chief.Wake()
}

func (c *Choice) lookAgain() {
	select {
	case c.again <- struct{}{}:
	default:
	}
}

// Wait is the Wait of a Waiter. If ok, winner is the node that was claimed.
func (c *Choice) Wait() (winner *Waiter, ok bool) {
	ok = c.chief.Wait()
	c.ended = true
	return c.winner, ok
}

// GiveUp ends a choice that was not waited for, unless it has ended. If an object was faster,
// winner is the node that it has claimed.
func (c *Choice) GiveUp() (winner *Waiter) {
	if !c.ended && !c.chief.claim(granted) {
		c.chief.park() // the wake-up is on its way
	}
	c.ended = true
	return c.winner
}

// WaitOutside waits in pass, which waits for Go channels, and returns if it receives from again.
// ok is false if the scope has ended the wait. If no value has passed on a channel, there may be a
// winner; if there is none, the goroutine looks again.
func (c *Choice) WaitOutside(pass func(again <-chan struct{})) (winner *Waiter, ok bool) {
	if !c.chief.Begin() {
		c.ended = true
		return nil, false
	}
	defer func() { // even if a send panics
		ok = c.chief.End() || c.winner != nil
		winner = c.winner
		c.ended = true
	}()
	pass(c.again)
	return
}

// Release frees the chief and the nodes, which are on no list any more.
func (c *Choice) Release() {
	for i, w := range c.nodes {
		w.choice, w.object, w.scope, w.harmless = nil, nil, nil, false
		w.foreign, w.special = nil, false
		w.state.Store(idle)
		pool.Put(w)
		c.nodes[i] = nil
	}
	c.chief.Free()
	*c = Choice{nodes: c.nodes[:0]}
	choices.Put(c)
}

// An awayChoice is the object of a chief that sleeps in a select statement.
type awayChoice Choice

// Interrupt implements Interrupter.
func (a *awayChoice) Interrupt(w *Waiter) {
	(*Choice)(a).lookAgain()
	w.Wake()
}

// Several is what a task that chooses is shown to wait for.
type Several []Part

// String is the text of each, with "or" between them.
func (s Several) String() string {
	var texts []string
	for _, part := range s {
		texts = append(texts, fmt.Sprint(part.Object))
	}
	return strings.Join(texts, " or ")
}

// seen is w's object as others may keep it: a Choice is used again.
func (w *Waiter) seen() any {
	c, ok := w.object.(*Choice)
	if a, isAway := w.object.(*awayChoice); isAway {
		c, ok = (*Choice)(a), true
	}
	if !ok {
		return w.object
	}
	var s Several
	for _, node := range c.nodes {
		s = append(s, Part{node.op, node.object})
	}
	return s
}
