//go:build linux

package main

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestOpenSpreadsSources opens three connections as if of many.
func TestOpenSpreadsSources(t *testing.T) {
	c := serve(t, echo(unchanged))
	c.connections = 2*perSource + 1
	w, err := newWorker(&plan{config: c, pattern: newPattern(c.size)}, 0, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	for i, want := range []byte{1, 2, 3, 1} {
		connection := &w.connections[i]
		if err := w.open(connection); err != nil {
			t.Fatal(err)
		}
		name, err := unix.Getsockname(int(connection.descriptor))
		if err != nil {
			t.Fatal(err)
		}
		if got := name.(*unix.SockaddrInet4).Addr; got != [4]byte{127, 0, 0, want} {
			t.Errorf("connection %d comes from %v", i, got)
		}
	}
}
