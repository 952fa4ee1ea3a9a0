//go:build linux

package main

import (
	"bytes"
	"testing"
)

func TestPatternTellsMessagesApart(t *testing.T) {
	const size = 64
	p := newPattern(size)
	message := func(connection, number uint32) []byte {
		start := p.start(connection, number)
		return p[start : start+size]
	}
	for connection := range uint32(1000) {
		for number := range uint32(20) {
			this := message(connection, number)
			if bytes.Equal(this, message(connection, number+1)) {
				t.Fatalf("connection %d: messages %d and %d are equal", connection, number, number+1)
			}
			if bytes.Equal(this, message(connection+1, number)) {
				t.Fatalf("message %d of connections %d and %d is equal", number, connection, connection+1)
			}
		}
	}
}

func TestPatternFitsItsWindows(t *testing.T) {
	const size = 5
	p := newPattern(size)
	for i := range uint32(100_000) {
		if start := p.start(i*7919, i); int(start)+size > len(p) {
			t.Fatalf("message %d of connection %d begins at %d of %d bytes", i, i*7919, start, len(p))
		}
	}
}
