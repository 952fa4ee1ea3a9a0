package poll

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// This file is for systems that have epoll but not all of it, as some sandboxes and
// emulations: there all descriptors are on the runtime's poller.

// An epollTrial finds out once whether the system's epoll is good enough for ours.
type epollTrial struct{ verdict atomic.Int32 }

const (
	untried = iota
	goodEnough
	notGoodEnough
)

var theTrial epollTrial

// passed reports whether it is. Until the trial could be made, as there are no descriptors
// left for it, it is not.
func (t *epollTrial) passed() bool {
	v := t.verdict.Load()
	if v == untried {
		if v = tryEpoll(epollNow); v != untried { // two at the same time do no harm
			t.verdict.Store(v)
		}
	}
	return v == goodEnough
}

// tryEpoll puts an epoll descriptor below another, as ours is below the runtime's, and
// checks that each of two writes to a descriptor is one edge for both. look is epollNow,
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

// epollNow looks without waiting, so the scheduler need not be told.
func epollNow(epoll int, events []syscall.EpollEvent) (n int, errno syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR: // not "nothing": the last look before waiting must be one
		default:
			return 0, errno
		}
	}
}
