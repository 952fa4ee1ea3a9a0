package channel

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/network"
)

// Connect connects to a [Listener], or to a Listener of Python's multiprocessing.connection.
// network is "tcp" or "unix", and address a "host:port" or the path of a Unix socket. A nil config
// means the default.
//
// While the listener is not available, Connect tries again: when the connection is refused, the
// Unix socket does not exist, the machine is unreachable, or the connection is reset at once. It
// pauses for 10 ms, and for twice as long each further time, up to a second. If the backlog of a
// Unix socket is full, it waits. Any other error is final, such as missing permissions, an unknown
// host, port 0, or, once there is a connection, a failure of the handshake: see [Client].
//
// If ctx is done first, the error wraps ctx's error, and errors.Is also finds the error of the last
// attempt. Errors are of type [*net.OpError]. After an error no socket is open.
//
// It is the connect of Curio's Channel. The system calls are socket(2) and connect(2). A task that
// waits is in the state CONNECT_WAIT, another state of network.OpenConnection or [Client], or
// TIME_SLEEP between two attempts.
func Connect(ctx context.Context, network, address string, config *Config) (*Conn, error) {
	config = config.orDefault()
	err := config.refuse()
	if err == nil && network == "tcp" && isPortless(address) {
		err = misused("port 0 of " + address + ", where no listener can be; Listener.LocalAddr has the port")
	}
	if err != nil {
		return nil, &net.OpError{Op: "connect", Net: network, Err: err}
	}
	pause := wait.Pause{First: firstPause, Most: longestPause}
	var last error
	for {
		t, err := dial(ctx, network, address, config)
		if err == nil {
			return Client(ctx, t, config)
		}
		_, ended := wait.At(ctx)
		cancelled := errors.Is(err, curio.ErrCancelled)
		switch {
		case ended == nil && (cancelled || !passes(err)):
			return nil, err
		case !cancelled:
			last = causeOf(err)
		}
		if ended == nil {
			ended = pause.Sleep(ctx)
		}
		if ended != nil {
			return nil, gaveUp(err, ended, last)
		}
	}
}

// isPortless reports whether address has port 0, which is any free one to Listen. Connect would be refused there
// for ever.
func isPortless(address string) bool {
	_, port, err := net.SplitHostPort(address)
	return err == nil && strings.Trim(port, "0") == ""
}

// How long Connect waits after a first attempt, and at most.
const (
	firstPause   = 10 * time.Millisecond
	longestPause = time.Second
)

// dial makes one attempt to connect.
func dial(ctx context.Context, name, address string, config *Config) (network.Conn, error) {
	var client network.ConnectConfig
	if config.Client != nil {
		client = *config.Client
	}
	if client.TLS != nil {
		client.HandshakeTimeout = config.HandshakeTimeout
	}
	switch name {
	case "tcp":
		return network.OpenConnection(ctx, address, &client)
	case "unix":
		return network.OpenUnixConnection(ctx, address, &client)
	}
	return nil, &net.OpError{Op: "connect", Net: name, Err: net.UnknownNetworkError(name)}
}

// passing are the errors of connect(2) that may be gone with the next attempt. ENOENT is for a Unix socket that
// has not been made yet, and EAGAIN for one that has too many connections to accept, where the system does not
// wait for that.
var passing = []error{
	syscall.ECONNREFUSED, syscall.ENOENT, syscall.EAGAIN, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.ETIMEDOUT,
	syscall.EHOSTUNREACH, syscall.EHOSTDOWN, syscall.ENETUNREACH, syscall.ENETDOWN,
}

// passes reports whether it makes sense to try again after err.
func passes(err error) bool {
	if op, ok := errors.AsType[*net.OpError](causeOf(err)); ok && op.Op == "handshake" {
		return false // of TLS: there is somebody
	}
	for _, e := range passing {
		if errors.Is(err, e) {
			return true
		}
	}
	lookup, ok := errors.AsType[*net.DNSError](err)
	return ok && !lookup.IsNotFound && (lookup.IsTemporary || lookup.IsTimeout)
}

// gaveUp is the error of a Connect whose context is done. err names the address.
func gaveUp(err, ended, last error) error {
	if last == nil {
		return err
	}
	wrapped := &net.OpError{Op: "connect", Net: "channel", Err: &patience{ended, last}}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		wrapped.Net, wrapped.Addr = op.Net, op.Addr
	}
	return wrapped
}

// A patience is the error of a scope that ended when attempts had failed. It wraps the scope's alone, so that a
// task that ends with it counts as cancelled, and not as failed; but errors.Is and errors.As see the other one
// as well.
type patience struct{ ended, last error }

func (p *patience) Error() string      { return p.ended.Error() + "; the last attempt: " + p.last.Error() }
func (p *patience) Unwrap() error      { return p.ended }
func (p *patience) Is(err error) bool  { return errors.Is(p.last, err) }
func (p *patience) As(target any) bool { return errors.As(p.last, target) }

// Timeout is for package net, which does not look at wrapped errors.
func (p *patience) Timeout() bool {
	timeout, ok := p.ended.(interface{ Timeout() bool })
	return ok && timeout.Timeout()
}
