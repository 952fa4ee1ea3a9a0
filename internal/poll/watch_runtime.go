package poll

import (
	"sync"

	"github.com/curio-go/curio/internal/wait"
)

// watchers are those who watch an FD that is on the runtime's poller, where nobody can wait without a
// turn. A Watch of the descriptor's number wakes them, as it does for foreign descriptors. As it hears
// nothing of a close, that is told here.
//
// Close evicts before it closes the descriptor, and nobody begins to watch after that. So when the
// number is another descriptor's, all Watches have lost their waiter, or been stopped.
type watchers struct {
	mu            sync.Mutex
	closed        bool
	reads, writes wait.List
}

func (x *watchers) list(write bool) *wait.List {
	if write {
		return &x.writes
	}
	return &x.reads
}

func (x *watchers) evict() {
	x.mu.Lock()
	x.closed = true
	var woken wait.Batch
	x.reads.PopAll(&woken)
	x.writes.PopAll(&woken)
	x.mu.Unlock()
	woken.Wake()
}

func (p *runtimePoller) watch(w *wait.Waiter, write bool) (ok bool) {
	x := p.watched.Load()
	if x == nil {
		p.watched.CompareAndSwap(nil, new(watchers))
		x = p.watched.Load()
	}
	err := p.control(func(fd uintptr) {
		x.mu.Lock()
		ok = !x.closed && !p.fd.closed.Load() // close may not have seen x
		if ok {
			x.list(write).Push(w)
		}
		x.mu.Unlock()
		if ok {
			w.Slot = WatchFD(int(fd), write, w)
		}
	})
	return err == nil && ok
}

func (p *runtimePoller) unwatch(w *wait.Waiter, write bool) error {
	if x := p.watched.Load(); x != nil {
		x.list(write).Leave(w, &x.mu)
	}
	watch, ok := w.Slot.(*Watch)
	if !ok {
		return nil
	}
	w.Slot = nil
	return watch.Stop()
}

func (p *runtimePoller) waiting(write bool, fn func(w *wait.Waiter)) {
	s := &p.reader
	if write {
		s = &p.writer
	}
	s.mu.Lock()
	if s.shown != nil {
		fn(s.shown)
	}
	s.mu.Unlock()
	if x := p.watched.Load(); x != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		eachOf(x.list(write), fn)
	}
}
