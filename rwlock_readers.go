package curio

import (
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// readers are the readers of an RWLock. While nobody writes or waits, they come and go without
// the lock's mutex. Their number and a gate share one word:
//
//	open ──► shut    under mu, by a caller that may have to wait, before it checks for readers
//	shut ──► open    under mu, when nobody writes or waits
//
// While the gate is shut, readers enter only under mu. So the number of readers that a writer
// waits for can only fall. The last of them finds the gate shut as it leaves, and passes the lock
// on. Until then nobody holds the lock, but newcomers still queue behind the writer.
//
// Snapshot lists the readers, and releasing the lock without being one of them is misuse. So each
// reader records itself: in one of a few slots, or in others if the slots are full.
type readers struct {
	word   atomic.Int64 // their number, and isShut
	slots  [8]atomic.Pointer[wait.Owner]
	others holds // guarded by mu
}

const isShut = 1 << 62

// noTask is recorded for a goroutine of no task.
var noTask wait.Owner

func (r *readers) shut() { r.word.Or(isShut) }

func (r *readers) open() { r.word.And(^isShut) }

func (r *readers) number() int64 { return r.word.Load() &^ isShut }

// enter lets o in if the gate is open. If recorded is false, there was no free slot, and the caller
// adds o to others.
func (r *readers) enter(o *wait.Owner) (in, recorded bool) {
	for {
		word := r.word.Load()
		if word&isShut != 0 {
			return false, false
		}
		if r.word.CompareAndSwap(word, word+1) {
			return true, r.record(o)
		}
	}
}

// enterLocked lets o in, whether or not the gate is open.
func (r *readers) enterLocked(o *wait.Owner) {
	r.word.Add(1)
	r.others.add(o, 1)
}

// leave lets a reader out. If last is true, no reader is left and the gate is shut, so a writer may
// be waiting.
func (r *readers) leave() (last bool) { return r.word.Add(-1) == isShut }

func (r *readers) record(o *wait.Owner) (ok bool) { return r.swap(o, nil, orNoTask(o)) }

// strike removes one record of o from the slots. ok is false if there is none.
func (r *readers) strike(o *wait.Owner) (ok bool) { return r.swap(o, orNoTask(o), nil) }

// swap replaces before by after in one slot. It tries the slot that o's number selects first.
func (r *readers) swap(o, before, after *wait.Owner) (ok bool) {
	first := orNoTask(o).ID
	for i := range uint64(len(r.slots)) {
		slot := &r.slots[(first+i)%uint64(len(r.slots))]
		if slot.Load() == before && slot.CompareAndSwap(before, after) {
			return true
		}
	}
	return false
}

// all returns the readers. The lock's mutex is held.
func (r *readers) all() (all holds) {
	r.others.each(all.add)
	for i := range r.slots {
		switch o := r.slots[i].Load(); o {
		case nil:
		case &noTask:
			all.add(nil, 1)
		default:
			all.add(o, 1)
		}
	}
	return all
}

func orNoTask(o *wait.Owner) *wait.Owner {
	if o == nil {
		return &noTask
	}
	return o
}
