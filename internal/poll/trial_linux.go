package poll

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// Some sandboxes and emulations have an epoll that does not nest, or is not edge-triggered.
// There, all descriptors are on the runtime's poller.

// What is known of the system's epoll.
const (
	untried = iota
	goodEnough
	notGoodEnough
)

var epollVerdict atomic.Int32

// epollIsGood reports whether the system's epoll is good enough for our poller. It tries it out
// once; as long as there are no descriptors for that, it reports false.
func epollIsGood() bool {
	v := epollVerdict.Load()
	if v == untried {
		v = tryEpoll(epollNow) // two goroutines may do so at the same time
		epollVerdict.Store(v)
	}
	return v == goodEnough
}

// tryEpoll nests one epoll descriptor in another, as ours is nested in the runtime's, and checks
// that each of two writes to an eventfd causes exactly one event on both. look is epollNow,
// except in tests.
func tryEpoll(look func(epoll int, events []syscall.EpollEvent) (int, syscall.Errno)) (verdict int32) {
	outer, err := createEpoll()
	if err != nil {
		return untried
	}
	defer syscall.Close(outer)
	inner, err := createEpoll()
	if err != nil {
		return untried
	}
	defer syscall.Close(inner)
	flag, _, err := newFlagFDs()
	if err != nil {
		return untried
	}
	defer flag.close()

	watch := func(epoll, fd int) bool {
		event := syscall.EpollEvent{Events: syscall.EPOLLIN | edgeTriggered, Fd: int32(fd), Pad: 7}
		return syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &event) == nil
	}
	tells := func(epoll, fd, times int) bool {
		var events [2]syscall.EpollEvent
		n, errno := look(epoll, events[:])
		return errno == 0 && n == times && (n == 0 || events[0].Fd == int32(fd) && events[0].Pad == 7 && events[0].Events == syscall.EPOLLIN)
	}
	if !watch(outer, inner) || !watch(inner, flag.read) {
		return notGoodEnough
	}
	for range 2 {
		flag.raise()
		for _, times := range []int{1, 0} {
			if !tells(outer, inner, times) || !tells(inner, flag.read, times) {
				return notGoodEnough
			}
		}
	}
	return goodEnough
}

// epollNow is epoll_wait with a timeout of zero. It never blocks, so the scheduler need not be told, but
// its monitor must be: see noteWake.
func epollNow(epoll int, events []syscall.EpollEvent) (n int, errno syscall.Errno) {
	for {
		n, _, errno := syscall.Syscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR: // try again: 0 must mean that there are no events
		default:
			return 0, errno
		}
	}
}
