package socket

import (
	"testing"
	"unsafe"
)

// The allocator aligns objects of up to 512 bytes to a cache line, if their size is a multiple of
// one; larger ones have a header in front, and package poll's layout would straddle lines.
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
