package main

import (
	"os"
	"syscall"
)

// A poller is an epoll(7) instance, as another library's event loop may have one.
type poller int

// newPoller makes one that watches fd.
func newPoller(fd int) (poller, error) {
	p, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("epoll_create1", err)
	}
	readable := &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
	if err := syscall.EpollCtl(p, syscall.EPOLL_CTL_ADD, fd, readable); err != nil {
		syscall.Close(p)
		return -1, os.NewSyscallError("epoll_ctl", err)
	}
	return poller(p), nil
}

// wait blocks the thread until fd is readable.
func (p poller) wait() error {
	for {
		_, err := syscall.EpollWait(int(p), make([]syscall.EpollEvent, 1), -1)
		if err != syscall.EINTR {
			return os.NewSyscallError("epoll_wait", err)
		}
	}
}

func (p poller) close() { syscall.Close(int(p)) }
