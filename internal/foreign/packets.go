package foreign

import (
	"context"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
)

// Some connections move messages rather than a stream of bytes: datagrams, and packets of
// the Unix domain. Messages must not be joined, cut, or dropped for being empty.

// Datagrams reports whether c, a connection of any kind, moves messages. It asks c's
// Datagrams method, or goes by the type of c's socket, or by the network of its address.
// TLS is a stream, whatever its addresses are, unless it is known to be on a connection
// that moves messages.
func Datagrams(c any) bool {
	switch c := c.(type) {
	case interface{ Datagrams() bool }:
		return c.Datagrams()
	case interface {
		GetsockoptInt(level, name int) (int, error)
	}:
		typ, err := c.GetsockoptInt(syscall.SOL_SOCKET, syscall.SO_TYPE)
		return err == nil && typ != syscall.SOCK_STREAM
	case interface {
		handshaker
		NetConn() net.Conn
	}:
		return isPacketConn(c.NetConn())
	case interface {
		Handshake(ctx context.Context) error
	}:
		return false
	case interface{ LocalAddr() net.Addr }:
		return DatagramAddr(c.LocalAddr())
	}
	return false
}

// DatagramAddr reports whether an address is of a network whose sockets move messages.
func DatagramAddr(addr net.Addr) bool {
	if addr == nil {
		return false
	}
	switch network, _, _ := strings.Cut(addr.Network(), ":"); network {
	case "udp", "udp4", "udp6", "ip", "ip4", "ip6", "unixgram", "unixpacket":
		return true
	}
	return false
}

// isPacketConn reports whether c is a datagram socket of package net, or like one. It does
// not rely on the address alone: a stream that is built on datagrams has their addresses.
func isPacketConn(c net.Conn) bool {
	switch c.(type) {
	case *net.UDPConn, *net.IPConn:
		return true
	case net.PacketConn: // a *net.UnixConn is one, whatever its type
		return DatagramAddr(c.LocalAddr())
	}
	return false
}

// Datagrams reports whether f moves messages.
func (f *Conn) Datagrams() bool { return f.packets }

// largest is the longest message that WaitRead can hold.
func (f *Conn) largest() int {
	if addr := f.LocalAddr(); addr != nil && strings.HasPrefix(addr.Network(), "unix") {
		return 256 << 10
	}
	return 64 << 10
}

// readPacket reads one message. It is called with the reader's turn. The part of a held
// message that does not fit into buf is lost, as with any other message, unless the
// net.Conn may be a stream that has the addresses of its datagrams.
func (f *Conn) readPacket(buf []byte) (int, error) {
	if f.space != nil {
		n := copy(buf, f.held)
		f.held = f.held[n:]
		if len(f.held) == 0 || isPacketConn(f.conn) {
			f.held, f.space = nil, nil
		}
		return n, nil
	}
	if err := f.failed; err != nil {
		f.failed = nil
		return 0, err
	}
	n, err := f.conn.Read(buf)
	switch {
	case n > 0 && err != nil:
		if !expired(err) { // this operation has completed, with an error of its own
			f.failed = err
		}
		return n, nil
	case err == io.EOF && f.wasPacket():
		return 0, nil
	}
	return n, err
}

// wasPacket reports whether an io.EOF of package net was in fact an empty packet of a
// SOCK_SEQPACKET socket.
func (f *Conn) wasPacket() bool {
	packet := false
	if f.raw != nil {
		_ = f.raw.Control(func(fd uintptr) { packet = !poll.Ended(int(fd), true) })
	}
	return packet
}

// holdPacket is for WaitRead: it reads one message, and holds it for the next Recv.
func (f *Conn) holdPacket() error {
	space := make([]byte, f.largest())
	n, err := f.readPacket(space)
	switch {
	case err == nil:
		f.held, f.space = space[:n], space
	case expired(err) || f.isClosed():
		return err
	default:
		f.failed = err // for the next Recv: it would not wait
	}
	return nil
}
