package chat

import (
	"strings"
	"testing"
)

// A name that is refused leaves nothing behind: a client may try as many as it likes.
func TestNames(t *testing.T) {
	var room curioRoom
	for _, name := range []string{"", "a: b", strings.Repeat("x", 900)} {
		if room.take(name) {
			t.Errorf("%q will do", name)
		}
	}
	if !room.take("Ann") || room.take("Ann") {
		t.Error("Ann is not taken once")
	}
	room.names.Delete("Ann")
	room.names.Range(func(name, _ any) bool {
		t.Errorf("%.50q is kept", name)
		return true
	})
}
