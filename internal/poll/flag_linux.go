package poll

import (
	"encoding/binary"
	"syscall"
)

// newFlagFDs makes an eventfd(2), whose two ends are one descriptor.
func newFlagFDs() (fds flagFDs, call string, err error) {
	fd, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if errno != 0 {
		return flagFDs{}, "eventfd2", errno
	}
	n, err := aboveStdio(int(fd))
	if err != nil {
		return flagFDs{}, "fcntl", err
	}
	return flagFDs{n, n}, "", nil
}

func (f flagFDs) raise() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	write(f.write, one[:])
}

// lower reads the counter, which makes it 0.
func (f flagFDs) lower() {
	var count [8]byte
	read(f.read, count[:])
}

func (f flagFDs) close() { syscall.Close(f.read) }
