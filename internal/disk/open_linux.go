package disk

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// openHow is struct open_how of <linux/openat2.h>.
type openHow struct{ flags, mode, resolve uint64 }

const (
	resolveNoSymlinks = 0x04
	resolveCached     = 0x20
)

// openat2 is the number of the system call, 0 where it is not known.
func openat2() uintptr {
	switch runtime.GOARCH {
	case "amd64", "386", "arm64", "riscv64", "loong64", "arm", "ppc64", "ppc64le", "s390x":
		return 437
	}
	return 0
}

var noCachedOpen atomic.Bool // the system has no openat2(2)

// OpenCached opens a file if the system has in memory what it takes to find it, and no symbolic link
// is on the way: openat2(2) with RESOLVE_CACHED. It does not create or truncate. ok is false if the
// file has to be opened in the usual way, which also finds out what is wrong. It is for file systems of
// class Local or Memory: others may ask a server when a file is opened.
func OpenCached(name string, flags int) (fd int, ok bool) {
	const waits = syscall.O_CREAT | syscall.O_TRUNC
	if flags&waits != 0 {
		return -1, false
	}
	fd, errno := openCached(name, flags|syscall.O_LARGEFILE)
	return fd, errno == 0
}

// openCached opens name if it can be found in memory, without following a link. With O_PATH, no file
// system is asked for anything.
func openCached(name string, flags int) (fd int, errno syscall.Errno) {
	trap := openat2()
	if trap == 0 || noCachedOpen.Load() {
		return -1, syscall.ENOSYS
	}
	path, err := syscall.BytePtrFromString(name)
	if err != nil {
		return -1, syscall.EINVAL
	}
	how := openHow{flags: uint64(flags | syscall.O_CLOEXEC), resolve: resolveCached | resolveNoSymlinks}
	cwd := -0x64 // AT_FDCWD
	n, _, errno := syscall.Syscall6(trap, uintptr(cwd), uintptr(unsafe.Pointer(path)),
		uintptr(unsafe.Pointer(&how)), unsafe.Sizeof(how), 0, 0)
	if errno == syscall.ENOSYS {
		noCachedOpen.Store(true)
	}
	if errno != 0 {
		return -1, errno
	}
	return int(n), 0
}
