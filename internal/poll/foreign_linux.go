package poll

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"github.com/curio-go/curio/internal/wait"
)

// waitForeign watches fd with an epoll instance that is made for this wait, and
// waits for that one, which is ready when it has something to tell. A duplicate
// of fd in the runtime's poller would be cheaper by a system call, but must be
// non-blocking, and the mode is shared with the original.
func waitForeign(ctx context.Context, _ wait.Place, fd int, write bool) error {
	f, err := newEpoll(fd, write)
	if err != nil {
		return err
	}
	f.SetObject(foreign(fd))
	defer f.Close()
	if write {
		return f.reader.wait(ctx, "WRITE_WAIT")
	}
	return f.reader.wait(ctx, "READ_WAIT")
}

func newEpoll(fd int, write bool) (*FD, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	// An epoll descriptor has no blocking mode; os.File looks at the flag.
	if err := syscall.SetNonblock(epoll, true); err != nil {
		syscall.Close(epoll)
		return nil, os.NewSyscallError("fcntl", err)
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
	if write {
		event.Events = syscall.EPOLLOUT
	}
	if err := syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &event); err != nil {
		syscall.Close(epoll)
		return nil, fmt.Errorf("%v: %w", foreign(fd), os.NewSyscallError("epoll_ctl", err))
	}
	return New(epoll, false)
}
