//go:build darwin || freebsd

package poll

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"github.com/curio-go/curio/internal/wait"
)

// waitForeign watches fd with a kqueue that is made for this wait, and sleeps in
// it, on a thread of its own for as long. The runtime's poller, which would need
// none, asks for writability too of whatever it takes, and that a kqueue does not
// have.
func waitForeign(ctx context.Context, place wait.Place, fd int, write bool) error {
	if place.Untrusted() {
		return place.Follow(func(p wait.Place) error { return waitForeign(ctx, p, fd, write) })
	}
	q, err := newKqueue(fd, write)
	if err != nil {
		return err
	}
	defer syscall.Close(int(q))

	op := "READ_WAIT"
	if write {
		op = "WRITE_WAIT"
	}
	w := place.Waiter(op, watched{q, foreign(fd)})
	if !w.Begin() {
		w.Free()
		return place.Failure()
	}
	ready, err := q.sleep(fd)
	ok := w.End()
	w.Free()
	switch {
	case !ok && !ready:
		return place.Failure()
	case !ok:
		place.Survived()
	}
	return err
}

// watched is what a task waits for: the descriptor, by means of the kqueue.
type watched struct {
	kqueue
	foreign
}

// A kqueue tells of one descriptor, or that it was interrupted.
type kqueue int

func newKqueue(fd int, write bool) (kqueue, error) {
	syscall.ForkLock.RLock()
	q, err := syscall.Kqueue()
	if err == nil {
		syscall.CloseOnExec(q)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, os.NewSyscallError("kqueue", err)
	}
	if q, err = aboveStdio(q); err != nil {
		return -1, os.NewSyscallError("fcntl", err)
	}
	events := make([]syscall.Kevent_t, 2)
	filter := syscall.EVFILT_READ
	if write {
		filter = syscall.EVFILT_WRITE
	}
	syscall.SetKevent(&events[0], fd, filter, syscall.EV_ADD)
	syscall.SetKevent(&events[1], 0, syscall.EVFILT_USER, syscall.EV_ADD)
	if _, err := syscall.Kevent(q, events, nil, nil); err != nil {
		syscall.Close(q)
		return -1, fmt.Errorf("%v: %w", foreign(fd), os.NewSyscallError("kevent", err))
	}
	return kqueue(q), nil
}

// sleep waits for either, and reports whether it was the descriptor.
func (q kqueue) sleep(fd int) (ready bool, err error) {
	events := make([]syscall.Kevent_t, 2)
	for {
		n, err := syscall.Kevent(int(q), nil, events, nil)
		if err == syscall.EINTR {
			continue
		}
		for _, e := range events[:max(n, 0)] {
			ready = ready || e.Filter != syscall.EVFILT_USER && int(e.Ident) == fd
		}
		return ready, os.NewSyscallError("kevent", err)
	}
}

// Interrupt ends sleep, now or when it is called.
func (q kqueue) Interrupt(w *wait.Waiter) {
	event := make([]syscall.Kevent_t, 1)
	syscall.SetKevent(&event[0], 0, syscall.EVFILT_USER, 0)
	event[0].Fflags = syscall.NOTE_TRIGGER
	_, _ = syscall.Kevent(int(q), event, nil, nil)
	w.Wake()
}
