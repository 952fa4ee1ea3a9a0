package network

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"

	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

// NetPacketConn makes a net.PacketConn from a datagram socket, for libraries that take no context.
// Closing either of the two closes the other. ctx and deadlines limit its operations as [NetConn]
// describes.
//
// The result is also a net.Conn, for a connected socket, and has SyscallConn, File, SetReadBuffer
// and SetWriteBuffer. Over UDP it also has the methods of *net.UDPConn, such as ReadMsgUDP and
// WriteToUDPAddrPort, and over a raw socket the methods of *net.IPConn. Datagrams may be empty: a
// Read that returns 0 and no error has received one. NetPacketConn panics if s is nil or a stream
// socket.
func NetPacketConn(ctx context.Context, s *socket.Socket) net.PacketConn {
	if s == nil {
		panic("curio/network: nil *socket.Socket; NetPacketConn makes a net.PacketConn of one that is open")
	}
	if kind := networkOfSocket(s); kind == "tcp" || kind == "unix" {
		panic("curio/network: NetPacketConn of a stream socket; NetConn makes a net.Conn of it")
	}
	return newPacketConn(ctx, s)
}

// packets has the methods that a datagram socket of package net has.
type packets interface {
	net.PacketConn
	Read(buf []byte) (int, error)
	Write(buf []byte) (int, error)
	RemoteAddr() net.Addr
}

func newPacketConn(ctx context.Context, s *socket.Socket) packets {
	switch networkOfSocket(s) {
	case "udp":
		made := new(udpConn)
		made.init(ctx, s)
		return made
	case "ip":
		made := new(ipConn)
		made.init(ctx, s)
		return made
	}
	made := new(packetConn)
	made.init(ctx, s)
	return made
}

// A packetConn is a datagram socket as a net.PacketConn and a net.Conn.
type packetConn struct {
	bounded
	socket *socket.Socket // set at birth
}

func (c *packetConn) init(ctx context.Context, s *socket.Socket) {
	c.socket = s
	c.bounded.init(ctx, s, nil)
}

// ReadFrom implements net.PacketConn.
func (c *packetConn) ReadFrom(buf []byte) (n int, from net.Addr, err error) {
	err = c.do("read", &c.reads, func(scope *wait.Scope) (err error) {
		n, from, err = c.socket.RecvFrom(scope, buf, 0)
		return err
	})
	return n, from, err
}

// Read receives a datagram from any sender.
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

// Write sends a datagram to the connected peer.
func (c *packetConn) Write(buf []byte) (n int, err error) {
	err = c.do("write", &c.writes, func(scope *wait.Scope) (err error) {
		n, err = c.socket.SendFlags(scope, buf, 0)
		return err
	})
	return n, err
}

// SyscallConn implements syscall.Conn.
func (c *packetConn) SyscallConn() (syscall.RawConn, error) { return rawOf(&c.bounded, c.socket) }

// File returns a duplicate of the descriptor, which the caller closes.
func (c *packetConn) File() (*os.File, error) { return fileOfSocket(&c.bounded, c.socket) }

// SetReadBuffer sets how much received and unread data the system keeps.
func (c *packetConn) SetReadBuffer(bytes int) error {
	return setOption(&c.bounded, c.socket, socket.RecvBufferSize, bytes)
}

// SetWriteBuffer sets how much unsent data the system accepts.
func (c *packetConn) SetWriteBuffer(bytes int) error {
	return setOption(&c.bounded, c.socket, socket.SendBufferSize, bytes)
}

// A udpConn is a UDP socket as a net.PacketConn, with the methods of *net.UDPConn.
type udpConn struct{ packetConn }

// ReadFromUDPAddrPort is like the method of *net.UDPConn.
func (c *udpConn) ReadFromUDPAddrPort(buf []byte) (n int, from netip.AddrPort, err error) {
	err = c.do("read", &c.reads, func(scope *wait.Scope) (err error) {
		n, from, err = c.socket.RecvFromAddrPort(scope, buf, 0)
		return err
	})
	return n, from, err
}

// ReadFromUDP is like the method of *net.UDPConn.
func (c *udpConn) ReadFromUDP(buf []byte) (n int, from *net.UDPAddr, err error) {
	n, addr, err := c.ReadFrom(buf)
	from, _ = addr.(*net.UDPAddr)
	return n, from, err
}

// ReadMsgUDP is like the method of *net.UDPConn.
func (c *udpConn) ReadMsgUDP(buf, oob []byte) (n, oobn, flags int, from *net.UDPAddr, err error) {
	n, oobn, flags, addr, err := c.ReadMsgUDPAddrPort(buf, oob)
	if addr.IsValid() {
		from = net.UDPAddrFromAddrPort(addr)
	}
	return n, oobn, flags, from, err
}

