//go:build darwin || freebsd

package poll

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

func pipeOnExecClosed() (ends [2]int, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := syscall.Pipe(ends[:]); err != nil {
		return ends, os.NewSyscallError("pipe", err)
	}
	syscall.CloseOnExec(ends[0])
	syscall.CloseOnExec(ends[1])
	return ends, nil
}

func (f *FD) watchForSelect() error { return f.watchByRuntime(nil) }

// openAnew fails: to open /dev/fd/n duplicates the descriptor, with the mode.
func openAnew(int, int, *syscall.Stat_t) (int, error) {
	return -1, fmt.Errorf("%w: it is in non-blocking mode, which a program does not expect", errors.ErrUnsupported)
}
