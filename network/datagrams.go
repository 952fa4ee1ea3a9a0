package network

import (
	"net"

	"github.com/curio-go/curio/internal/foreign"
)

// Conns mostly are streams of bytes. A datagram socket is a Conn too, and so is what FromConn
// makes of one, and what a listener of packets accepts. Those built on another Conn say with
// a Datagrams method what that is.

// Datagrams reports whether it moves messages, and no stream of bytes.
func (c *impatient) Datagrams() bool { return foreign.Datagrams(c.Conn) }

// Datagrams reports whether it moves messages, and no stream of bytes.
func (b *bounded) Datagrams() bool { return foreign.Datagrams(b.conn) }

// mustCarry panics if c asks for what only a stream can carry, of connections that a
// listener at addr has.
func (c *ServerConfig) mustCarry(call string, addr net.Addr) {
	if (c.TLS != nil || c.Proxy != nil) && foreign.DatagramAddr(addr) {
		panic("curio/network: " + call + " with a ServerConfig that has TLS or Proxy, on a listener of network " + addr.Network() + ", whose connections move messages; both need a stream")
	}
}