// ReadMsgUDPAddrPort is like the method of *net.UDPConn.
func (c *udpConn) ReadMsgUDPAddrPort(buf, oob []byte) (n, oobn, flags int, from netip.AddrPort, err error) {
	m, err := c.readMsg(buf, oob)
	return m.N, m.ControlN, m.Flags, m.AddrPort, err
}

// WriteToUDPAddrPort is like the method of *net.UDPConn.
func (c *udpConn) WriteToUDPAddrPort(buf []byte, to netip.AddrPort) (n int, err error) {
	err = c.do("write", &c.writes, func(scope *wait.Scope) (err error) {
		n, err = c.socket.SendToAddrPort(scope, buf, 0, to)
		return err
	})
	return n, err
}

// WriteToUDP is like the method of *net.UDPConn.
func (c *udpConn) WriteToUDP(buf []byte, to *net.UDPAddr) (int, error) { return c.WriteTo(buf, to) }

// WriteMsgUDP is like the method of *net.UDPConn.
func (c *udpConn) WriteMsgUDP(buf, oob []byte, to *net.UDPAddr) (n, oobn int, err error) {
	m := socket.Message{Control: oob}
	if to != nil {
		m.Addr = to
	}
	return c.writeMsg(buf, m)
}

// WriteMsgUDPAddrPort is like the method of *net.UDPConn.
func (c *udpConn) WriteMsgUDPAddrPort(buf, oob []byte, to netip.AddrPort) (n, oobn int, err error) {
	return c.writeMsg(buf, socket.Message{Control: oob, AddrPort: to})
}

func (c *packetConn) readMsg(buf, oob []byte) (socket.Message, error) {
	m := socket.Message{Buffers: [][]byte{buf}, Control: oob}
	err := c.do("read", &c.reads, func(scope *wait.Scope) error {
		_, err := c.socket.RecvMsg(scope, &m, 0)
		return err
	})
	return m, err
}

func (c *packetConn) writeMsg(buf []byte, m socket.Message) (n, oobn int, err error) {
	m.Buffers = [][]byte{buf}
	err = c.do("write", &c.writes, func(scope *wait.Scope) error {
		_, err := c.socket.SendMsg(scope, &m, 0)
		return err
	})
	if err != nil {
		return m.N, 0, err
	}
	return m.N, len(m.Control), nil
}

// An ipConn is a raw socket as a net.PacketConn, with the methods of *net.IPConn.
type ipConn struct{ packetConn }

// ReadFrom implements net.PacketConn. Like *net.IPConn, it strips the header that the
// system puts before an IPv4 packet.
func (c *ipConn) ReadFrom(buf []byte) (n int, from net.Addr, err error) {
	n, from, err = c.packetConn.ReadFrom(buf)
	if a, ok := from.(*net.IPAddr); ok && a.IP.To4() != nil {
		n = cutIPv4Header(buf, n)
	}
	return n, from, err
}

// ReadFromIP is like the method of *net.IPConn.
func (c *ipConn) ReadFromIP(buf []byte) (n int, from *net.IPAddr, err error) {
	n, addr, err := c.ReadFrom(buf)
	from, _ = addr.(*net.IPAddr)
	return n, from, err
}

// ReadMsgIP is like the method of *net.IPConn.
func (c *ipConn) ReadMsgIP(buf, oob []byte) (n, oobn, flags int, from *net.IPAddr, err error) {
	m, err := c.readMsg(buf, oob)
	if addr := m.AddrPort.Addr(); addr.IsValid() {
		from = &net.IPAddr{IP: addr.AsSlice(), Zone: addr.Zone()}
	}
	return m.N, m.ControlN, m.Flags, from, err
}

// WriteToIP is like the method of *net.IPConn.
func (c *ipConn) WriteToIP(buf []byte, to *net.IPAddr) (int, error) { return c.WriteTo(buf, to) }

// WriteMsgIP is like the method of *net.IPConn.
func (c *ipConn) WriteMsgIP(buf, oob []byte, to *net.IPAddr) (n, oobn int, err error) {
	m := socket.Message{Control: oob}
	if to != nil {
		m.Addr = to
	}
	return c.writeMsg(buf, m)
}

// cutIPv4Header moves the payload to the beginning of buf, which has n bytes with the
// header, and returns its length.
func cutIPv4Header(buf []byte, n int) int {
	const least = 20
	if n < least || buf[0]>>4 != 4 {
		return n
	}
	header := int(buf[0]&0x0f) << 2
	if header < least || header > n {
		return n
	}
	return copy(buf, buf[header:n])
}
