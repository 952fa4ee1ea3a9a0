package network

import (
	"net"

	"github.com/curio-go/curio/internal/foreign"
)

// FromConn makes a Conn of a net.Conn, of package net, crypto/tls or anybody's, and takes
// it over: its deadlines are used to end operations whose context has ended. A net.Conn
// that NetConn has made, or DialContext, is unwrapped: FromConn returns the Conn that it
// is of, which its context and deadlines do not bound.
//
// Each operation of a net.Conn can be cancelled, even if its own methods cannot. A Conn of
// a *tls.Conn has a Handshake method. One whose handshake or sending was cut short is of
// no use any more, as TLS cannot go on after a part of a record; after a Recv that was
// cancelled it can. CloseWrite fails with errors.ErrUnsupported if c has no method for it.
// Errors are *net.OpError, but for io.EOF. FromConn panics if c is nil.
func FromConn(c net.Conn) Conn {
	switch c := c.(type) {
	case *netConn:
		return c.conn
	case nil:
		panic("curio/network: nil net.Conn; FromConn makes a Conn of one that is open")
	}
	return foreign.New(c)
}

// FromListener makes a Listener of a net.Listener, for RunServer, and takes it over. The
// connections that it accepts are as FromConn makes them. A nil config is the default;
// what it says of how to listen is refused, for it comes too late.
//
// Accept can be cancelled, and loses no connection by it: if l has a SetDeadline method
// that is used, and if it has none, as tls.NewListener's, Accept goes on in a goroutine,
// and what it returns is kept for the next call, or closed by Close. FromListener panics if l is nil.
func FromListener(l net.Listener, config *ServerConfig) *Listener {
	if l == nil {
		panic("curio/network: nil net.Listener; FromListener makes a Listener of one that listens")
	}
	if n, ok := l.(*netListener); ok {
		return n.listener
	}
	made := NewListener(nil, config)
	made.foreign = foreign.NewListener(l)
	return made
}
