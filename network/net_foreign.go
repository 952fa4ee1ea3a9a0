package network

import (
	"crypto/tls"
	"net"

	"github.com/curio-go/curio/internal/foreign"
)

// FromConn makes a [Conn] from a net.Conn of any package and takes ownership of it: c must not be
// used otherwise. Each operation can be cancelled: FromConn interrupts c's method with a deadline.
// If c does not support deadlines, or does not react within five seconds, FromConn closes c. Other
// tasks never wait for a method of c that does not return; the operation that called it is shown as
// waiting until it does. Close takes no context and takes as long as c's Close. If c was made by
// NetConn, DialContext or a NetListener without TLS, FromConn invalidates c and returns the Conn
// that c was made from, which keeps the Lifetime and the slot that a NetListener has given it.
//
// A Conn made from a *tls.Conn has a Handshake method. It cannot be used after its handshake or a
// send was interrupted, as TLS cannot continue after part of a record; after a Recv that was
// cancelled it can. CloseWrite fails with errors.ErrUnsupported if c has no such method. Errors are
// of type [*net.OpError], except io.EOF.
//
// If c moves messages, as a *net.UDPConn does, so does the Conn: each Recv receives one message,
// which may be empty, and discards what does not fit into its buffer; each SendAll sends one
// message. For a c that is not of package net, the Network of its LocalAddr, such as "udp" or
// "unixgram", decides whether it moves messages; WaitRead then reads a message and keeps it for the
// next Recv. Neither TLS nor a stream.Stream can be built on such a Conn.
//
// FromConn panics if c is nil or a *tls.Conn on a datagram socket.
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

// FromListener makes a [Listener] from a net.Listener, for RunServer, and takes ownership of it.
// Its connections are as [FromConn] makes them. A nil config means the default. FromListener panics
// if l is nil, if config is invalid, or if config has settings for the listening socket or
// KeepAlive, which the net.Listener decides. It also panics if config has TLS or Proxy and the
// connections move messages, as on "unixpacket".
//
// Accept can be cancelled without losing a connection. With a listener of package net, a deadline
// interrupts it. With any other, such as one from tls.NewListener, a separate goroutine calls
// l.Accept: after a cancellation that call goes on until Close, and its connection is kept for the
// next Accept. If l.Accept panics, so does the Listener's Accept.
func FromListener(l net.Listener, config *ServerConfig) *Listener {
	if l == nil {
		panic("curio/network: nil net.Listener; FromListener makes a Listener of one that listens")
	}
	made := newListener(config)
	made.config.mustNotListen("FromListener")
	made.config.mustFit(l.Addr(), "FromListener")
	if made.config.KeepAlive != (KeepAliveConfig{}) {
		panic("curio/network: FromListener with KeepAlive, which the net.Listener decides; set it there, for example with net.ListenConfig.KeepAliveConfig")
	}
	made.config.mustCarry("FromListener", l.Addr())
	made.foreign = foreign.NewListener(l)
	return made
}
