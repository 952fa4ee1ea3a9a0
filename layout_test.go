package curio

import (
	"reflect"
	"runtime"
	"testing"
)

// A task's scope begins at a cache line, whether it has a result or not: see wait.Scope.
func TestLayout(t *testing.T) {
	if reflect.TypeFor[uintptr]().Size() < 8 {
		t.Skip("on 32-bit systems everything is smaller")
	}
	var kept []any
	for range 100 {
		both, alone := new(bothInOne[struct{}]), new(AnyTask)
		kept = append(kept, both, alone)
		for what, at := range map[string]uintptr{"without a result": reflect.ValueOf(&both.common).Pointer(), "with one": reflect.ValueOf(alone).Pointer()} {
			if at%64 != 0 {
				t.Fatalf("a task %s begins at %d of a cache line", what, at%64)
			}
		}
	}
	runtime.KeepAlive(kept)
}
