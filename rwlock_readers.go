package curio

import (
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// readers are those who hold an RWLock for reading. As long as nobody writes or waits they come
// and go without the lock's mutex. The gate is in the same word as their number:
//
//	open ──► shut    under mu, by who may have to wait, before he looks whether somebody reads
//	shut ──► open    under mu, when nobody writes or waits
//
// While the gate is shut, readers enter under mu only. So the number of those whom a writer waits
// for can only fall, and the last of them, who finds the gate shut as he leaves, passes the lock
// on. For a moment in between, nobody has it; but nobody can overtake those who wait.
//
// Who reads is for Snapshot, and for telling a wrong release. Each reader notes himself in one of
// a few places, or, if these are taken, under mu.
type readers struct {
	word   atomic.Int64 // how many, and isShut
	places [8]atomic.Pointer[wait.Owner]
	others holds // guarded by mu
}

const isShut = 1 << 62

// noTask stands in a place for a goroutine of no task.
var noTask wait.Owner

func (r *readers) shut() { r.word.Or(isShut) }

func (r *readers) open() { r.word.And(^isShut) }

func (r *readers) number() int64 { return r.word.Load() &^ isShut }

// enter lets o in if the gate is open. mu is not held. noted is false if there is no place for o.
func (r *readers) enter(o *wait.Owner) (in, noted bool) {
	for {
		word := r.word.Load()
		if word&isShut != 0 {
			return false, false
		}
		if r.word.CompareAndSwap(word, word+1) {
			return true, r.note(o)
		}
	}
}

// enterLocked lets o in, whatever the gate is like.
func (r *readers) enterLocked(o *wait.Owner) {
	r.word.Add(1)
	r.others.add(o, 1)
}

// leave lets out one. last says that who has shut the gate may be waiting for that.
func (r *readers) leave() (last bool) { return r.word.Add(-1) == isShut }

func (r *readers) note(o *wait.Owner) bool { return r.swap(o, nil, orNoTask(o)) }

// strike takes a note of o away, and reports false if there is none in a place.
func (r *readers) strike(o *wait.Owner) bool { return r.swap(o, orNoTask(o), nil) }

// swap puts put into one place where before is. It begins with o's own place.
func (r *readers) swap(o, before, put *wait.Owner) bool {
	first := idOfOwner(o)
	for i := range uint64(len(r.places)) {
		if place := &r.places[(first+i)%uint64(len(r.places))]; place.Load() == before && place.CompareAndSwap(before, put) {
			return true
		}
	}
	return false
}

// all returns who reads. mu is held.
func (r *readers) all() (all holds) {
	r.others.each(all.add)
	for i := range r.places {
		switch o := r.places[i].Load(); o {
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

func idOfOwner(o *wait.Owner) uint64 {
	if o == nil {
		return 0
	}
	return o.ID
}
