package poll

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"github.com/curio-go/curio/internal/wait"
)

// Either way it is the epoll descriptor that is read.
var (
	foreignRead  = operation{state: "READ_WAIT", call: readyOnce}
	foreignWrite = operation{state: "WRITE_WAIT", call: readyOnce}
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
		return f.reader.wait(ctx, &foreignWrite)
	}
	return f.reader.wait(ctx, &foreignRead)
}

func newEpoll(fd int, write bool) (*FD, error) {
	epoll, err := createEpoll()
	if err != nil {
		return nil, err
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
	if write {
		event.Events = syscall.EPOLLOUT
	}
	if err := syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &event); err != nil {
		syscall.Close(epoll)
		return nil, fmt.Errorf("%v: %w", foreign(fd), os.NewSyscallError("epoll_ctl", err))
	}
	f := new(FD)
	f.prepare(epoll, 0)
	if err := f.watchByRuntime(nil); err != nil { // in ours it would be one level of epoll more
		return nil, err
	}
	return f, nil
}

// createEpoll makes an epoll descriptor that an os.File takes.
func createEpoll() (int, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("epoll_create1", err)
	}
	if fd, err = aboveStdio(fd); err != nil {
		return -1, os.NewSyscallError("fcntl", err)
	}
	// An epoll descriptor has no blocking mode; os.File looks at the flag.
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return -1, os.NewSyscallError("fcntl", err)
	}
	return fd, nil
}
