package process

import (
	"bytes"
	"syscall"
	"unsafe"
)

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

func openSlave(master int) (slave int, err error) {
	var name [128]byte
	for _, request := range []uintptr{syscall.TIOCPTYGRANT, syscall.TIOCPTYUNLK, syscall.TIOCPTYGNAME} {
		if err := ioctl(master, request, unsafe.Pointer(&name)); err != nil {
			return -1, err
		}
	}
	text, _, _ := bytes.Cut(name[:], []byte{0})
	return open(string(text), 0)
}
