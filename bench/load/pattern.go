//go:build linux

package main

import "math/rand/v2"

// windows is how many different messages there are. A power of two, so that
// choosing one is a mask; the whole pattern still fits a first-level cache when
// messages are small.
const windows = 4096

// A pattern is random bytes, of which every message is a window. Where the
// window begins depends on the connection and on the message's number, so an
// echo that is late, torn, or meant for another connection compares unequal,
// and no message has to be made up while the clock runs.
type pattern []byte

func newPattern(size int) pattern {
	p := make(pattern, windows+size)
	source := rand.New(rand.NewPCG(1, 2)) // the same in every run
	for i := range p {
		p[i] = byte(source.Uint32())
	}
	return p
}

// start returns where a message begins.
func (pattern) start(connection, message uint32) uint32 {
	// Knuth's multiplicative hash: the low bits are the poor ones.
	hash := connection*2654435761 + message*40503
	return hash >> 7 % windows
}
