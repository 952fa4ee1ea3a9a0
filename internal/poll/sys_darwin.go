package poll

import "syscall"

// accept holds the lock, under which nobody can start a process that would inherit
// the descriptor before it is marked: macOS cannot mark it in the same call.
func accept(fd int) (int, syscall.Sockaddr, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	n, peer, err := syscall.Accept(fd)
	if err != nil {
		return -1, nil, err
	}
	if err := newborn(n); err != nil {
		return -1, nil, err
	}
	return n, peer, nil
}
