package events

import (
	"fmt"
	"sync"
	"sync/atomic"
)

const (
	shards    = 16
	mostParts = 5 // how many records a text takes at most

	usual = 256  // records of a shard
	large = 4096 // the same, once somebody has traced: a trace should survive a burst
)

// Size is how much memory the ring takes, in bytes, as long as nobody has traced.
const Size = shards * usual * recordSize

// A shard of the ring. Its size keeps its neighbours off its cache lines.
type shard struct {
	mu   sync.Mutex
	next uint64 // how many records have been written; guarded by mu, as mem
	mem  []byte // its records, a power of two of them; nil before the first

	_ [88]byte
}

var (
	ring   [shards]shard
	missed atomic.Uint64 // records for which every shard was taken
	number atomic.Uint64 // the number that was given out last
)

// Add records that something has happened to a task, at a reading of wait.Now. Of text, up to 140 bytes are kept. Add
// never waits and calls nothing.
func Add(kind Kind, at int64, task, arg uint64, text string) {
	for i := range uint64(shards) {
		s := &ring[(task+i)%shards]
		if s.mu.TryLock() {
			s.addLocked(kind, at, task, arg, text)
			s.mu.Unlock()
			return
		}
	}
	missed.Add(1)
}

func (s *shard) addLocked(kind Kind, at int64, task, arg uint64, text string) {
	n := uint64(0)
	if Wants(Order) {
		n = number.Add(1)
	}
	if s.mem == nil {
		s.mem = make([]byte, usual*recordSize)
	}
	for part := uint64(1); ; part++ {
		r := s.recordLocked(s.next)
		s.next++
		text = text[r.put(kind, at, task, arg, n, text):]
		if text == "" || part == mostParts {
			return
		}
		kind, arg = more, part
	}
}

// size is how many records s has room for.
func (s *shard) size() uint64 { return uint64(len(s.mem) / recordSize) }

// recordLocked returns the memory of the i-th record that was ever written.
func (s *shard) recordLocked(i uint64) *record {
	at := (i & (s.size() - 1)) * recordSize
	return (*record)(s.mem[at : at+recordSize])
}

// readLocked appends to b the records from the given one on that are still there. missing is how many are not.
func (s *shard) readLocked(b []byte, from uint64) (_ []byte, missing uint64) {
	if oldest := s.next - min(s.next, s.size()); from < oldest {
		missing, from = oldest-from, oldest
	}
	for i := from; i < s.next; i++ {
		b = append(b, s.recordLocked(i)[:]...)
	}
	return b, missing
}

// moveLocked makes mem the memory of s. It keeps what there is room for.
func (s *shard) moveLocked(mem []byte) {
	kept, _ := s.readLocked(nil, s.next-min(s.next, uint64(len(mem)/recordSize)))
	s.mem = mem
	for i := s.next - uint64(len(kept)/recordSize); i < s.next; i++ {
		kept = kept[copy(s.recordLocked(i)[:], kept):]
	}
}

// memory says where the ring is, and how large.
var memory whereabouts

type whereabouts struct {
	sync.Mutex
	mapped bool // in memory that somebody has given to it
	large  bool // in memory of its own, it is large
}

// ownLocked returns new memory for the ring.
func (m *whereabouts) ownLocked() []byte {
	if m.large {
		return make([]byte, shards*large*recordSize)
	}
	return make([]byte, Size)
}

// Move makes mem the memory of the ring, for example a mapped file. It must be of Size bytes, or that times a power of
// two, and all zero. It is used until the next call of Move; nil stands for memory that the ring makes itself. What has
// been recorded is kept, as far as there is room. Decode reads such memory.
func Move(mem []byte) {
	if n := len(mem); n%Size != 0 || n&(n-1) != 0 {
		panic(fmt.Sprintf("curio: internal error: a ring of %d bytes", n))
	}
	memory.Lock()
	defer memory.Unlock()
	memory.mapped = mem != nil
	if mem == nil {
		moveTo(memory.ownLocked())
		return
	}
	moveTo(mem)
}

// enlarge makes the ring large, unless it is in memory that somebody has given to it.
func enlarge() {
	memory.Lock()
	defer memory.Unlock()
	if memory.large {
		return
	}
	memory.large = true
	if !memory.mapped {
		moveTo(memory.ownLocked())
	}
}

func moveTo(mem []byte) {
	size := len(mem) / shards
	for i := range ring {
		ring[i].move(mem[i*size : (i+1)*size : (i+1)*size])
	}
}

func (s *shard) move(mem []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moveLocked(mem)
}
