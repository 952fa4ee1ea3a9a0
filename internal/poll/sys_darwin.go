package poll

import "syscall"

// accept holds the lock, under which nobody can start a process that would inherit
// the descriptor before it is marked: macOS cannot mark it in the same call.
func accept(fd int, peer *Name) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	n, sa, err := syscall.Accept(fd)
	if err != nil {
		return -1, err
	}
	*peer, _ = nameFrom(sa, nil)
	return newborn(n)
}
