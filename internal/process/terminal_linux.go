package process

import (
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// openPeer is TIOCGPTPEER.
var openPeer = func() uintptr {
	if strings.HasPrefix(runtime.GOARCH, "mips") || strings.HasPrefix(runtime.GOARCH, "ppc64") {
		return 0x20005441
	}
	return 0x5441
}()

// OpenTerminal opens a pseudo-terminal: our side, in non-blocking mode, and the program's. Both are closed
// on exec.
func OpenTerminal() (master, slave int, err error) {
	master, err = open("/dev/ptmx", syscall.O_NONBLOCK)
	if err != nil {
		return -1, -1, err
	}
	slave, err = openSlave(master)
	if err != nil {
		syscall.Close(master)
		return -1, -1, err
	}
	return master, slave, nil
}

// openSlave opens the other side by the descriptor, which cannot be another terminal's, whatever is
// mounted at /dev/pts, or before Linux 4.13 by its name.
func openSlave(master int) (slave int, err error) {
	var unlocked, number int32
	if err := ioctl(master, syscall.TIOCSPTLCK, unsafe.Pointer(&unlocked)); err != nil {
		return -1, err
	}
	r, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(master), openPeer, syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC)
	if errno == 0 {
		return int(r), nil
	}
	if err := ioctl(master, syscall.TIOCGPTN, unsafe.Pointer(&number)); err != nil {
		return -1, err
	}
	return open("/dev/pts/"+strconv.Itoa(int(number)), 0)
}
