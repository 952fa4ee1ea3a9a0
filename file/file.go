package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/disk"
	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

// A File is an open file, directory, FIFO, terminal or device. Files come from [Open], [Create],
// [OpenFile], [CreateTemp] and the methods of a [Root]. The zero value is not a file: its methods
// return os.ErrInvalid. A File must not be copied. It is safe for concurrent use: calls that use
// its offset run one at a time, in the order in which they were made, and wait in the state
// FILE_TURN. ReadAt and WriteAt do not wait for other calls.
//
// The offset belongs to the File, not to the system. It moves by what a call has returned: a read
// that was cancelled has read nothing, whatever becomes of the system call.
//
// It is Curio's AsyncFile.
type File struct {
	// Set at birth.
	name     string
	file     *os.File // owns the descriptor; nil in the zero value
	fd       int      // its number, which is the file's while somebody holds it
	dev      *device
	kind     kind
	local    bool     // what is in memory of it is answered at once
	appends  bool     // O_APPEND
	writes   bool     // it can be written to
	seekable bool     // it has offsets
	pipe     *poll.FD // a duplicate, of what can be waited for; nil for others

	// The number of those that hold the file, twice, and whether it is closed. The last of them to
	// leave a closed file closes the descriptor. So the number is not another file's while a call is in
	// progress, also one that was abandoned.
	//
	// open ──► closed once, by begin of a close or by Detach.
	users     atomic.Int64
	closed    curio.Event            // nobody gets in any more
	closing   curio.Result[struct{}] // the descriptor is closed, with that error
	unsettled gate                   // of writes that were abandoned

	access  atomic.Int32 // how it is read, see read.go
	changes atomic.Int64 // the number of writes, for what was read ahead
	lost    atomic.Pointer[error]

	// Order: turn < device.mu, gate.mu.
	turn   wait.Turn
	offset int64 // the rest is guarded by turn
	met    bool  // a FIFO has had a writer
	ahead  ahead
	list   listing

	lineLimit atomic.Int64
}

// A kind is what a file is, as far as there is a difference.
type kind uint8

const (
	kindPlain kind = iota // a regular file, or a device that is not waited for
	kindFolder
	kindFIFO   // that is read
	kindStream // a terminal, a socket, a FIFO that is written
)

// Name returns the name that the file was opened with.
func (f *File) Name() string {
	if f == nil {
		return ""
	}
	return f.name
}

// String returns the file's name and whether it is closed. It may be called while other tasks use
// f.
func (f *File) String() string {
	switch {
	case f.usable() != nil:
		return "no file"
	case f.isClosed():
		return "file " + f.name + ", closed"
	}
	return "file " + f.name
}

// usable is for the zero value.
func (f *File) usable() error {
	if f == nil || f.file == nil {
		return os.ErrInvalid
	}
	return nil
}

const (
	closedBit = 1
	oneUser   = 2
)

func (f *File) isClosed() bool { return f.users.Load()&closedBit != 0 }

// enter begins an operation. It keeps the descriptor open until leave.
func (f *File) enter(op string) error {
	if err := f.usable(); err != nil {
		return err
	}
	for {
		n := f.users.Load()
		if n&closedBit != 0 {
			return f.failed(op, fs.ErrClosed, false)
		}
		if f.users.CompareAndSwap(n, n+oneUser) {
			return nil
		}
	}
}

// hold is enter for a part of an operation that goes on without it.
func (f *File) hold() { f.users.Add(oneUser) }

func (f *File) leave() {
	if f.users.Add(-oneUser) == closedBit {
		f.closeLater()
	}
}

// Close closes the file and returns the system's error, which may be the first report of data that
// could not be written. Calls in progress and all later ones fail with fs.ErrClosed, including a
// second Close. Close takes as long as close(2), which may wait for a disk, a server or a daemon,
// and cannot be cancelled; use CloseContext where that matters. Close implements io.Closer.
//
// If abandoned calls are still running, Close does not wait for them: the descriptor is closed when
// the last of them returns. For a file that is open for writing, the error then wraps
// ErrOutcomeUnknown.
func (f *File) Close() error {
	run, err := f.beginClose(true)
	if err != nil {
		return err
	}
	if run > 0 {
		if f.writes {
			return f.failed("close", errCallsRunOn, true)
		}
		return nil
	}
	_, err = f.closing.Get(context.Background())
	return f.failed("close", err, false)
}

var errCallsRunOn = errors.New("abandoned calls are still running")

// CloseContext closes the file as Close does, but waits only until ctx is done. It also waits for
// abandoned calls. If ctx is done first, even before the call, the file is closed all the same in
// the background, and the error wraps ctx's error; if the file is open for writing, it also matches
// ErrOutcomeUnknown. A task that waits is in the state RESULT_WAIT.
func (f *File) CloseContext(ctx context.Context) error {
	if _, err := f.beginClose(!f.isWritten()); err != nil {
		return err
	}
	if !f.closing.IsSet() {
		if err := f.closing.Wait(ctx); err != nil {
			return f.failed("close", err, f.writes)
		}
	}
	_, err := f.closing.Get(context.Background())
	return f.failed("close", err, false)
}

// isWritten reports whether the close of f may have to wait for a disk: for what was written.
func (f *File) isWritten() bool { return f != nil && f.writes && f.access.Load() != direct }

