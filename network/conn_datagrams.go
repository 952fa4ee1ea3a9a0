package network

import (
	"net"

	"github.com/curio-go/curio/internal/foreign"
)

// Most Conns are streams of bytes. A datagram socket is a Conn, too, and so is what
// FromConn makes of one, and what a listener for packets accepts. A Conn that is built on
// another one has a Datagrams method, which says what that one is.

// Datagrams reports whether it moves messages rather than a stream of bytes.
func (c *impatient) Datagrams() bool { return foreign.Datagrams(c.Conn) }

// Datagrams reports whether it moves messages rather than a stream of bytes.
func (b *bounded) Datagrams() bool { return foreign.Datagrams(b.conn) }

// mustCarry panics if c asks for something that needs a stream and the connections of a
// listener at addr move messages.
func (c *ServerConfig) mustCarry(call string, addr net.Addr) {
	if (c.TLS != nil || c.Proxy != nil) && foreign.DatagramAddr(addr) {
		panic("curio/network: " + call + " with a ServerConfig that has TLS or Proxy, on a listener of network " + addr.Network() + ", whose connections move messages; both need a stream")
	}
}
