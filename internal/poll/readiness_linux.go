package poll

import (
	"sync"
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// A readiness is what epoll has told of one direction of a descriptor, in one word that
// changes by compare-and-swap only, so that no event is lost between two looks.
//
//	not ready ──► ready      an event
//	ready ──► not ready      an operation's call has found nothing, or less than it asked
//	                         for where that is a sign, and no event has come since before
//	                         the call: the tick is the same
//	      ──► next life      the FD is closed, and its number free for another one;
//	                         events of the old one no longer count
//
// An operation that finds its direction not ready parks. It stores its waiter in parked and then
// looks at the word again; an event sets the word and then looks at parked: one of the two sees the
// other. A waiter is removed from parked, and claimed, under mu. So an operation whose scope has
// ended the wait removes its waiter under mu, and from then on nobody refers to it.
//
// Any number of others may be told of the next event, too: those that watch for a Select, and have
// no turn. They are listed under mu, ask the system after that whether the direction is ready, and
// do not look at the word: so they leave what operations know as it is.
type readiness struct {
	word    atomic.Uint64
	parked  atomic.Pointer[wait.Waiter] // stored by the operation, removed under mu
	watched atomic.Pointer[wait.List]   // those who watch, nil for none; changed under mu
	mu      sync.Mutex
}

// Both directions of a descriptor. They lie in a table by the descriptor's number, which
// refers to no FD: one that is not used any more is garbage.
type readinesses struct {
	read, write readiness // which are one cache line, together
}

// lineSize is the size of a cache line.
const lineSize = 64

// The parts of a word.
const (
	isReady uint64 = 1 << iota     // a call might not wait
	isDoubt                        // less than was asked for says nothing about what there is
	oneTick                        // 32 bits
	oneLife uint64 = oneTick << 32 // 30 bits

	tickMask = oneLife - oneTick
	lifeMask = ^(oneLife - 1)
)

// lifeOf returns the life of a word, as events have it.
func lifeOf(word uint64) int32 { return int32(word / oneLife) }

// begin begins a life, of which nothing is known: the first call finds out.
func (r *readinesses) begin() (life int32) {
	word := r.read.word.Load()&lifeMask + oneLife | isReady
	r.read.word.Store(word)
	r.write.word.Store(word)
	return lifeOf(word)
}

// end keeps out events that are still on their way to the FD that is closed.
func (r *readinesses) end() { r.begin() }

// post notes an event of that life, and wakes the operation that waits for it. The result is
// false if that life is over.
func (r *readiness) post(life int32, flags uint64) bool {
	for {
		word := r.word.Load()
		if lifeOf(word) != life {
			return false
		}
		if r.word.CompareAndSwap(word, word&^tickMask|(word+oneTick)&tickMask|flags) {
			break
		}
	}
	if r.parked.Load() != nil || r.watched.Load() != nil {
		r.wake()
	}
	return true
}

// evict makes the operation that waits look again.
func (r *readiness) evict() {
	for !r.post(lifeOf(r.word.Load()), isReady) {
	}
}

func (r *readiness) wake() {
	r.mu.Lock()
	w := r.parked.Load()
	granted := w != nil && w.Grant()
	if w != nil {
		r.parked.Store(nil)
	}
	var watchers wait.Batch
	if l := r.watched.Load(); l != nil {
		l.PopAll(&watchers)
		r.watched.Store(nil)
	}
	r.mu.Unlock()
	if granted {
		w.Wake()
	}
	watchers.Wake()
}

// watch makes the next event wake w, too.
func (r *readiness) watch(w *wait.Waiter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.watched.Load()
	if l == nil {
		l = new(wait.List)
		r.watched.Store(l)
	}
	l.Push(w)
}

// unwatch takes w back, if it is still listed. The number of the descriptor may be another one's by
// now, whose list is another one.
func (r *readiness) unwatch(w *wait.Waiter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.watched.Load()
	if l == nil {
		return
	}
	if l.Remove(w); l.Empty() {
		r.watched.Store(nil)
	}
}

// each calls fn for each waiter.
func (r *readiness) each(fn func(w *wait.Waiter)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.parked.Load(); w != nil {
		fn(w)
	}
	if l := r.watched.Load(); l != nil {
		eachOf(l, fn)
	}
}

// clear makes the direction not ready, unless there was an event since seen was loaded.
func (r *readiness) clear(seen uint64) { r.word.CompareAndSwap(seen, seen&^isReady) }

// offer makes w the waiter that the next event wakes. ok is false if the direction is ready
// already; then nobody refers to w.
func (r *readiness) offer(w *wait.Waiter) (ok bool) {
	r.parked.Store(w)
	return r.word.Load()&isReady == 0 || !r.takeBack(w)
}

// takeBack removes w. ok is false if an event has already done so.
func (r *readiness) takeBack(w *wait.Waiter) (ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.parked.Load() != w {
		return false
	}
	r.parked.Store(nil)
	return true
}
