package network

import (
	"crypto/tls"
	"net"

	"github.com/curio-go/curio/internal/foreign"
)

// FromConn makes a Conn of a net.Conn, of package net, crypto/tls or anybody's, and takes
// it over: nobody else is to use it any more. Each operation can then be cancelled, by the
// net.Conn's deadlines, or, if these cannot be set or are not heeded within five seconds, by
// closing it. Whatever the net.Conn's methods do then, nobody else waits for them; an operation
// in a method that returns even so only when it likes is shown as waiting until then. Close
// has no context and takes as long as that of the net.Conn. What NetConn or DialContext has
// made is unwrapped: FromConn ends that, and returns the Conn that it was made of, which goes on
// having the Lifetime and the slot of a NetListener's.
//
// A Conn of a *tls.Conn has a Handshake method. When its handshake or sending was cut
// short it is of no use any more, for TLS cannot go on after a part of a record; after a
// Recv that was cancelled it can. CloseWrite fails with errors.ErrUnsupported if c has no
// such method. Errors are *net.OpError, but for io.EOF.
//
// A c that moves messages, such as a *net.UDPConn, goes on doing so: each Recv receives one,
// which may be empty, and loses what does not fit into its buffer, and each SendAll sends
// one. What c is, if it is not of package net, is told by the Network of its LocalAddr,
// "udp" or "unixgram" and so on; WaitRead then reads a message, and holds it. Above such
// a Conn there can be no TLS and no stream.Stream.
//
// FromConn panics if c is nil, or a *tls.Conn on a datagram socket.
func FromConn(c net.Conn) Conn {
	switch c := c.(type) {
	case adapter:
		return c.bound().release()
	case nil:
		panic("curio/network: nil net.Conn; FromConn makes a Conn of one that is open")
	case *tls.Conn:
		if foreign.Datagrams(c) {
			panic("curio/network: FromConn of TLS on a datagram socket; TLS needs a stream")
		}
	}
	return foreign.New(c)
}

// FromListener makes a Listener of a net.Listener, for RunServer, and takes it over. Its
// connections are as FromConn makes them. A nil config is the default. FromListener panics
// if l is nil, if config makes no sense, or if it says how to listen, for that comes too
// late. So it does if there is to be TLS or PROXY on connections that move messages, as
// those of "unixpacket" do.
//
// Accept can be cancelled, and loses no connection by it. A listener of package net has
// deadlines for that. The Accept of any other, such as that of tls.NewListener, is called in a
// goroutine, in which it goes on up to Close, and what it returns is there for the next call.
// A panic in it is one of our Accept.
func FromListener(l net.Listener, config *ServerConfig) *Listener {
	if l == nil {
		panic("curio/network: nil net.Listener; FromListener makes a Listener of one that listens")
	}
	made := newListener(config)
	made.config.mustNotListen("FromListener")
	made.config.mustFit(l.Addr(), "FromListener")
	made.config.mustCarry("FromListener", l.Addr())
	made.foreign = foreign.NewListener(l)
	return made
}
