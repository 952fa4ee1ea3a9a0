package poll

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/curio-go/curio/internal/wait"
)

// DuplicateFile makes an FD of a duplicate of file's descriptor. If the descriptor is in blocking
// mode, or always ready, it returns ErrNotPollable. It changes nothing about file: the mode is
// not the descriptor's, but shared by all that were ever made from it, in other processes too.
func DuplicateFile(file *os.File) (*FD, error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	var dup int
	if raw.Control(func(fd uintptr) { dup, err = Dup(int(fd)) }) != nil {
		return nil, os.ErrClosed // the one reason that there is
	}
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return New(dup, 0)
}

// A Shared is a descriptor in blocking mode that others have too, and so has to stay in
// it: the terminal or the pipe that the program was started with. Its operations wait
// until it is ready, and then make a call that does not wait if nobody else has been
// faster. A regular file is always ready.
//
// file is set at birth, and stays its owner's. open ──► closed once, by Close.
type Shared struct {
	file    *os.File
	raw     syscall.RawConn
	regular bool

	closed atomic.Bool
	end    context.Context // of closed
	wake   context.CancelFunc

	reading, writing wait.Turn
}

// Share makes a Shared of file, which it does not close.
func Share(file *os.File) (*Shared, error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Unwrap(err) // of os.PathError
	}
	s := &Shared{file: file, raw: raw, regular: info.Mode().IsRegular()}
	s.end, s.wake = context.WithCancel(context.Background())
	return s, nil
}

// String is for monitoring.
func (s *Shared) String() string { return s.file.Name() }

// Close makes every operation that waits end with net.ErrClosed, and so all later ones, a
// second Close included. It does not close the file.
func (s *Shared) Close() error {
	if s.closed.Swap(true) {
		return net.ErrClosed
	}
	s.wake()
	return nil
}

// Read reads what is there into p, up to its length. At the end of file it returns 0
// and nil.
func (s *Shared) Read(ctx context.Context, p []byte) (n int, err error) {
	p = p[:min(len(p), maxTransfer)]
	err = s.do(ctx, false, func(fd int) (errno syscall.Errno) {
		n, errno = read(fd, p)
		return errno
	})
	return n, err
}

// piece is how much is written at once: when a pipe says that there is room, there is room for
// that much. A regular file need only be left in between.
func (s *Shared) piece() int {
	if s.regular {
		return 1 << 20
	}
	return pipeBuf
}

// WriteAll writes all of p. If it is cut short it returns how much was written.
func (s *Shared) WriteAll(ctx context.Context, p []byte) (n int, err error) {
	most := s.piece()
	err = s.do(ctx, true, func(fd int) syscall.Errno {
		rest := p[n:]
		k, errno := write(fd, rest[:min(len(rest), most)])
		n += k
		if errno == 0 && n < len(p) && k > 0 {
			return syscall.EAGAIN // when there is room again
		}
		return errno
	})
	if err == nil && n < len(p) {
		err = io.ErrUnexpectedEOF // as FD.WriteAll
	}
	return n, err
}

// WaitRead waits until there is something to read, or the end, or an error.
func (s *Shared) WaitRead(ctx context.Context) error {
	return s.do(ctx, false, func(int) syscall.Errno { return 0 })
}

// do calls call in turn when the descriptor is ready, until it returns another error than
// EAGAIN. All that time the file is not closed, whatever its owner does: the number
// stays what it is.
func (s *Shared) do(ctx context.Context, writes bool, call func(fd int) syscall.Errno) error {
	place, err := wait.At(ctx)
	if err != nil {
		return err
	}
	if place.Untrusted() {
		return place.Follow(func(p wait.Place) error { return s.do(p.Scope(), writes, call) })
	}
	t, queued := &s.reading, "READ_TURN"
	if writes {
		t, queued = &s.writing, "WRITE_TURN"
	}
	if err := t.Take(place, queued, s); err != nil {
		return err
	}
	defer t.Pass()
	left := s.raw.Control(func(fd uintptr) {
		for again := true; again && err == nil; {
			if err = s.wait(ctx, int(fd), writes); err != nil {
				return
			}
			errno := call(int(fd))
			again = errno == syscall.EAGAIN
			if !again && errno != 0 {
				err = errno
			}
		}
	})
	switch {
	case left != nil && s.closed.Load():
		return net.ErrClosed
	case left != nil:
		return os.ErrClosed
	}
	return err
}

// wait waits until fd is ready. The system tells nobody who waits of a descriptor that is
// closed, so Close ends the wait as a context does.
func (s *Shared) wait(ctx context.Context, fd int, writes bool) error {
	if _, err := wait.At(ctx); err != nil {
		return err
	}
	if s.closed.Load() {
		return net.ErrClosed
	}
	if s.regular {
		return nil
	}
	if ready, errno := foreignReady(fd, writes); ready || errno != 0 {
		return nil // the call will say what is wrong
	}
	scope := wait.New(ctx, wait.Group)
	defer scope.Close()
	defer context.AfterFunc(s.end, func() { scope.Cancel(wait.NewCause(scope, wait.Cancelled, nil)) })()
	err := WaitFD(scope, fd, writes)
	if s.closed.Load() {
		return net.ErrClosed
	}
	return err
}
