package events

import "encoding/binary"

const (
	recordSize = 64
	textSize   = 28 // of one record
)

// A record has these fields, little-endian, so that it can be read from a file, on any machine:
//
//	 0  when, as wait.Now; 8 bytes, as the next three
//	 8  the task
//	16  arg
//	24  its number, 0 for none
//	32  a check sum of all the rest, 2 bytes
//	34  the kind
//	35  how long the text is in this record; goesOn if the next record has more of it
//	36  the text
type record [recordSize]byte

const goesOn = 0x80

// put fills r, and returns how much of text is in it.
func (r *record) put(kind Kind, at int64, task, arg, number uint64, text string) int {
	le := binary.LittleEndian
	n := min(len(text), textSize)
	length := byte(n)
	if n < len(text) {
		length |= goesOn
	}
	le.PutUint64(r[0:], uint64(at))
	le.PutUint64(r[8:], task)
	le.PutUint64(r[16:], arg)
	le.PutUint64(r[24:], number)
	le.PutUint32(r[32:], 0)
	r[34], r[35] = byte(kind), length
	clear(r[36+n:])
	copy(r[36:], text[:n])
	le.PutUint16(r[32:], r.sum())
	return n
}

// sum is the check sum of r, in which the place for it is zero.
func (r *record) sum() uint16 {
	le := binary.LittleEndian
	x := le.Uint64(r[0:]) ^ le.Uint64(r[8:]) ^ le.Uint64(r[16:]) ^ le.Uint64(r[24:]) ^
		le.Uint64(r[32:]) ^ le.Uint64(r[40:]) ^ le.Uint64(r[48:]) ^ le.Uint64(r[56:])
	x ^= x >> 32
	return uint16(x ^ x>>16)
}

// event returns what is in r, whose text may go on in the next record. ok is false if r is empty, was not written to the
// end, or is not the first of an event.
func (r record) event() (e Event, goes, ok bool) {
	le := binary.LittleEndian
	e = Event{
		Kind: Kind(r[34]), Time: int64(le.Uint64(r[0:])), Task: le.Uint64(r[8:]), Arg: le.Uint64(r[16:]), Number: le.Uint64(r[24:]),
	}
	length := r[35] &^ goesOn
	sum := le.Uint16(r[32:])
	r[32], r[33] = 0, 0
	if e.Kind == 0 || length > textSize || r.sum() != sum {
		return Event{}, false, false
	}
	e.Text = string(r[36 : 36+length])
	return e, r[35]&goesOn != 0, true
}
