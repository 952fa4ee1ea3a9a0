package socket

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
)

// Dup returns another Socket for the same connection or listener: dup(2), closed on
// exec. Each has its own descriptor and its own turns, and is closed for itself; the
// connection ends when both are closed. What is received by one is not received by the
// other, and what two tasks send through the two may be mixed. Shutdown is for both, and
// so are options.
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

// File returns a duplicate of the descriptor as an os.File: for the ExtraFiles of an
// exec.Cmd, or for code that wants one. The caller closes it; the connection ends when
// both are closed.
//
// The two share one blocking mode, which is non-blocking, also in a child process that
// gets the file: a program that does not expect that sees EAGAIN. Who switches it,
// as fcntl(2) can from either side, makes the Socket's calls wait in the system, out of
// reach of any cancellation. For code that must have a blocking descriptor there is
// Blocking.
func (s *Socket) File() (*os.File, error) {
	fd, err := s.dup()
	if err != nil {
		return nil, s.failed("dup", err)
	}
	s.shared.Store(true)
	return os.NewFile(uintptr(fd), s.String()), nil
}

// Detach gives the descriptor away for good, non-blocking and closed on exec: it returns
// a number that is the caller's, who closes it, and closes the Socket, as Close does.
// The connection goes on. FromFD is the way back. If Detach fails, the descriptor is -1,
// and the Socket is open unless the error is net.ErrClosed.
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

// SyscallConn makes a Socket a syscall.Conn, for code that wants to set an option or ask
// for something: the Control method of what it returns calls a function with the
// descriptor, which is not closed meanwhile. Its Read and Write have no context and
// could not be cancelled, so they fail with an error that wraps errors.ErrUnsupported:
// use ReadCall and WriteCall.
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

// ReadContext is Read with a context. It is for the adapters to package net, in which a
// connection's deadlines bound the waits.
func (c rawConn) ReadContext(ctx context.Context, f func(fd uintptr) bool) error {
	if err := c.s.fd.RawRead(ctx, f); err != nil {
		return c.s.failed("read", err)
	}
	return nil
}

// WriteContext is Write with a context.
func (c rawConn) WriteContext(ctx context.Context, f func(fd uintptr) bool) error {
	if err := c.s.fd.RawWrite(ctx, f); err != nil {
		return c.s.failed("write", err)
	}
	return nil
}

// ReadCall makes any system call that reads from the socket and may have to wait, in
// turn with those who receive. call makes it, non-blocking, and returns its error: if
// that is syscall.EAGAIN, call is called again when there may be something to read, and
// some times before; if it is syscall.EINTR, at once. Any other error, or nil, ends
// ReadCall, which returns it as it is.
//
//	err := s.ReadCall(ctx, func(fd int) (err error) {
//		n, _, flags, from, err = unix.Recvmsg(fd, buf, nil, 0)
//		return err
//	})
//
// call must not wait, nor keep fd, nor use what has to wait for this turn. If ctx ends
// first, the error is that of ctx; then the last call returned EAGAIN, if there was one.
// It panics if call is nil.
func (s *Socket) ReadCall(ctx context.Context, call func(fd int) error) error {
	return s.userCall(ctx, "read", (*poll.FD).CallRead, call)
}

// WriteCall is ReadCall for a system call that writes, in turn with those who send.
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
