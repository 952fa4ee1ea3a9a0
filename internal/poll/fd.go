package poll

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"

	"github.com/curio-go/curio/internal/wait"
)

// An FD owns a descriptor that can be waited for: a socket, pipe, terminal, eventfd,
// pidfd and so on. It is safe for concurrent use.
//
// Set at birth: sysfd, typ, poller, object. open ──► closed once, by Close.
//
// The order of the fields matters. With thousands of connections, an FD is in no cache when an
// operation begins, and every cache line that it touches is a miss. A plain read or write of a
// socket touches the first line of the FD and the first two of its direction.
type FD struct {
	poller poller
	own    ownState // what a poller of our own needs
	object any
	sysfd  int32
	closed atomic.Bool

	typ int32 // the type of a socket, such as SOCK_STREAM; 0 if it is not a socket

	reader  direction
	closing ownClosing
	loan    atomic.Pointer[Loan] // both turns, if somebody has them; see exclusive.go
	late    syscall.Errno        // the error after a batch, for the next operation; guarded by reader's turn
	writer  direction
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

	// watch makes w be claimed and woken when a read, or a write, might not wait any more, or when
	// the FD is closed. ok is false if that is so already; then w is not on a list. unwatch takes w
	// back, and returns the error for which it could not be watched for. It may be called for any w.
	watch(w *wait.Waiter, write bool) (ok bool)
	unwatch(w *wait.Waiter, write bool) error

	// waiting calls fn for each waiter of a direction that has its turn or watches, and keeps it
	// from being used for something else meanwhile. fn must not wait.
	waiting(write bool, fn func(w *wait.Waiter))

	// close ends all operations, and closes the descriptor after the last of them. It calls
	// evicted once no operation can make a call that waits. FD.closed has been set.
	close(evicted func()) error
}

// ErrNotPollable is what New returns for a descriptor that is always ready, as
// a regular file is, or that is in blocking mode.
var ErrNotPollable = errors.New("descriptor cannot be waited for")

// New returns a new FD for sysfd. See Init.
func New(sysfd, typ int) (*FD, error) {
	f := new(FD)
	if err := f.Init(sysfd, typ); err != nil {
		return nil, err
	}
	return f, nil
}

// Init makes f, a zero FD, the owner of sysfd, which must be in non-blocking mode. If it fails, it
// closes sysfd. typ is the type of a socket, such as SOCK_STREAM, or 0 if sysfd is not a socket;
// recv(2) and send(2) are used on sockets only.
func (f *FD) Init(sysfd, typ int) error {
	f.prepare(sysfd, typ)
	return f.watch()
}

// prepare is Init, except for giving f to a poller.
func (f *FD) prepare(sysfd, typ int) {
	f.sysfd, f.typ, f.object = int32(sysfd), int32(typ), f
	f.reader.init(f)
	f.writer.init(f)
}

// IsInit reports whether Init has succeeded.
func (f *FD) IsInit() bool { return f.poller != nil }

// Type returns the typ that was given to Init.
func (f *FD) Type() int { return int(f.typ) }

func (f *FD) isSocket() bool { return f.typ != 0 }

// SetObject sets what tasks are shown to wait for: something better than the
// descriptor's number. It may be called until the FD is shared.
func (f *FD) SetObject(object fmt.Stringer) { f.object = object }

// String is for monitoring.
func (f *FD) String() string { return fmt.Sprintf("fd %d", f.sysfd) }

// Fd is the descriptor's number, -1 once the FD has been closed. It says nothing
// about how long the number stays valid: see Control.
func (f *FD) Fd() int {
	if f.closed.Load() {
		return -1
	}
	return int(f.sysfd)
}

// Control calls call with the descriptor, which stays open during the call. It waits for nobody.
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
