package curio

import (
	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

// WaitReadCase returns a case of a [Select] that is ready when a read(2) from fd would not block.
// That is not a promise: before the read, another task may take what there is. The case reads
// nothing from fd. fd must not be closed while the Select waits. If fd is not open, the case is
// ready, with an error that wraps syscall.EBADF.
//
// On Linux a wait for it costs an epoll(7) descriptor, as a WaitRead does. Elsewhere, and in a
// testing/synctest bubble, it costs a goroutine.
func WaitReadCase(fd int) Case { return Case{fdCase{fd, false}} }

// WaitWriteCase returns a case of a [Select] that is ready when a write(2) to fd would not block.
// Everything else is as with WaitReadCase.
func WaitWriteCase(fd int) Case { return Case{fdCase{fd, true}} }

type fdCase struct {
	fd    int
	write bool
}

func (c fdCase) try(*wait.Owner, int64) (done bool, err error) {
	ready, err := poll.FDReady(c.fd, c.write)
	return ready || err != nil, err
}

func (c fdCase) list(w *wait.Waiter, _ int64) (ok bool) {
	op := "READ_WAIT"
	if c.write {
		op = "WRITE_WAIT"
	}
	w.For(op, poll.Foreign(c.fd))
	w.Harmless()
	w.Slot = poll.WatchFD(c.fd, c.write, w)
	return true
}

func (c fdCase) leave(w *wait.Waiter) { _ = c.stop(w) }

func (c fdCase) stop(w *wait.Waiter) error {
	watch := w.Slot.(*poll.Watch)
	w.Slot = nil
	return watch.Stop()
}

func (c fdCase) take(w *wait.Waiter) (done bool, err error) {
	if err := c.stop(w); err != nil {
		return true, err
	}
	return c.try(nil, 0)
}
