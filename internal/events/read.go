package events

import (
	"cmp"
	"slices"
)

// An Event is what has happened to a task. See Kind for the fields.
type Event struct {
	Kind   Kind
	Time   int64 // as wait.Now
	Task   uint64
	Arg    uint64
	Number uint64 // of all events of the process, 0 if nobody has asked for Order
	Text   string
	Cut    bool // Text is only the beginning
}

// decode returns what is in records. If they are a ring, the text of the last one may go on in the first.
func decode(records []byte, isRing bool) []Event {
	n := len(records) / recordSize
	at := func(i int) record { return record(records[i*recordSize : (i+1)*recordSize]) }
	var all []Event
	for i := range n {
		e, goes, ok := at(i).event()
		if !ok || e.Kind == more {
			continue
		}
		for part := 1; goes; part++ {
			if i+part >= n && !isRing {
				break
			}
			next, further, ok := at((i + part) % n).event()
			if !ok || next.Kind != more || next.Task != e.Task || next.Time != e.Time || next.Arg != uint64(part) {
				break
			}
			e.Text, goes = e.Text+next.Text, further
		}
		e.Cut = goes
		all = append(all, e)
	}
	return all
}

// inOrder compares events: by time, and at the same time by number. In a bubble of testing/synctest much happens at the
// same time.
func inOrder(a, b Event) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Number, b.Number))
}

// Read returns what is in the ring, the oldest first.
func Read() []Event {
	var all []Event
	for i := range ring {
		s := &ring[i]
		s.mu.Lock()
		records, _ := s.readLocked(nil, 0)
		s.mu.Unlock()
		all = append(all, decode(records, false)...)
	}
	slices.SortStableFunc(all, inOrder)
	return all
}

// Decode returns what is in mem, the memory of a ring that nobody writes any more, the oldest first. Records that were
// being written when the process ended are left out.
func Decode(mem []byte) []Event {
	var all []Event
	for part := range slices.Chunk(mem, max(len(mem)/shards, recordSize)) {
		all = append(all, decode(part, true)...)
	}
	slices.SortStableFunc(all, inOrder)
	return all
}

// A Cursor reads events as they are recorded, each once, in the order of their numbers. It is for one goroutine at a time.
// Order has to have been asked for before it is made.
type Cursor struct {
	next   [shards]uint64 // of each shard, the record to read next
	missed uint64         // of which the caller has been told
	held   []Event        // those before which something may still come
}

// NewCursor returns a cursor for what is recorded from now on.
func NewCursor() *Cursor {
	c := &Cursor{missed: missed.Load()}
	for i := range ring {
		s := &ring[i]
		s.mu.Lock()
		c.next[i] = s.next
		s.mu.Unlock()
	}
	return c
}

// Next returns what has been recorded since the last call. lost is how many records were overwritten before they were
// read, or dropped.
func (c *Cursor) Next() (events []Event, lost uint64) {
	m := missed.Load()
	lost, c.missed = m-c.missed, m
	// An event takes its number while it has the shard. So what has a number by now is in a shard that is read below,
	// or still has the shard, and reading waits for it.
	last := number.Load()
	all := c.held
	for i := range ring {
		s := &ring[i]
		s.mu.Lock()
		records, missing := s.readLocked(nil, c.next[i])
		c.next[i] = s.next
		s.mu.Unlock()
		lost += missing
		all = append(all, decode(records, false)...)
	}
	slices.SortStableFunc(all, func(a, b Event) int { return cmp.Compare(a.Number, b.Number) })
	n := len(all)
	for n > 0 && all[n-1].Number > last {
		n--
	}
	c.held = slices.Clone(all[n:])
	return all[:n:n], lost
}
