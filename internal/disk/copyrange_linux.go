package disk

import (
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unsafe"
)

// CanCopyRange reports whether copy_file_range(2) may be used: before Linux 5.3 it is broken in several
// ways.
var CanCopyRange = sync.OnceValue(func() bool {
	var name syscall.Utsname
	if sysCopyFileRange == 0 || syscall.Uname(&name) != nil {
		return false
	}
	var release strings.Builder
	for _, c := range name.Release {
		if c == 0 {
			break
		}
		release.WriteByte(byte(c))
	}
	return atLeast(release.String(), 5, 3)
})

// atLeast reports whether a kernel's release, for example "6.1.0-13-amd64", is that version or a newer one.
func atLeast(release string, major, minor int) bool {
	first, rest, _ := strings.Cut(release, ".")
	second := rest
	if i := strings.IndexFunc(rest, func(c rune) bool { return c < '0' || c > '9' }); i >= 0 {
		second = rest[:i]
	}
	a, err := strconv.Atoi(first)
	if err != nil {
		return false
	}
	b, err := strconv.Atoi(second)
	if err != nil {
		b = 0
	}
	return a > major || a == major && b >= minor
}

// CopyRange copies up to n bytes at the offset off of one regular file to the same offset of another.
// It moves no file position. The system call is copy_file_range(2).
func CopyRange(to, from int, off int64, n int) (int, error) {
	in, out := off, off
	for {
		k, _, e := syscall.Syscall6(sysCopyFileRange, uintptr(from), uintptr(unsafe.Pointer(&in)),
			uintptr(to), uintptr(unsafe.Pointer(&out)), uintptr(n), 0)
		switch e {
		case 0:
			return int(k), nil
		case syscall.EINTR:
		default:
			return 0, e
		}
	}
}
