package network

import (
	"context"
	"net"
	"net/netip"

	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

// NetPacketConn makes a datagram socket a net.PacketConn, for libraries that know nothing of
// contexts, and gives it to the caller together with s: closing one closes the other. ctx
// and deadlines bound its operations as NetConn describes.
//
// What it returns is also a net.Conn, for a socket that is connected, and has the methods
// ReadFromUDPAddrPort, WriteToUDPAddrPort and SyscallConn of *net.UDPConn. Datagrams may
// be empty: a Read that returns 0 and no error has received one. NetPacketConn panics if s
// is nil.
func NetPacketConn(ctx context.Context, s *socket.Socket) net.PacketConn {
	if s == nil {
		panic("curio/network: nil *socket.Socket; NetPacketConn makes a net.PacketConn of one that is open")
	}
	return newPacketConn(ctx, s)
}

// A packetConn is a datagram socket as a net.PacketConn and a net.Conn.
type packetConn struct {
	bounded
	socket *socket.Socket
}

func newPacketConn(ctx context.Context, s *socket.Socket) *packetConn {
	c := &packetConn{socket: s}
	c.init(ctx, s)
	return c
}

var (
	_ net.PacketConn = (*packetConn)(nil)
	_ net.Conn       = (*packetConn)(nil)
)

// ReadFrom implements net.PacketConn.
func (c *packetConn) ReadFrom(buf []byte) (n int, from net.Addr, err error) {
	err = c.do("read", &c.reads, func(scope *wait.Scope) (err error) {
		n, from, err = c.socket.RecvFrom(scope, buf, 0)
		return err
	})
	return n, from, err
}

// ReadFromUDPAddrPort is that of *net.UDPConn.
func (c *packetConn) ReadFromUDPAddrPort(buf []byte) (n int, from netip.AddrPort, err error) {
	err = c.do("read", &c.reads, func(scope *wait.Scope) (err error) {
		n, from, err = c.socket.RecvFromAddrPort(scope, buf, 0)
		return err
	})
	return n, from, err
}

// Read receives a datagram of whoever has sent it.
func (c *packetConn) Read(buf []byte) (n int, err error) {
	err = c.do("read", &c.reads, func(scope *wait.Scope) (err error) {
		n, err = c.socket.RecvFlags(scope, buf, 0)
		return err
	})
	return n, err
}

// WriteTo implements net.PacketConn.
func (c *packetConn) WriteTo(buf []byte, to net.Addr) (n int, err error) {
	err = c.do("write", &c.writes, func(scope *wait.Scope) (err error) {
		n, err = c.socket.SendTo(scope, buf, 0, to)
		return err
	})
	return n, err
}

// WriteToUDPAddrPort is that of *net.UDPConn.
func (c *packetConn) WriteToUDPAddrPort(buf []byte, to netip.AddrPort) (n int, err error) {
	err = c.do("write", &c.writes, func(scope *wait.Scope) (err error) {
		n, err = c.socket.SendToAddrPort(scope, buf, 0, to)
		return err
	})
	return n, err
}

// Write sends a datagram to the connected peer.
func (c *packetConn) Write(buf []byte) (n int, err error) {
	err = c.do("write", &c.writes, func(scope *wait.Scope) (err error) {
		n, err = c.socket.SendFlags(scope, buf, 0)
		return err
	})
	return n, err
}

// do calls op under d, and again if d was moved out of the past meanwhile: a datagram has
// passed, or not at all.
func (c *packetConn) do(name string, d *deadline, op func(scope *wait.Scope) error) error {
	for {
		scope := d.scope.Load()
		err := op(scope)
		if err == nil {
			return nil
		}
		again, err := c.failed(name, d, scope, err)
		if !again {
			return err
		}
	}
}
