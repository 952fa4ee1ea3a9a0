package poll

import (
	"testing"
	"unsafe"
)

// The layout that FD's comment promises, for an FD that begins at a cache line. Those of sockets do,
// as a test of package socket checks.
func TestLayout(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) < 8 {
		t.Skip("on 32-bit systems everything is smaller")
	}
	var f FD
	if r, w := unsafe.Offsetof(f.reader), unsafe.Offsetof(f.writer); r != lineSize || w%lineSize != 0 {
		t.Errorf("the reader is at %d, the writer at %d", r, w)
	}
	if plain := unsafe.Offsetof(f.reader.err) + unsafe.Sizeof(f.reader.err); plain >= 2*lineSize {
		t.Errorf("what each operation needs of its direction takes %d bytes", plain)
	}
	if size := unsafe.Sizeof(readinesses{}); size != lineSize {
		t.Errorf("what is known of a descriptor takes %d bytes", size)
	}
}
