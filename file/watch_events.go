package file

import (
	"context"
	"sync"

	"github.com/curio-go/curio"
)

// A watchEvent is what the kernel has told about a place that is watched. mask has the bits of
// inotify(7), on all systems.
type watchEvent struct {
	spot   *watchSpot
	name   string // "" for the directory itself
	mask   uint32
	cookie uint32 // the same for both halves of a rename
	wd     int32
}

const (
	wasModified   = 0x2
	wasAttributed = 0x4
	wasClosed     = 0x8 // after it was written to
	wasMovedFrom  = 0x40
	wasMovedTo    = 0x80
	wasCreated    = 0x100
	wasDeleted    = 0x200
	wasSelfDelete = 0x400
	wasSelfMove   = 0x800
	wasUnmounted  = 0x2000
	wasOverflow   = 0x4000
	wasIgnored    = 0x8000 // the kernel does not watch any more
	isDirectory   = 0x40000000

	wasHere = wasMovedFrom | wasMovedTo | wasCreated | wasDeleted
	wasAny  = wasHere | wasModified | wasAttributed | wasClosed | wasSelfDelete | wasSelfMove
	wasLost = wasUnmounted | wasIgnored // which are told whether asked for or not
)

// A watchSpot is a directory in which the kernel watches for a Watcher. wd, at and nth are guarded by
// kernelWatch.mu; the rest is set before the spot is added.
type watchSpot struct {
	w    *Watcher
	node *watchNode // of a tree, nil for a step of a trail
	only string     // the only name that matters, "" for all
	mask uint32     // what matters
	wd   int32      // 0 for none
	at   int32      // its index in w.spots
	nth  int32      // its index among the spots of its watch

	heard int32 // what wd was when the worker has last looked; the worker's
}

// rawEvents are what the worker has not looked at yet. There is a bound: when there are more, all are
// dropped, and the worker compares instead.
type rawEvents struct {
	mu     sync.Mutex
	events []watchEvent
	lost   bool
	closed bool
	worker curio.WaitList[struct{}]
}

// maxRawEvents is the bound. At 40 bytes and a name each, they are a MiB at most. The kernel keeps as many
// by default.
const maxRawEvents = 1 << 14

func (r *rawEvents) init(w *Watcher) {
	r.worker.Mutex, r.worker.State, r.worker.Object, r.worker.Serve = &r.mu, "FILE_WATCH_EVENTS", w, r.serve
}

func (r *rawEvents) serve() {
	if len(r.events) > 0 || r.lost {
		r.worker.HandAll(struct{}{})
	}
}

func (r *rawEvents) push(ev watchEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.lost || r.closed:
		return
	case len(r.events) == maxRawEvents:
		r.lost, r.events = true, nil
	default:
		r.events = append(r.events, ev)
	}
	r.serve()
}

// lose drops what there is and asks the worker to compare.
func (r *rawEvents) lose() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.lost, r.events = true, nil
		r.serve()
	}
}

func (r *rawEvents) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed, r.lost, r.events = true, false, nil
}

// take waits for events and takes all there are. used is a slice that it may use for those to come.
func (r *rawEvents) take(ctx context.Context, used []watchEvent) (batch []watchEvent, lost bool, err error) {
	if _, err := r.worker.Wait(ctx, struct{}{}); err != nil {
		return nil, false, err
	}
	clear(used)
	r.mu.Lock()
	defer r.mu.Unlock()
	batch, lost = r.events, r.lost
	if r.events, r.lost = used[:0], false; cap(used) > keptEvents {
		r.events = nil
	}
	return batch, lost, nil
}

// keptEvents is how large a slice may be that is kept for the next events.
const keptEvents = 1 << 10
