package poll

import (
	"syscall"

	"github.com/curio-go/curio/internal/wait"
)

// watchByPoller watches fd with an epoll instance of its own, as waitForeign does, which our
// poller watches. It returns nil if that is not possible.
func watchByPoller(fd int, write bool, w *wait.Waiter) *Watch {
	if !ownPolling || wait.InBubble() || !epollIsGood() {
		return nil
	}
	epoll, err := createEpoll()
	if err != nil {
		return nil
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
	if write {
		event.Events = syscall.EPOLLOUT
	}
	if err := syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &event); err != nil || epoll >= maxWatched {
		syscall.Close(epoll)
		return nil
	}
	own := new(ownState)
	if err := theEpoll.add(epoll, own); err != nil {
		if err == errNotOurs {
			syscall.Close(epoll)
		}
		return nil
	}
	r := &own.ready.read
	seen := r.word.Load()
	is, errno := ready(fd, write)
	if !is && errno == 0 {
		r.clear(seen) // an event that has come since the look counts
	}
	if !r.offer(w) && w.Grant() {
		w.Wake()
	}
	return &Watch{stop: func() {
		r.takeBack(w)
		_ = theEpoll.remove(epoll)
	}}
}
