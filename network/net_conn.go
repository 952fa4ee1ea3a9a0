package network

import (
	"context"
	"io"
	"net"
	"sync"
)

// NetConn makes a net.Conn from conn, for libraries that take no context. Closing either of the two
// closes the other.
//
// ctx limits every operation. When ctx is done, operations in progress and all later ones fail with
// an error that wraps ctx's error; the connection stays open until it is closed. Deadlines work as
// in package net: when one passes, operations in progress fail with an error that wraps
// os.ErrDeadlineExceeded and whose Timeout method returns true; a later deadline, or none, makes
// the connection usable again. Errors are of type [*net.OpError] with Op "read" or "write", except
// io.EOF. The result is safe for concurrent use, and data of concurrent Writes is not mixed.
//
// Libraries use type assertions to find methods beyond net.Conn. The result has exactly the methods
// that work on this connection:
//
//   - ReadFrom, which io.Copy calls, always; it uses sendfile(2) if conn can;
//   - CloseWrite, unless conn was made from a net.Conn that has none;
//   - over a plain stream socket also CloseRead, SyscallConn, File, SetReadBuffer and
//     SetWriteBuffer, and over a TCP socket the methods of *net.TCPConn for NoDelay, Linger and
//     KeepAlive; ctx and deadlines also limit the waits of the syscall.RawConn;
//   - over a *TLSConn also Handshake, HandshakeContext and ConnectionState, as *tls.Conn has;
//   - over a datagram socket all methods that [NetPacketConn] describes.
//
// If conn is a layer above a socket, such as a connection with a proxy's header, SocketOf(conn)
// returns the socket.
//
// Over a *TLSConn, Close waits up to 5 seconds for the peer to accept the data that was written, as
// in package tls.
//
// conn itself can still be used, and deadlines do not affect operations on it. [FromConn] returns
// conn again. If ctx belongs to a task, the connection's waits are shown as the task's, and the
// connection cannot be used after the task has ended. NetConn panics if conn is nil.
func NetConn(ctx context.Context, conn Conn) net.Conn {
	if conn == nil {
		panic("curio/network: nil Conn; NetConn makes a net.Conn of one that is open")
	}
	return adapt(ctx, conn, nil)
}

// A netConn is a Conn as a net.Conn.
type netConn struct {
	bounded
	writing sync.Mutex // held by a Write: it may take several SendAll, see deadline
}

// Read implements net.Conn.
func (c *netConn) Read(buf []byte) (int, error) {
	for {
		scope := c.reads.scope.Load()
		n, err := c.conn.Recv(scope, buf)
		if err == nil || err == io.EOF {
			return n, err
		}
		again, err := c.failed("read", &c.reads, scope, err)
		if n > 0 || !again {
			return n, err
		}
	}
}

// Write implements net.Conn. Those who wait for the mutex are bounded by the deadline
// that ends who holds it.
func (c *netConn) Write(buf []byte) (n int, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	for {
		scope := c.writes.scope.Load()
		sent, err := c.conn.SendAll(scope, buf[n:])
		n += sent
		if err == nil {
			return n, nil
		}
		again, err := c.failed("write", &c.writes, scope, err)
		if !again {
			return n, err
		}
	}
}
