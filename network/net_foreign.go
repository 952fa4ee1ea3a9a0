package network

import (
	"crypto/tls"
	"net"

	"github.com/curio-go/curio/internal/foreign"
)

// FromConn makes a Conn of a net.Conn, of package net, crypto/tls or any other package, and
// takes it over: nobody else may use it any more. Each operation can then be cancelled, by
// the net.Conn's deadlines. If these cannot be set, or are not heeded within five seconds,
// the net.Conn is closed instead. Whatever its methods do then, nobody else waits for them.
// An operation whose method does not return even after that is shown as waiting until it
// does. Close has no context and takes as long as the net.Conn's Close. A c that was made
// by NetConn, DialContext or a NetListener without TLS is unwrapped: FromConn ends c, and
// returns the Conn that c was made of, which keeps the Lifetime and the slot that a
// NetListener has given it.
//
// A Conn of a *tls.Conn has a Handshake method. When its handshake or sending was cut
// short it is of no use any more, for TLS cannot go on after a part of a record; after a
// Recv that was cancelled it can. CloseWrite fails with errors.ErrUnsupported if c has no
// such method. Errors are *net.OpError, except for io.EOF.
//
// If c moves messages, as a *net.UDPConn does, so does the Conn: each Recv receives one
// message, which may be empty, and loses what does not fit into its buffer; each SendAll
// sends one. Whether a c that is not of package net moves messages is decided by the
// Network of its LocalAddr, such as "udp" or "unixgram"; WaitRead then reads a message, and
// holds it for the next Recv. Neither TLS nor a stream.Stream can be put on top of such a
// Conn.
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
// if l is nil, if config makes no sense, or if config says how to listen, which comes too
// late. It also panics if config has a KeepAlive, which is the net.Listener's affair, or if
// config has TLS or Proxy and the connections move messages, as on
// "unixpacket".
//
// Accept can be cancelled, and loses no connection by that. With a listener of package net,
// a deadline interrupts it. With any other, such as one of tls.NewListener, l.Accept is
// called in a goroutine of its own: it goes on when our Accept is cancelled, until Close,
// and what it returns is kept for the next call. If it panics, so does our Accept.
func FromListener(l net.Listener, config *ServerConfig) *Listener {
	if l == nil {
		panic("curio/network: nil net.Listener; FromListener makes a Listener of one that listens")
	}
	made := newListener(config)
	made.config.mustNotListen("FromListener")
	made.config.mustFit(l.Addr(), "FromListener")
	if made.config.KeepAlive != (KeepAliveConfig{}) {
		panic("curio/network: FromListener with KeepAlive, which the net.Listener decides; set it there, as by net.ListenConfig.KeepAliveConfig")
	}
	made.config.mustCarry("FromListener", l.Addr())
	made.foreign = foreign.NewListener(l)
	return made
}
