package process

import (
	"strconv"
	"syscall"
	"unsafe"
)

// OpenTerminal opens a pseudo-terminal: our side, in non-blocking mode, and the program's. Both are closed
// on exec.
func OpenTerminal() (master, slave int, err error) {
	r, _, errno := syscall.Syscall(syscall.SYS_POSIX_OPENPT, syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, -1, errno
	}
	master = int(r)
	slave, err = openSlave(master)
	if err == nil {
		err = syscall.SetNonblock(master, true)
		if err != nil {
			syscall.Close(slave)
		}
	}
	if err != nil {
		syscall.Close(master)
		return -1, -1, err
	}
	return master, slave, nil
}

func openSlave(master int) (slave int, err error) {
	var number int32
	if err := ioctl(master, syscall.TIOCGPTN, unsafe.Pointer(&number)); err != nil {
		return -1, err
	}
	return open("/dev/pts/"+strconv.Itoa(int(number)), 0)
}
