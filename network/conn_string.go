package network

import (
	"fmt"
	"net"
)

// Logs and mocks print connections while others use them. So each has a String method:
// without it, package fmt would read all fields while they change.

// String describes the connection that c is built on.
func (c *impatient) String() string { return describe(c.Conn) }

// String describes the connection that p is built on. It does not name the client, which is not
// known at first.
func (p *proxied) String() string { return "proxied " + describe(p.conn) }

// String describes the Conn that b was made from.
func (b *bounded) String() string { return describe(b.conn) }

// String returns the network and the address that n listens on.
func (n *netListener) String() string { return n.listener.String() }

// String returns the network and the address that l listens on, such as "tcp 127.0.0.1:80".
func (l *Listener) String() string {
	addr := l.LocalAddr()
	if addr == nil {
		return "listener"
	}
	return addr.Network() + " " + addr.String()
}

// describe returns the text of any connection: that of its String method if it has one, or
// else its addresses.
func describe(conn interface {
	LocalAddr() net.Addr
	RemoteAddr() net.Addr
},
) string {
	if s, ok := conn.(fmt.Stringer); ok {
		return s.String()
	}
	return fmt.Sprintf("%v->%v", conn.LocalAddr(), conn.RemoteAddr())
}
