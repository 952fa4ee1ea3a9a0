package network

import (
	"net"
	"syscall"

	"github.com/curio-go/curio/socket"
)

// A ControlFunc is called with a socket that has been made and that is not bound or connected yet,
// to set options for which there is no field. network is "tcp4", "tcp6", "udp4", "udp6" or "unix",
// and address is where the socket is about to connect or listen. If it returns an error, or panics,
// the socket is closed, and the error, in a *net.OpError, is that of the operation.
//
//	func(network, address string, c syscall.RawConn) (err error) {
//		control := c.Control(func(fd uintptr) {
//			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soMark, 42)
//		})
//		return errors.Join(control, err)
//	}
//
// It is like the Control of a net.Dialer and of a net.ListenConfig, and a function for these can be
// used here. The options of this package have been set by then, so the function can change them. It
// has no context, so it must not wait for anything. c can be kept, and then used as long as the
// connection or listener is open; it has only Control, and its Read and Write fail. As any option may
// have been set, a connection that a ControlFunc has seen, or whose listener it has seen, asks the
// system once more after each short receive.
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
