package network

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/socket"
)

// A ConnectConfig says how a connection is opened. The zero value is the default.
type ConnectConfig struct {
	// Source is the local address to connect from. nil, or a port of 0, leaves
	// the choice to the system.
	Source *net.TCPAddr
}

// OpenConnection connects with addr, a "host:port". If the host is a name with
// several addresses, it tries one after the other, and if all fail, returns the
// errors of all. When ctx ends it gives up, and leaves no socket open. A nil config is
// the default. Errors are *net.OpError.
//
// It is Curio's open_connection.
func OpenConnection(ctx context.Context, addr string, config *ConnectConfig) (Conn, error) {
	if config == nil {
		config = new(ConnectConfig)
	}
	addrs, err := resolve(ctx, "connect", addr)
	if err != nil {
		return nil, err
	}
	var failed attempts
	for _, a := range addrs {
		if a.IP == nil {
			a.IP = net.IPv4(127, 0, 0, 1) // ":port", as package net has it
		}
		conn, err := connect(ctx, a, config)
		if err == nil {
			return conn, nil
		}
		failed = append(failed, err)
		if errors.Is(err, curio.ErrCancelled) {
			break // in the next attempt at the latest
		}
	}
	if len(failed) == 1 {
		return nil, failed[0]
	}
	return nil, &net.OpError{Op: "connect", Net: "tcp", Addr: name(addr), Err: failed}
}

// attempts are the errors of several attempts to connect, the last of which says
// whether the time was up.
type attempts []error

func (a attempts) Error() string   { return errors.Join(a...).Error() }
func (a attempts) Unwrap() []error { return a }

func (a attempts) Timeout() bool {
	last, ok := a[len(a)-1].(net.Error)
	return ok && last.Timeout()
}

// connect makes one attempt. One with a free port of this machine can meet itself: both
// ends of the connection are then the one socket, which is of no use to anybody.
func connect(ctx context.Context, addr *net.TCPAddr, config *ConnectConfig) (*socket.Socket, error) {
	for {
		s, err := connectOnce(ctx, addr, config)
		if err != nil || config.Source != nil || fmt.Sprint(s.LocalAddr()) != fmt.Sprint(s.RemoteAddr()) {
			return s, err
		}
		s.Close()
	}
}

func connectOnce(ctx context.Context, addr *net.TCPAddr, config *ConnectConfig) (*socket.Socket, error) {
	s, err := socket.New(familyOf(addr), socket.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	if config.Source != nil {
		err = s.Bind(config.Source)
	}
	if err == nil {
		err = s.Connect(ctx, addr)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}
