package wait

import (
	"testing"
	"unsafe"
)

// The layouts that waiter.go and scope.go promise.
func TestLayout(t *testing.T) {
	const line = 64
	if unsafe.Sizeof(uintptr(0)) < 8 {
		t.Skip("on 32-bit systems everything is smaller")
	}
	var w Waiter
	if hot := unsafe.Offsetof(w.scopePrev); hot != 2*line {
		t.Errorf("what the only wait in a scope needs of its waiter takes %d bytes", hot)
	}
	if size := unsafe.Sizeof(w); size != 4*line {
		t.Errorf("a waiter takes %d bytes", size)
	}
	if state := unsafe.Offsetof(w.parker.state); state >= line {
		t.Errorf("the state, which a waker changes, is at %d", state)
	}
	if hot := unsafe.Offsetof(w.scope.parent); hot != line {
		t.Errorf("what a wait needs of its scope takes %d bytes", hot)
	}
}

// A goroutine has found the waiter of a task that ends before the goroutine takes it. By then
// the waiter belongs to another task.
func TestTakeWaiterOfAnotherTask(t *testing.T) {
	kernel := NewKernel()
	var first, second Owner
	if !first.InitTask(kernel, Default) || !second.InitTask(kernel, Default) {
		t.Fatal("the kernel is closed")
	}
	defer second.Close()
	Place{scope: &first.Scope}.Waiter("TEST", nil).Free()
	found := first.waiter.Load()
	first.Close()
	second.waiter.Store(found)
	if first.takeOwn(found) {
		t.Error("it is taken for the first task")
	}
	if !second.takeOwn(found) {
		t.Error("the second task, whose it is, cannot take it")
	}
	found.state.Store(idle)
}
