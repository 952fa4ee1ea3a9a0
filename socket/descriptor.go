package socket

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
)

// Dup returns a second Socket for the same connection or listener: dup(2), close-on-exec. Each of
// the two is closed separately; the connection ends when both are closed. Data received through one
// is not received through the other. Operations of the two do not wait for each other, so data that
// two tasks send through both may be interleaved. Shutdown and options affect both.
func (s *Socket) Dup() (*Socket, error) {
	fd, err := s.dup()
	if err != nil {
		return nil, s.failed("dup", err)
	}
	twin, err := own(fd, s.family, s.fd.Type(), "dup")
	if err != nil {
		return nil, err
	}
	twin.adopted = s.adopted
	s.shared.Store(true)
	twin.shared.Store(true)
	return twin, nil
}

// File returns a duplicate of the descriptor as an os.File, for the ExtraFiles of an exec.Cmd or
// for code that takes a file. The caller must close it; the connection ends when both are closed.
//
// The two share one blocking mode, which is non-blocking, also in a child process that inherits the
// file: a program that does not expect this sees EAGAIN. If either side switches the mode with
// fcntl(2), the Socket's calls block in the system and cannot be cancelled. For code that needs a
// blocking descriptor, use Blocking.
func (s *Socket) File() (*os.File, error) {
	fd, err := s.dup()
	if err != nil {
		return nil, s.failed("dup", err)
	}
	s.shared.Store(true)
	return os.NewFile(uintptr(fd), s.String()), nil
}

// Detach closes the Socket and returns a descriptor for the same connection, which now belongs to
// the caller. The descriptor is non-blocking and close-on-exec. The connection stays open, and
// FromFD makes a Socket from it again. Operations in progress end with net.ErrClosed, as with
// Close. If Detach fails, fd is -1, and the Socket is still open unless the error is net.ErrClosed.
func (s *Socket) Detach() (fd int, err error) {
	fd, err = s.dup()
	if err != nil {
		return -1, s.failed("detach", err)
	}
	if err := s.fd.CloseAfter(s.remember); err != nil { // another call was faster
		syscall.Close(fd)
		return -1, s.failed("detach", err)
	}
	return fd, nil
}

func (s *Socket) dup() (int, error) {
	if err := s.usable(); err != nil {
		return -1, err
	}
	fd, err := s.fd.Dup()
	return fd, called("fcntl", err)
}

// SyscallConn returns a syscall.RawConn, for code that sets an option or examines the descriptor.
// Its Control method calls a function with the descriptor, which stays open during the call. Its
// Read and Write methods take no context and could not be cancelled: they fail with an error that
// wraps errors.ErrUnsupported. Use ReadCall and WriteCall instead.
func (s *Socket) SyscallConn() (syscall.RawConn, error) {
	if err := s.usable(); err != nil {
		return nil, s.failed("syscallconn", err)
	}
	return rawConn{s}, nil
}

// rawConn is the Socket as a syscall.RawConn.
type rawConn struct{ s *Socket }

var errNoContext = fmt.Errorf("no context to wait with; use (*socket.Socket).ReadCall or WriteCall: %w", errors.ErrUnsupported)

func (c rawConn) Control(f func(fd uintptr)) error {
	return c.s.control("control", func(fd int) error {
		c.s.fd.Distrust() // f may set any option
		f(uintptr(fd))
		return nil
	})
}

// Tune is like Control, but f sets only options after which a short receive still means that there
// is nothing more to receive. It is for other packages of this module.
func (c rawConn) Tune(f func(fd uintptr)) error {
	return c.s.control("control", func(fd int) error { f(uintptr(fd)); return nil })
}

// Shared reports whether others may have the same open file, and with it the same mode: the socket was
// duplicated, or made elsewhere. It is for package subprocess.
func (c rawConn) Shared() bool { return c.s.shared.Load() }

func (c rawConn) Read(func(fd uintptr) bool) error { return c.s.failed("read", errNoContext) }

func (c rawConn) Write(func(fd uintptr) bool) error { return c.s.failed("write", errNoContext) }

// ReadContext is like Read, but takes a context. It is for the adapters to package net, in which a
// connection's deadlines bound the waits.
func (c rawConn) ReadContext(ctx context.Context, f func(fd uintptr) bool) error {
	if err := c.s.fd.RawRead(ctx, f); err != nil {
		return c.s.failed("read", err)
	}
	return nil
}

// WriteContext is like Write, but takes a context.
func (c rawConn) WriteContext(ctx context.Context, f func(fd uintptr) bool) error {
	if err := c.s.fd.RawWrite(ctx, f); err != nil {
		return c.s.failed("write", err)
	}
	return nil
}

// ReadCall makes any system call that reads from the socket, and waits as Recv does. call makes the
// system call without blocking and returns its error. If that is syscall.EAGAIN, ReadCall waits
// until the socket may be readable and calls call again; it may also call it sooner. If it is
// syscall.EINTR, ReadCall calls it again at once. ReadCall returns any other result, also nil, as
// it is.
//
//	err := s.ReadCall(ctx, func(fd int) (err error) {
//		n, _, flags, from, err = unix.Recvmsg(fd, buf, nil, 0)
//		return err
//	})
//
// No other task receives during ReadCall. call must not wait, keep fd, or call a method of s that
// receives. If ctx is done first, the error wraps ctx's error, and call was not called or last
// returned EAGAIN. ReadCall panics if call is nil.
func (s *Socket) ReadCall(ctx context.Context, call func(fd int) error) error {
	return s.userCall(ctx, "read", (*poll.FD).CallRead, call)
}

// WriteCall makes any system call that writes to the socket, and waits as Send does. No other task
// sends during WriteCall. Cancellation and everything else is as for ReadCall.
func (s *Socket) WriteCall(ctx context.Context, call func(fd int) error) error {
	return s.userCall(ctx, "write", (*poll.FD).CallWrite, call)
}

type pollCall func(f *poll.FD, ctx context.Context, call func(fd int) error) error

func (s *Socket) userCall(ctx context.Context, op string, make pollCall, call func(fd int) error) error {
	if call == nil {
		panic("curio/socket: ReadCall or WriteCall of a nil function")
	}
	if err := s.usable(); err != nil {
		return s.failed(op, err)
	}
	returned := false // and not EAGAIN
	err := make(&s.fd, ctx, func(fd int) error {
		err := call(fd)
		switch {
		case errors.Is(err, syscall.EAGAIN): // also in an os.SyscallError
			return syscall.EAGAIN
		case errors.Is(err, syscall.EINTR):
			return syscall.EINTR
		}
		returned = true
		return err
	})
	if err != nil && !returned {
		return s.failed(op, err)
	}
	return err
}
