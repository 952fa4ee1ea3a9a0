package network

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/socket"
)

// Libraries find out by type assertions what a connection can do, and rely on the result.
// So there is a type for each kind of Conn, which has only methods that work for that kind:
//
//	netConn      any Conn that cannot be ended in one direction
//	halfConn     any other
//	socketConn   a plain stream socket
//	tcpConn      one of TCP
//	tlsConn      a *TLSConn
//	packetConn   a datagram socket; udpConn and ipConn are of the Internet families
//
// A layer above a socket, for a proxy's header or an idle timeout, does not count as a
// socket: its bytes may have been received already, and its waits have other bounds.

// adapt makes conn a net.Conn of one of these types.
func adapt(ctx context.Context, conn Conn, limits *limits) net.Conn {
	switch c := conn.(type) {
	case *socket.Socket:
		return adaptSocket(ctx, c, limits)
	case *TLSConn:
		made := &tlsConn{tls: c}
		made.init(ctx, conn, limits)
		return made
	}
	if !endsInHalves(conn) {
		made := new(netConn)
		made.init(ctx, conn, limits)
		return made
	}
	made := new(halfConn)
	made.init(ctx, conn, limits)
	return made
}

func adaptSocket(ctx context.Context, s *socket.Socket, limits *limits) net.Conn {
	switch networkOfSocket(s) {
	case "tcp":
		made := new(tcpConn)
		made.init(ctx, s, limits)
		made.socket = s
		return made
	case "udp", "ip", "unixgram":
		return newPacketConn(ctx, s)
	}
	made := new(socketConn)
	made.init(ctx, s, limits)
	made.socket = s
	return made
}

// networkOfSocket returns what package net calls sockets of this kind, or "" if not known.
func networkOfSocket(s *socket.Socket) string {
	for _, ask := range []func() net.Addr{s.RemoteAddr, s.LocalAddr} { // the remote address is usually known
		if addr := ask(); addr != nil {
			return addr.Network()
		}
	}
	return ""
}

// endsInHalves reports whether conn has a CloseWrite that can succeed.
func endsInHalves(conn Conn) bool {
	for c := range layersOf(conn) {
		switch c := c.(type) {
		case *TLSConn:
			return true // by close_notify, whatever is below it
		case interface{ NetConn() net.Conn }: // made by FromConn
			_, ok := c.NetConn().(interface{ CloseWrite() error })
			return ok
		}
	}
	return true
}

// A halfConn is a netConn that can be ended in one direction.
type halfConn struct{ netConn }

// CloseWrite ends the stream in this direction. It may have to wait for writers or for
// room, and the write deadline bounds that.
func (c *halfConn) CloseWrite() error {
	for {
		scope := c.writes.scope.Load()
		err := c.conn.CloseWrite(scope)
		if err == nil {
			return nil
		}
		again, err := c.failed("close", &c.writes, scope, err)
		if !again {
			return err
		}
	}
}

// A socketConn is a stream socket as a net.Conn.
type socketConn struct {
	netConn
	socket *socket.Socket // set at birth
}

// CloseWrite ends the stream in this direction. As with package net, it does not wait for a
// Write in progress.
func (c *socketConn) CloseWrite() error {
	return c.renamed("close", c.socket.Shutdown(socket.ShutWR))
}

// CloseRead ends the stream in the other direction: readers see its end.
func (c *socketConn) CloseRead() error {
	return c.renamed("close", c.socket.Shutdown(socket.ShutRD))
}

// SyscallConn implements syscall.Conn.
func (c *socketConn) SyscallConn() (syscall.RawConn, error) { return rawOf(&c.bounded, c.socket) }

// File returns a duplicate of the descriptor, which the caller closes.
func (c *socketConn) File() (*os.File, error) { return fileOfSocket(&c.bounded, c.socket) }

// SetReadBuffer sets how much received and unread data the system keeps.
func (c *socketConn) SetReadBuffer(bytes int) error {
	return setOption(&c.bounded, c.socket, socket.RecvBufferSize, bytes)
}

// SetWriteBuffer sets how much data the system accepts that has not arrived yet.
func (c *socketConn) SetWriteBuffer(bytes int) error {
	return setOption(&c.bounded, c.socket, socket.SendBufferSize, bytes)
}

// fileOfSocket is the File method of an adapter whose socket is s.
func fileOfSocket(b *bounded, s *socket.Socket) (*os.File, error) {
	f, err := s.File()
	if err != nil {
		return nil, b.renamed("file", err)
	}
	return f, nil
}

// setOption sets an option of s, for its adapter.
func setOption[T any](b *bounded, s *socket.Socket, option socket.Option[T], value T) error {
	return b.renamed("set", option.Set(s, value))
}

// A tcpConn is a TCP socket as a net.Conn, with the options that *net.TCPConn has.
type tcpConn struct{ socketConn }

// SetNoDelay sets whether data is sent as soon as it is written. The default is true.
func (c *tcpConn) SetNoDelay(noDelay bool) error {
	return setOption(&c.bounded, c.socket, socket.NoDelay, noDelay)
}

// SetLinger sets what Close does with data that has not been sent. If sec is 0, it is
// discarded; if sec is negative, which is the default, the system goes on sending it.
func (c *tcpConn) SetLinger(sec int) error {
	return setOption(&c.bounded, c.socket, socket.Linger, time.Duration(sec)*time.Second)
}

// SetKeepAlive sets whether the system probes a peer that is idle. The default is true.
func (c *tcpConn) SetKeepAlive(on bool) error {
	return setOption(&c.bounded, c.socket, socket.KeepAlive, on)
}

// SetKeepAlivePeriod sets how long the peer must be idle before it is probed. 0 means the
// default, and a negative value changes nothing.
func (c *tcpConn) SetKeepAlivePeriod(d time.Duration) error {
	return c.setEvery(socket.KeepAliveIdle, d)
}

// SetKeepAliveConfig sets all keep-alive options.
func (c *tcpConn) SetKeepAliveConfig(config net.KeepAliveConfig) error {
	err := errors.Join(
		c.SetKeepAlive(config.Enable),
		c.setEvery(socket.KeepAliveIdle, config.Idle),
		c.setEvery(socket.KeepAliveInterval, config.Interval),
	)
	count := config.Count
	if count == 0 {
		count = poll.KeepAliveProbes
	}
	if count > 0 {
		err = errors.Join(err, setOption(&c.bounded, c.socket, socket.KeepAliveCount, count))
	}
	return err
}

func (c *tcpConn) setEvery(option socket.Option[time.Duration], d time.Duration) error {
	switch {
	case d < 0:
		return nil
	case d == 0:
		d = poll.KeepAliveEvery * time.Second
	}
	return setOption(&c.bounded, c.socket, option, d)
}
