package socket

import (
	"testing"
	"unsafe"
)

// A Socket begins at a cache line, for which poll.FD is laid out. The allocator sees to that if the
// size is a multiple of 64 bytes and at most 512; it puts a header before larger objects.
func TestLayout(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) < 8 {
		t.Skip("on 32-bit systems everything is smaller")
	}
	var kept [100]*Socket
	for i := range kept {
		kept[i] = new(Socket)
		if at := uintptr(unsafe.Pointer(&kept[i].fd)) % 64; at != 0 {
			t.Fatalf("the descriptor of a socket of %d bytes begins at %d of a cache line", unsafe.Sizeof(*kept[i]), at)
		}
	}
}
