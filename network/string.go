package network

import (
	"fmt"
	"net"
)

// Connections are printed, by logs and mocks, while others use them. So each says what it
// is by itself: package fmt would read all that it consists of, as it changes.

// String says what c is built on.
func (c *impatient) String() string { return describe(c.Conn) }

// String says what p is built on. Who its client is, is not known from the beginning.
func (p *proxied) String() string { return "proxied " + describe(p.conn) }

// String says what b is made of.
func (b *bounded) String() string { return describe(b.conn) }

// String says where n listens.
func (n *netListener) String() string { return n.listener.String() }

// String returns the network and the address that l listens on, as "tcp 127.0.0.1:80".
func (l *Listener) String() string {
	addr := l.LocalAddr()
	if addr == nil {
		return "listener"
	}
	return addr.Network() + " " + addr.String()
}

// describe is the text of a connection of anybody's: its own, if it has one, or its
// addresses.
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
