package poll

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// A direction does the reading or the writing on an FD, one operation at a time.
//
// What comes after turn belongs to the operation that holds it; leave clears it. The
// scope's side of a cancellation (Interrupt) touches nothing there.
//
// With thousands of connections each operation finds its direction in no cache, and
// each cache line that it needs costs as much as the rest of it. So the fields are
// packed, those of a plain read or write first.
type direction struct {
	fd      *FD
	attempt func(uintptr) bool // d.try: kept, as making a method value allocates
	turn    wait.Turn

	writing bool // at birth
	socket  bool // at birth
	habit   habit

	// The operation.
	ended    bool // the scope had ended by the first EAGAIN
	done     bool // the call completed, with err
	cut      bool // the scope has ended it; leave finds out with which error
	followed bool // place comes from FollowNow
	op       *operation
	place    wait.Place
	waiter   *wait.Waiter // since the first EAGAIN

	// Its arguments and results; each call knows which of them it uses.
	buf   []byte
	n     int
	err   error
	arg   any
	state string
}

// An operation is one of the things to do with a descriptor.
type operation struct {
	state string // in which a waiting task is shown, "" for the direction's state
	call  call
	eager bool // it lingers before it sleeps
}

// A call makes an operation's system call on fd, with arguments and results in the
// direction. It reports false if it has to be made again when fd is ready. It is
// a plain function and not a closure so that an operation allocates nothing.
type call func(d *direction, fd int) bool

func (d *direction) init(fd *FD, socket, writing bool) {
	d.fd, d.socket, d.writing = fd, socket, writing
	d.attempt = d.try
	d.habit = newHabit
}

// enter begins an operation: steps 0 and 1.
func (d *direction) enter(ctx context.Context, op *operation) error {
	place, err := wait.At(ctx)
	if err != nil {
		return err
	}
	if place.Untrusted() {
		return d.enterFollowed(place.FollowNow(), op)
	}
	return d.enterAt(place, op)
}

func (d *direction) enterAt(place wait.Place, op *operation) error {
	queued := "READ_TURN"
	if d.writing {
		queued = "WRITE_TURN"
	}
	if err := d.turn.Take(place, queued, d.fd.object); err != nil {
		return err
	}
	d.place, d.op = place, op
	return nil
}

// enterFollowed is enterAt for a context whose methods may do anything: these are called
// now, before the turn is taken, and not when the operation has to wait.
func (d *direction) enterFollowed(place wait.Place, op *operation) error {
	if err := d.enterAt(place, op); err != nil {
		return place.Leave(err)
	}
	d.followed = true
	return nil
}

// errCut stands for the scope's error until leave has found out which one that is.
var errCut = errors.New("internal error: an operation whose scope has ended")

// run makes the call, and waits until it completes or the wait is ended: steps 2
// to 4, up to the turn, which the caller passes on with leave when it has taken
// its results.
func (d *direction) run() error {
	var left error
	if d.writing {
		left = d.fd.raw.Write(d.attempt)
	} else {
		left = d.fd.raw.Read(d.attempt)
	}
	ok := d.settle()
	switch {
	case d.done && !ok:
		d.place.Survived()
		fallthrough
	case d.done:
		return d.err
	case !ok:
		d.cut = true
		return errCut
	}
	return d.fd.left(left)
}

// try is what the runtime calls until it returns true, going to sleep in between.
func (d *direction) try(fd uintptr) bool {
	if d.op.call(d, int(fd)) {
		d.done = true
		return true
	}
	if d.waiter != nil {
		return false
	}
	if d.op.eager && d.linger(int(fd)) {
		d.done = true
		return true
	}
	state := d.op.state
	if state == "" {
		state = d.state
	}
	d.waiter = d.place.Waiter(state, d)
	d.ended = !d.waiter.Begin()
	return d.ended
}

// settle ends the operation's wait, if there was one. ok is false if the scope ended it.
func (d *direction) settle() (ok bool) {
	w := d.waiter
	if w == nil {
		return true
	}
	d.waiter = nil
	if !d.ended {
		ok = w.End() // after this, Interrupt is done
		if !ok {
			d.setDeadline(time.Time{})
		}
	}
	w.Free()
	return ok
}

// leave clears the operation's fields and passes the turn on. err is the operation's error,
// and leave returns the error for its caller: finding that out may take a call of the
// context's methods, which is done when nothing is held.
func (d *direction) leave(err error) error {
	place, cut, followed := d.place, d.cut, d.followed
	d.pass()
	if cut {
		err = place.Failure()
	}
	if followed {
		err = place.Leave(err)
	}
	return err
}

func (d *direction) pass() {
	d.ended, d.done, d.cut, d.followed, d.op, d.place = false, false, false, false, nil, wait.Place{}
	d.buf, d.n = nil, 0
	if d.err != nil {
		d.err = nil
	}
	if d.arg != nil {
		d.arg, d.state = nil, ""
	}
	d.turn.Pass()
}

// String says what a task in the middle of an operation waits for.
func (d *direction) String() string { return fmt.Sprint(d.fd.object) }

// past is a deadline that has expired, whatever the clock says.
var past = time.Unix(1, 0)

// interrupting is for tests of the moment between the claim and the deadline.
var interrupting = func() {}

// Interrupt is how a scope that has claimed w gets the goroutine out of the
// runtime's poller. On a descriptor that was closed meanwhile there is no deadline
// to set, and nobody sleeps.
func (d *direction) Interrupt(w *wait.Waiter) {
	interrupting()
	d.setDeadline(past)
	w.Wake()
}

// setDeadline can fail only because the descriptor has been closed.
func (d *direction) setDeadline(t time.Time) {
	if d.writing {
		_ = d.fd.file.SetWriteDeadline(t)
	} else {
		_ = d.fd.file.SetReadDeadline(t)
	}
}

// completed records how the call ended: with n and errno. It reports false for
// an errno that means "not yet".
func (d *direction) completed(n int, errno syscall.Errno) bool {
	switch errno {
	case 0:
		d.n += n
	case syscall.EAGAIN:
		return false
	default:
		d.err = errno
	}
	return true
}

// errnoOf is for the functions of package syscall, which return an error that is
// always an Errno.
func errnoOf(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return syscall.EINVAL
}
