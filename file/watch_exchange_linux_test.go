package file_test

import (
	"runtime"
	"syscall"
	"testing"
	"unsafe"
)

// exchange exchanges two names, with renameat2(2) and RENAME_EXCHANGE.
func exchange(t *testing.T, a, b string) {
	t.Helper()
	number, ok := map[string]uintptr{"386": 353, "amd64": 316, "arm": 382, "arm64": 276, "riscv64": 276}[runtime.GOARCH]
	if !ok {
		t.Skipf("the number of renameat2 on %s is not known here", runtime.GOARCH)
	}
	from, err := syscall.BytePtrFromString(a)
	check(t, err)
	to, err := syscall.BytePtrFromString(b)
	check(t, err)
	here := -100 // AT_FDCWD
	_, _, errno := syscall.Syscall6(number, uintptr(here), uintptr(unsafe.Pointer(from)), uintptr(here), uintptr(unsafe.Pointer(to)), 2, 0)
	if errno != 0 {
		t.Skipf("this file system cannot exchange names: %v", errno)
	}
}
