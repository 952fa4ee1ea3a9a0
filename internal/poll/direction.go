package poll

import (
	"context"
	"errors"
	"syscall"

	"github.com/curio-go/curio/internal/wait"
)

// A direction does the reading or the writing on an FD, one operation at a time.
//
// What comes after turn belongs to the operation that holds it; leave clears it.
//
// The fields are packed; the fields of a plain read or write come first: see FD.
type direction struct {
	fd   *FD
	turn wait.Turn

	habit habit

	// What is not ready may be so, as a call that finds nothing for reasons of its own has
	// cleared it. Guarded by turn.
	unsure bool

	// The operation.
	cut      bool // the scope has ended it; leave finds out with which error
	followed bool // place comes from FollowNow
	trust    bool // a call that moves less than it could has moved all there is; see ownPoller.run
	short    bool // and it has moved less
	op       *operation
	place    wait.Place

	// Its arguments and results; each call knows which of them it uses.
	buf []byte
	n   int
	err error

	arg any // of few operations
}

// An operation is one of the things to do with a descriptor.
type operation struct {
	state  string // in which a waiting task is shown
	call   call
	eager  bool // it lingers before it sleeps
	trusts bool // it sets short, and need not be tried where nothing has come since
}

// A call makes an operation's system call on fd, with arguments and results in the
// direction. It reports false if it has to be made again when fd is ready. It is
// a plain function and not a closure so that an operation allocates nothing.
type call func(d *direction, fd int) bool

func (d *direction) init(fd *FD) { d.fd, d.habit = fd, newHabit }

func (d *direction) writing() bool { return d == &d.fd.writer }

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
	if d.writing() {
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
func (d *direction) run() error { return d.fd.poller.run(d) }

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
	d.cut, d.followed, d.op, d.place = false, false, nil, wait.Place{}
	d.buf, d.n = nil, 0
	if d.err != nil {
		d.err = nil
	}
	if d.arg != nil {
		d.arg = nil
	}
	d.turn.Pass()
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
