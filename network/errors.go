package network

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/curio-go/curio/internal/sentinel"
)

// opError is the error of an operation on conn.
func opError(op string, conn Conn, cause error) error {
	return &net.OpError{Op: op, Net: networkOf(conn), Source: conn.LocalAddr(), Addr: conn.RemoteAddr(), Err: cause}
}

// networkOf is the name of conn's network.
func networkOf(conn Conn) string {
	for _, addr := range []net.Addr{conn.LocalAddr(), conn.RemoteAddr()} {
		if addr != nil {
			return addr.Network()
		}
	}
	return "conn"
}

// causeOf is what a net.OpError is about, and any other error itself: for the error of
// another layer, which is about the same addresses but another operation.
func causeOf(err error) error {
	if op, ok := err.(*net.OpError); ok {
		return op.Err
	}
	return err
}

// misused says what is wrong with a configuration.
func misused(what string) error { return fmt.Errorf("%s: %w", what, syscall.EINVAL) }

// Errors for the limits of a [ServerConfig] and a [ConnectConfig]. If a limit ends an operation,
// errors.Is reports true for the error and the limit, and also for [os.ErrDeadlineExceeded], and
// the error's Timeout method returns true. A timeout that a handler sets itself is not one of these
// errors.
var (
	// ErrIdle reports that the peer has sent nothing, or accepted nothing, for the IdleTimeout.
	// Only this operation has failed: the context is not done.
	ErrIdle = sentinel.Timeout("curio/network: the peer was idle for too long")

	// ErrHandshakeTimeout reports that the handshake, or a proxy's header, was not complete within
	// the HandshakeTimeout. For the operation's error, errors.Is also reports
	// context.DeadlineExceeded.
	ErrHandshakeTimeout = sentinel.Timeout("curio/network: the handshake took too long")

	// ErrLifetime reports that the connection has been served for its Lifetime. The handler's
	// context is done: each operation with it fails with an error that also wraps ErrLifetime, and
	// curio.WhoCancelled returns that as the Reason.
	ErrLifetime = sentinel.Timeout("curio/network: the connection's lifetime is over")
)

// A lateError says that something was not done within the time that is its value. It is
// not the error of the timeout in which it was: what is around it is not to take that for
// its own affair.
type lateError time.Duration

func (e lateError) Error() string { return "not done within " + time.Duration(e).String() }
func (e lateError) Timeout() bool { return true }
func (e lateError) Is(target error) bool {
	return target == os.ErrDeadlineExceeded || target == context.DeadlineExceeded || target == ErrHandshakeTimeout
}
