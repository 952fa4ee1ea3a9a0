package socket

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
)

// An Option is a socket option that can be set and read: setsockopt(2) and getsockopt(2). Options
// are variables of this package:
//
//	err := socket.NoDelay.Set(s, true)
//	err = socket.KeepAliveIdle.Set(s, time.Minute)
//	size, err := socket.RecvBufferSize.Get(s)
//
// Set and Get do not wait, so they take no context. All these variables exist on every system that
// this package supports. If the system or the type of socket does not have the option, the error
// names it and wraps errors.ErrUnsupported, and in most cases also syscall.ENOPROTOOPT. Where IPv4
// and IPv6 have separate options for the same setting, the socket's family decides which one is
// used.
//
// The zero value is not an option: its methods return an error. An Option may be copied, and is
// safe for concurrent use. Other options can be set by number with [Socket.SetsockoptInt] and
// [Socket.SetsockoptBytes].
type Option[T any] struct{ o option[T] }

// Set sets the option on s. If the system does not accept the value, the error in most cases wraps
// syscall.EINVAL. Durations are rounded up to the system's unit.
func (o Option[T]) Set(s *Socket, value T) error { return o.o.set(s, value) }

// Get returns the option's value on s.
func (o Option[T]) Get(s *Socket) (T, error) { return o.o.get(s) }

// String returns the option's name in the system's manual, such as "TCP_NODELAY".
func (o Option[T]) String() string { return o.o.String() }

// A ReadOnly is a socket option that can only be read: getsockopt(2). Everything else is as for
// [Option].
type ReadOnly[T any] struct{ o option[T] }

// Get returns the option's value on s.
func (o ReadOnly[T]) Get(s *Socket) (T, error) { return o.o.get(s) }

// String returns the option's name in the system's manual, such as "SO_TYPE".
func (o ReadOnly[T]) String() string { return o.o.String() }

// An option is where a value is found on a socket, and in which form. v6 is for sockets
// of AF_INET6, v4 for all others; mostly they are the same.
type option[T any] struct {
	v4, v6 number
	form   *form[T] // nil in the zero value
}

// A number is an option as the system knows it, and its name in the manual.
type number struct {
	name        string
	level, code int
}

// missing is the code of an option that this system does not have.
const missing = -1

func (o *option[T]) number(s *Socket) (number, error) {
	n := o.v4
	if s.family == AF_INET6 {
		n = o.v6
	}
	switch {
	case o.form == nil:
		return n, &optionError{"the zero value of an option", syscall.ENOPROTOOPT}
	case n.code == missing:
		return n, &optionError{n.name, fmt.Errorf("this system does not have it: %w", syscall.ENOPROTOOPT)}
	}
	return n, nil
}

func (o *option[T]) set(s *Socket, value T) error {
	return s.control("setsockopt", func(fd int) error {
		n, err := o.number(s)
		if err != nil {
			return err
		}
		bytes, err := o.form.encode(value)
		if err == nil {
			s.fd.Setting(n.level, n.code)
			err = poll.Setsockopt(fd, n.level, n.code, bytes)
		}
		return n.failed("setsockopt", err)
	})
}

func (o *option[T]) get(s *Socket) (value T, err error) {
	err = s.control("getsockopt", func(fd int) error {
		n, err := o.number(s)
		if err != nil {
			return err
		}
		buf := make([]byte, o.form.size)
		size, err := poll.Getsockopt(fd, n.level, n.code, buf)
		if err == nil {
			value = o.form.decode(buf[:size])
		}
		return n.failed("getsockopt", err)
	})
	return value, err
}

func (o *option[T]) String() string {
	if o.v4.name != o.v6.name {
		return o.v4.name + "/" + o.v6.name
	}
	return o.v4.name
}

func (n number) failed(call string, err error) error {
	if err == nil {
		return nil
	}
	return &optionError{n.name, called(call, err)}
}

// An optionError says which option a call was about.
type optionError struct {
	option string
	err    error
}

func (e *optionError) Error() string { return e.option + ": " + e.err.Error() }
func (e *optionError) Unwrap() error { return e.err }

// Is makes an option that is not there errors.ErrUnsupported, which its errno is not.
func (e *optionError) Is(target error) bool {
	return target == errors.ErrUnsupported && errors.Is(e.err, syscall.ENOPROTOOPT)
}

// These make options of the levels that there are.

func ofSocket[T any](name string, code int, f *form[T]) option[T] {
	n := number{name, syscall.SOL_SOCKET, code}
	return option[T]{n, n, f}
}

func ofTCP[T any](name string, code int, f *form[T]) option[T] {
	n := number{name, syscall.IPPROTO_TCP, code}
	return option[T]{n, n, f}
}

func ofIP[T any](name4 string, code4 int, name6 string, code6 int, f *form[T]) option[T] {
	return option[T]{number{name4, syscall.IPPROTO_IP, code4}, number{name6, syscall.IPPROTO_IPV6, code6}, f}
}
