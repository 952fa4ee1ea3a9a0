package poll

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"github.com/curio-go/curio/internal/wait"
)

func pipeOnExecClosed() (ends [2]int, err error) {
	return ends, os.NewSyscallError("pipe2", syscall.Pipe2(ends[:], syscall.O_CLOEXEC))
}

// watchForSelect is watch without the few.
func (f *FD) watchForSelect() error {
	if ownPolling && !wait.InBubble() && f.sysfd >= 0 && f.sysfd < maxWatched && epollIsGood() {
		if err := f.watchByUs(); err != errNotOurs {
			return err
		}
	}
	return f.watchByRuntime(nil)
}

// openAnew opens what fd is about once more, in blocking mode. It does not wait for the other side of a
// FIFO. Without /proc it fails.
func openAnew(fd, access int, info *syscall.Stat_t) (int, error) {
	if info.Mode&syscall.S_IFMT != syscall.S_IFIFO && !isTerminal(info) {
		return -1, fmt.Errorf("%w: it is in non-blocking mode, which a program does not expect, and cannot be opened anew", errors.ErrUnsupported)
	}
	name := "/proc/self/fd/" + strconv.Itoa(fd)
	for {
		anew, err := syscall.Open(name, access|syscall.O_NONBLOCK|syscall.O_CLOEXEC|syscall.O_NOCTTY, 0)
		switch err {
		case nil:
			if err := syscall.SetNonblock(anew, false); err != nil {
				syscall.Close(anew)
				return -1, os.NewSyscallError("fcntl", err)
			}
			return anew, nil
		case syscall.EINTR:
		case syscall.ENXIO: // nobody reads from the pipe
			return -1, syscall.EPIPE
		default:
			return -1, os.NewSyscallError("open", err)
		}
	}
}

// isTerminal reports whether opening the device anew gives the same terminal. The other side of a
// pseudo-terminal, /dev/ptmx, would be another one.
func isTerminal(info *syscall.Stat_t) bool {
	if info.Mode&syscall.S_IFMT != syscall.S_IFCHR {
		return false
	}
	major, minor := info.Rdev>>8&0xfff, info.Rdev&0xff
	return major == 4 || major == 5 && minor != 2 || 136 <= major && major < 144
}
