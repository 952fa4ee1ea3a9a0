//go:build linux

package main

import (
	"errors"
	"fmt"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls below are made once or more per message. None can block, so they go
// to the kernel without telling Go's scheduler, which is for calls that might;
// that also spares the check for a context on the way. What they would hold
// up, a collection, is off while they are made.

// send sends what the socket takes of data.
func send(descriptor int32, data []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(descriptor),
		uintptr(unsafe.Pointer(unsafe.SliceData(data))), uintptr(len(data)), unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

// receive takes what the socket has. 0 and no error is the end of the input.
func receive(descriptor int32, data []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(descriptor),
		uintptr(unsafe.Pointer(unsafe.SliceData(data))), uintptr(len(data)), 0, 0, 0)
	return int(n), errno
}

// pollNow returns how many events there are at this moment.
func pollNow(epoll int, events []unix.EpollEvent) int {
	// epoll_pwait without a signal mask, as not every architecture has epoll_wait.
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// pollWait returns how many events there are, waiting for the first.
func pollWait(epoll int, events []unix.EpollEvent, limit time.Duration) int {
	n, err := unix.EpollWait(epoll, events, int(limit.Milliseconds()))
	if err != nil { // a signal, of which Go's scheduler sends some
		return 0
	}
	return n
}

// epoch is what clock counts from.
var epoch = time.Now()

// clock returns monotonic time in nanoseconds. time.Since reads one clock
// where time.Now reads two.
func clock() int64 { return int64(time.Since(epoch)) }

// spare is how many descriptors a run needs in addition to its connections.
const spare = 64

// raiseFileLimit makes room for that many connections. Go has raised the soft
// limit to the hard one already; the hard one is for the privileged to raise.
func raiseFileLimit(connections int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	need := uint64(connections + spare)
	if limit.Cur >= need {
		return nil
	}
	err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: need, Max: max(limit.Max, need)})
	if errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("%d open files are needed, and the limit is %d: %w", need, limit.Max, err)
	}
	return err
}
