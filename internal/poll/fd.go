package poll

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
)

// An FD owns a descriptor that can be waited for: a socket, pipe, terminal, eventfd,
// pidfd and so on. It is safe for concurrent use.
//
// Set at birth: sysfd, poller, object, socket, sequenced. open ──► closed once, by Close.
//
// The order of the fields matters. With thousands of connections, an FD is in no cache when an
// operation begins, and every cache line that it touches is a miss. A plain read or write touches
// the first line of the FD and the first two of its direction.
type FD struct {
	poller poller
	own    ownState // what a poller of our own needs
	object any
	sysfd  int32
	closed atomic.Bool

	socket    bool // recv(2) and send(2) work on it
	sequenced bool // SOCK_SEQPACKET; see sequenced.go

	reader  direction
	closing ownClosing
	writer  direction

	loan atomic.Pointer[Loan] // both turns, if somebody has them; see exclusive.go
	late syscall.Errno        // the error after a batch, for the next operation; guarded by reader's turn
}

// A poller is what makes operations on an FD wait. There are two: the runtime's
// (poller_runtime.go), and one of our own (ours_linux.go).
type poller interface {
	// run is direction.run.
	run(d *direction) error

	// abandon is for an operation whose call has panicked.
	abandon(d *direction)

	// control calls call with the descriptor and keeps that open until call returns. It
	// fails if the descriptor has been closed.
	control(call func(fd uintptr)) error

	// close ends all operations, and closes the descriptor after the last of them. It calls
	// evicted once no operation can make a call that waits. FD.closed has been set.
	close(evicted func()) error
}

// ErrNotPollable is what New returns for a descriptor that is always ready, as
// a regular file is, or that is in blocking mode.
var ErrNotPollable = errors.New("descriptor cannot be waited for")

// New takes over sysfd, which must be in non-blocking mode, and closes it if
// it fails. socket says that recv(2) and send(2) work on it.
func New(sysfd int, socket bool) (*FD, error) {
	f := newFD(sysfd, socket)
	if err := f.watch(); err != nil {
		return nil, err
	}
	return f, nil
}

// newFD makes an FD that is on no poller yet.
func newFD(sysfd int, socket bool) *FD {
	f := &FD{sysfd: int32(sysfd), socket: socket}
	f.object = f
	f.reader.init(f)
	f.writer.init(f)
	return f
}

// SetObject sets what tasks are shown to wait for: something better than the
// descriptor's number. It may be called until the FD is shared.
func (f *FD) SetObject(object fmt.Stringer) { f.object = object }

// String is for whoever watches.
func (f *FD) String() string { return fmt.Sprintf("fd %d", f.sysfd) }

// Fd is the descriptor's number, -1 once the FD has been closed. It says nothing
// about how long the number stays valid: see Control.
func (f *FD) Fd() int {
	if f.closed.Load() {
		return -1
	}
	return int(f.sysfd)
}

// Control calls call with the descriptor, which stays open for so long. It
// waits for nobody.
func (f *FD) Control(call func(fd int) error) error {
	var failed error
	if err := f.poller.control(func(fd uintptr) { failed = call(int(fd)) }); err != nil {
		return f.left(err)
	}
	return failed
}

// Close makes every operation on f end with net.ErrClosed, those in progress
// included, closes the descriptor after the last of them, and returns then. It takes
// the turns back that are lent. A second Close returns net.ErrClosed.
func (f *FD) Close() error { return f.CloseAfter(func(int) {}) }

// CloseAfter is like Close, but first calls last with the descriptor, unless another call
// has closed it already.
func (f *FD) CloseAfter(last func(fd int)) error {
	if f.closed.Swap(true) {
		return net.ErrClosed
	}
	last(int(f.sysfd))
	return f.poller.close(func() {
		if l := f.loan.Load(); l != nil {
			l.Return()
		}
	})
}

// left translates the error with which a call into the runtime's poller ended.
// The runtime has an error of its own for a closed descriptor, which it does not
// export.
func (f *FD) left(err error) error {
	if f.closed.Load() {
		return net.ErrClosed
	}
	return err
}
