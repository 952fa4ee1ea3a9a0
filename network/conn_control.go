package network

import (
	"net"
	"syscall"

	"github.com/curio-go/curio/socket"
)

// A ControlFunc sets options for which there is no field, on a socket that is not bound or
// connected yet. network is "tcp4", "tcp6", "udp4", "udp6" or "unix", and address is where the
// socket is about to connect or listen. If the function returns an error or panics, the socket is
// closed and the operation fails with a [*net.OpError] that wraps the error.
//
//	func(network, address string, c syscall.RawConn) (err error) {
//		control := c.Control(func(fd uintptr) {
//			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soMark, 42)
//		})
//		return errors.Join(control, err)
//	}
//
// A function for the Control field of a net.Dialer or a net.ListenConfig can be used here. The
// options of this package have already been set, so the function can change them. It takes no
// context, so it must not wait. c may be kept and used while the connection or listener is open;
// only its Control method works, and Read and Write fail. As the function may have set any option,
// its connections make one more system call after each short receive.
type ControlFunc = func(network, address string, c syscall.RawConn) error

// A controlError is the error of a ControlFunc.
type controlError struct{ error }

func (e controlError) Unwrap() error { return e.error }

// callControl calls control, unless it is nil, with a socket that is to connect with addr or to listen
// there. op is what the socket is for.
func callControl(control ControlFunc, s *socket.Socket, op string, addr net.Addr) error {
	if control == nil {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	if err := control(familyNetwork(addr), addr.String(), raw); err != nil {
		return &net.OpError{Op: op, Net: addr.Network(), Addr: addr, Err: controlError{err}}
	}
	return nil
}

// familyNetwork is the network of addr with the family, such as "tcp4".
func familyNetwork(addr net.Addr) string {
	var ip net.IP
	switch addr := addr.(type) {
	case *net.TCPAddr:
		ip = addr.IP
	case *net.UDPAddr:
		ip = addr.IP
	default:
		return addr.Network()
	}
	if ip.To4() != nil {
		return addr.Network() + "4"
	}
	return addr.Network() + "6"
}

// unlessDone closes s if done has not become true: for a function that calls a ControlFunc, which may
// panic.
func unlessDone(done *bool, s *socket.Socket) {
	if !*done {
		s.Close()
	}
}