// beginClose lets nobody in any more and ends the waits of those that are inside. It returns how
// many calls run on in workers. It closes the descriptor itself if no call is inside, no server
// would be asked, and inline is true.
func (f *File) beginClose(inline bool) (run int, err error) {
	if err := f.usable(); err != nil {
		return 0, err
	}
	inside := false
	for {
		n := f.users.Load()
		if n&closedBit != 0 {
			return 0, f.failed("close", fs.ErrClosed, false)
		}
		if inside = n != 0; f.users.CompareAndSwap(n, n+oneUser|closedBit) {
			break
		}
	}
	if f.pipe != nil {
		_ = f.pipe.Close() // a duplicate
	}
	f.closed.Set()
	if inside {
		run = f.dev.evict(f)
	}
	f.turn.Close()
	f.unsettled.open()
	if inline && (f.local || f.kind == kindFIFO) && run == 0 && f.users.CompareAndSwap(closedBit|oneUser, closedBit) {
		f.closeNow()
		return 0, nil
	}
	f.leave()
	return run, nil
}

// dispose closes a file that nobody else has got, if there is one. It is for workers: in Close, each of a
// device's would wait for another one.
func (f *File) dispose() error {
	if f == nil {
		return nil
	}
	f.users.Store(closedBit)
	if f.pipe != nil {
		_ = f.pipe.Close()
	}
	f.closed.Set()
	return closeFunc(f.file)
}

// closeLater is for the last to leave, whatever goroutine that is in.
func (f *File) closeLater() {
	f.dev.start(&errand{call: lastCall{f}, op: "close", path: f.name, since: wait.Clock()})
}

type lastCall struct{ f *File }

func (c lastCall) run()    { c.f.closeNow() }
func (c lastCall) missed() {}

func (f *File) closeNow() {
	err := closeFunc(f.file)
	var inner *fs.PathError
	if errors.As(err, &inner) {
		err = inner.Err
	}
	if err != nil {
		f.closing.SetError(err)
		return
	}
	f.closing.SetValue(struct{}{})
}

// Detach returns the open file as an *os.File, for code that takes no context or needs the
// descriptor. Afterwards f behaves as if closed, and the *os.File is at f's offset. Detach fails
// with an error that wraps ErrBusy while calls are in progress, including abandoned ones, and
// ErrUnread if ReadLine or ReadAll has read data ahead from a pipe, which would be lost.
//
// The descriptor of a pipe or a terminal is in non-blocking mode; no other process shares that
// mode.
func (f *File) Detach() (*os.File, error) {
	if err := f.enter("detach"); err != nil {
		return nil, err
	}
	if err := f.detach(); err != nil {
		f.leave()
		return nil, f.failed("detach", err, false)
	}
	if f.pipe != nil {
		_ = f.pipe.Close()
	}
	f.closed.Set()
	f.turn.Close()
	return f.file, nil
}

// detach closes f to everyone but the caller. The caller has entered f and does not leave it, so the
// descriptor stays open.
func (f *File) detach() error {
	if !f.turn.Try() {
		return ErrBusy
	}
	defer f.turn.Pass()
	switch {
	case f.users.Load()&closedBit != 0:
		return fs.ErrClosed
	case !f.seekable && f.ahead.len() > 0:
		return fmt.Errorf("%w: %d bytes", ErrUnread, f.ahead.len())
	case f.seekable && f.kind == kindPlain:
		if _, err := f.file.Seek(f.offset, 0); err != nil {
			return err
		}
	}
	if !f.users.CompareAndSwap(oneUser, oneUser|closedBit) {
		return ErrBusy
	}
	return nil
}

// adopt makes a File of a descriptor that was opened with flag, in non-blocking mode, and closes it if
// that fails. It may wait for a server, unless the class of the file system is known.
//
// What package os makes of a descriptor in non-blocking mode, or opens itself, goes to the runtime's
// poller, and the system asks the file whether it is ready: a FUSE daemon, if it is that one's. The
// runtime does not expect to wait there. It could neither stop the world for the collector nor run
// anything else on that processor until the daemon answers, and if the daemon is in the same process,
// or is gone, that is for ever. So regular files and folders that have a device are in blocking mode
// before package os sees them; those without one are left as they are, for /proc/kmsg and the like.
func adopt(fd int, name string, flag int, known *disk.Class) (*File, error) {
	f := &File{name: name, fd: fd}
	st, err := f.stat()
	if err == nil {
		f.setClass(&st, known)
		if isPlain(&st) && f.access.Load() != direct {
			err = syscall.SetNonblock(fd, false)
		}
	}
	if err != nil {
		syscall.Close(fd)
		return nil, failed("open", name, err, false)
	}
	f.file = os.NewFile(uintptr(fd), name)
	if err := f.look(&st, flag); err != nil {
		f.file.Close()
		return nil, failed("open", name, err, false)
	}
	return f, nil
}

// newFile is adopt for what package os has opened.
func newFile(file *os.File, name string, flag int) (*File, error) {
	f := &File{name: name, file: file}
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	var failure error
	err = raw.Control(func(fd uintptr) {
		f.fd = int(fd)
		var st syscall.Stat_t
		if st, failure = f.stat(); failure == nil {
			f.setClass(&st, nil)
			failure = f.look(&st, flag)
		}
	})
	if err == nil {
		err = failure
	}
	if err != nil {
		file.Close()
		return nil, failed("open", name, err, false)
	}
	return f, nil
}
