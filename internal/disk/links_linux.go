package disk

import (
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"
)

// Locate is MountOf for a path that may have symbolic links in it: as far as these can be followed in
// memory, it returns the mount that they lead to. If no mount may hang, it does not matter where they
// lead, and it is MountOf.
//
// It looks at a name only as long as that is in a mount that does not hang, and follows each link
// itself. The system could follow them in memory too, but at the end it asks the server of an NFS mount
// whether the folder is still there, whatever the flags say.
func Locate(path string) (Mount, bool) {
	t := now()
	m, ok := t.find(path)
	const mostLinks = 40 // in the system's form
	for range mostLinks {
		if !ok || !t.risky || m.mayHang() {
			break
		}
		next, linked := followOne(path)
		if !linked {
			break
		}
		path = next
		m, ok = t.find(path)
	}
	return m, ok
}

// followOne replaces the first symbolic link in path by what it leads to. linked is false if there is
// none, or if that is not in memory.
func followOne(path string) (next string, linked bool) {
	fd, errno := openCached(path, oPath)
	if errno == 0 {
		syscall.Close(fd)
	}
	if errno != syscall.ELOOP {
		return "", false
	}
	for end := 1; end <= len(path); end++ {
		if end < len(path) && path[end] != '/' {
			continue
		}
		target, ok := readLink(path[:end])
		if !ok {
			continue
		}
		if !filepath.IsAbs(target) {
			target = path[:strings.LastIndexByte(path[:end], '/')+1] + target
		}
		return filepath.Clean(target + path[end:]), true
	}
	return "", false
}

const oPath = 0x200000 // O_PATH

// readLink returns where a symbolic link leads to. ok is false if name is none.
func readLink(name string) (target string, ok bool) {
	fd, errno := openCached(name, oPath|syscall.O_NOFOLLOW)
	if errno != 0 {
		return "", false
	}
	defer syscall.Close(fd)
	var empty byte // the name of the descriptor itself
	buf := make([]byte, 4096)
	for {
		n, _, errno := syscall.Syscall6(syscall.SYS_READLINKAT, uintptr(fd), uintptr(unsafe.Pointer(&empty)),
			uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0)
		switch errno {
		case 0:
			return string(buf[:n]), n > 0
		case syscall.EINTR:
		default:
			return "", false
		}
	}
}
