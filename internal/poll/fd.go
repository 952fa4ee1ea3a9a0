package poll

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// An FD owns a descriptor that the runtime's poller can watch: a socket, pipe,
// terminal, eventfd, pidfd and so on. It is safe for concurrent use.
//
// Set at birth: all but closed and late. open ──► closed once, by Close. The descriptor
// itself belongs to file, which outlives every operation inside of it.
type FD struct {
	sysfd  int32
	closed atomic.Bool

	sequenced bool          // SOCK_SEQPACKET; see sequenced.go
	late      syscall.Errno // the error after a batch, for the next operation; guarded by reader's turn

	file   *os.File
	raw    syscall.RawConn
	object any

	reader, writer direction

	loan atomic.Pointer[Loan] // both turns, if somebody has them; see exclusive.go
}

// ErrNotPollable is what New returns for a descriptor that is always ready, as
// a regular file is, or that is in blocking mode.
var ErrNotPollable = errors.New("descriptor cannot be waited for")

// New takes over sysfd, which must be in non-blocking mode, and closes it if
// it fails: os.File gives no descriptor back. socket says that recv(2) and send(2)
// work on it.
func New(sysfd int, socket bool) (*FD, error) {
	file := os.NewFile(uintptr(sysfd), "")
	if file == nil {
		return nil, os.NewSyscallError("fcntl", syscall.EBADF)
	}
	// NewFile does not say whether the poller took the descriptor. This does.
	if err := file.SetDeadline(time.Time{}); err != nil {
		file.Close()
		return nil, ErrNotPollable
	}
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	f := &FD{sysfd: int32(sysfd), file: file, raw: raw}
	f.object = f
	f.reader.init(f, socket, false)
	f.writer.init(f, socket, true)
	return f, nil
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
	if err := f.raw.Control(func(fd uintptr) { failed = call(int(fd)) }); err != nil {
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
	err := f.file.Close()
	if l := f.loan.Load(); l != nil {
		l.Return()
	}
	var path *os.PathError
	if errors.As(err, &path) {
		err = os.NewSyscallError("close", path.Err)
	}
	return err
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
