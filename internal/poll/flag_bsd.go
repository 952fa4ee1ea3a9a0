//go:build darwin || freebsd

package poll

import "syscall"

// newFlagFDs makes a pipe.
func newFlagFDs() (fds flagFDs, call string, err error) {
	var p [2]int
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := syscall.Pipe(p[:]); err != nil {
		return flagFDs{}, "pipe", err
	}
	p, err = newbornPair(p)
	if err != nil {
		return flagFDs{}, "fcntl", err
	}
	return flagFDs{p[0], p[1]}, "", nil
}

func (f flagFDs) raise() { write(f.write, []byte{0}) }

// lower reads what is in the pipe.
func (f flagFDs) lower() {
	var b [512]byte
	for {
		if n, errno := read(f.read, b[:]); n < len(b) || errno != 0 {
			return
		}
	}
}

func (f flagFDs) close() {
	syscall.Close(f.read)
	syscall.Close(f.write)
}
