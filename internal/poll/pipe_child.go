package poll

import (
	"os"
	"syscall"
)

// TransportOf returns what a *stream.Stream is over, nil for the zero one. Package stream sets it. Other
// packages of this module have no other way to look at it and leave the stream as it is.
var TransportOf func(stream any) any

// NewForSelect is New for a descriptor for which a Select waits again and again. It is never one of the
// few on the runtime's poller, where each such wait costs an epoll descriptor of its own.
func NewForSelect(sysfd int) (*FD, error) {
	f := new(FD)
	f.prepare(sysfd, 0)
	if err := f.watchForSelect(); err != nil {
		return nil, err
	}
	return f, nil
}

// PipeForChild makes a pipe of which one end is for a child process. Both ends are in blocking mode, as
// the child expects it, closed on exec, and have no number of a standard stream.
func PipeForChild() (r, w int, err error) {
	ends, err := pipeOnExecClosed()
	if err != nil {
		return -1, -1, err
	}
	if ends, err = pairAboveStdio(ends); err != nil {
		return -1, -1, err
	}
	return ends[0], ends[1], nil
}

// BlockingForChild returns a descriptor of what fd is about that is in blocking mode, or of which the mode
// does not matter, and takes fd over: it returns fd or closes it. The mode belongs to the open file, which
// others share. So it is left alone, and a pipe, a FIFO or a terminal is opened anew.
func BlockingForChild(fd int) (int, error) {
	flags, err := fileFlags(fd)
	if err != nil {
		syscall.Close(fd)
		return -1, err
	}
	var info syscall.Stat_t
	if err := fstat(fd, &info); err != nil {
		syscall.Close(fd)
		return -1, err
	}
	if flags&syscall.O_NONBLOCK == 0 || alwaysReady(uint32(info.Mode)) {
		return fd, nil
	}
	anew, err := openAnew(fd, flags&syscall.O_ACCMODE, &info)
	syscall.Close(fd)
	if err != nil {
		return -1, err
	}
	return aboveStdio(anew)
}

func alwaysReady(mode uint32) bool {
	kind := mode & syscall.S_IFMT
	return kind == syscall.S_IFREG || kind == syscall.S_IFDIR || kind == syscall.S_IFBLK
}

func fileFlags(fd int) (int, error) {
	for {
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
		switch errno {
		case 0:
			return int(flags), nil
		case syscall.EINTR:
		default:
			return 0, os.NewSyscallError("fcntl", errno)
		}
	}
}

func fstat(fd int, info *syscall.Stat_t) error {
	for {
		if err := syscall.Fstat(fd, info); err != syscall.EINTR {
			return os.NewSyscallError("fstat", err)
		}
	}
}
