package socket

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// Errors are wrapped once, here, into a net.OpError. What package poll returns is a
// bare errno, net.ErrClosed or a scope's error.

var (
	errUnusable  = fmt.Errorf("not made by New, SocketPair, Accept or a similar function: %w", syscall.EINVAL)
	errWrongType = syscall.ESOCKTNOSUPPORT
)

// usable is for the zero value.
func (s *Socket) usable() error {
	if s == nil || !s.fd.IsInit() {
		return errUnusable
	}
	return nil
}

func (s *Socket) network() string {
	if s == nil {
		return ""
	}
	return networkOf(s.family, s.fd.Type())
}

// failed returns the error of an operation between the socket's two ends.
func (s *Socket) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: s.network(), Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: called(op, err)}
}

// failedAt returns the error of an operation that is about one address.
func (s *Socket) failedAt(op string, addr net.Addr, err error) error {
	return &net.OpError{Op: op, Net: s.network(), Addr: addr, Err: called(op, err)}
}

// failedTo returns the error of an operation that sends to addr, nil for the peer.
func (s *Socket) failedTo(op string, addr net.Addr, err error) error {
	if addr == nil {
		return s.failed(op, err)
	}
	return &net.OpError{Op: op, Net: s.network(), Source: s.LocalAddr(), Addr: addr, Err: called(op, err)}
}

// called names the system call that an errno came from, which has the operation's
// name unless another is given.
func called(call string, err error) error {
	if errno, ok := err.(syscall.Errno); ok {
		return os.NewSyscallError(call, errno)
	}
	return err
}
