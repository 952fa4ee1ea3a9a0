//go:build darwin || freebsd

package main

import (
	"os"
	"syscall"
)

// A poller is a kqueue(2), as another library's event loop may have one.
type poller int

// newPoller makes one that watches fd.
func newPoller(fd int) (poller, error) {
	syscall.ForkLock.RLock()
	p, err := syscall.Kqueue()
	if err == nil {
		syscall.CloseOnExec(p)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, os.NewSyscallError("kqueue", err)
	}
	readable := make([]syscall.Kevent_t, 1)
	syscall.SetKevent(&readable[0], fd, syscall.EVFILT_READ, syscall.EV_ADD)
	if _, err := syscall.Kevent(p, readable, nil, nil); err != nil {
		syscall.Close(p)
		return -1, os.NewSyscallError("kevent", err)
	}
	return poller(p), nil
}

// wait blocks the thread until fd is readable.
func (p poller) wait() error {
	for {
		_, err := syscall.Kevent(int(p), nil, make([]syscall.Kevent_t, 1), nil)
		if err != syscall.EINTR {
			return os.NewSyscallError("kevent", err)
		}
	}
}

func (p poller) close() { syscall.Close(int(p)) }
