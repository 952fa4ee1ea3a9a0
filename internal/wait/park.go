package wait

import (
	"sync"
	"sync/atomic"
)

// A parker puts its one goroutine to sleep until somebody unparks it.
//
// Each unpark ends one park, whichever comes first. Only the owning goroutine
// parks, and there is at most one unpark for each park.
//
// It is a condition variable and not a channel of capacity 1, which costs the
// same, because parkers are pooled: a channel belongs to the testing/synctest
// bubble that made it and may not be used in another one, a sync.Cond belongs to
// nobody. It also spares an allocation.
//
// cond's lock is the parker itself. Wait takes a ticket, calls Unlock, and sleeps
// until its ticket has been called. Unlock publishes that the ticket is taken;
// if unpark came earlier, nobody will call the ticket and Unlock does it itself.
// So Signal is called exactly once for each Wait, and never after park returned.
type parker struct {
	cond  sync.Cond
	nap   atomic.Uint32 // awake, asleep, outside, woken
	state atomic.Uint32 // of the Waiter; here, it is in the first cache line
}

const (
	awake   = iota
	asleep  // the ticket is taken: unpark has to call it
	woken   // unparked; park has not returned yet
	outside // asleep on out
)

func (p *parker) init() { p.cond.L = p }

// Lock is the half of sync.Locker that has nothing to do.
func (p *parker) Lock() {}

// Unlock is called by cond.Wait when the ticket has been taken.
func (p *parker) Unlock() {
	if !p.nap.CompareAndSwap(awake, asleep) {
		p.cond.Signal()
	}
}

func (p *parker) park() {
	p.cond.Wait()
	p.nap.Swap(awake) // a swap, not a store: what unpark's caller wrote is seen
}

// unpark reports false if the goroutine is asleep on a mutex, which the caller then unlocks: see
// parkOutside.
func (p *parker) unpark() bool {
	switch p.nap.Swap(woken) {
	case asleep:
		p.cond.Signal()
	case outside:
		return false
	}
	return true
}

// parkOutside is park for a goroutine in a testing/synctest bubble that a goroutine outside of
// the bubble wakes. It sleeps on out: a bubble considers a goroutine that waits on a sync.Cond
// durably blocked, but not one that waits for a mutex.
func (p *parker) parkOutside(out *sync.Mutex) {
	out.Lock()
	if p.nap.CompareAndSwap(awake, outside) {
		out.Lock()
	}
	out.Unlock()
	p.nap.Swap(awake)
}
