package network

import (
	"context"
	"io"
	"net"
	"sync"
)

// NetConn makes a Conn a net.Conn, for libraries that know nothing of contexts, and gives
// it to the caller together with conn: closing one closes the other.
//
// ctx bounds every operation. When it ends, operations in progress and all later ones end
// with its error; the connection stays open until somebody closes it. Deadlines are those
// of package net: one that passes ends the operations in progress with an error that is
// os.ErrDeadlineExceeded and whose Timeout method returns true, and a later one, or none,
// makes the connection usable again. Errors are *net.OpError of "read" and "write", except
// for io.EOF. It is safe for concurrent use, and Writes are not mixed with each other.
//
// Libraries look for more methods than those of net.Conn. The result has those that work on
// this connection, and no others, so that a type assertion tells what it can do:
//
//   - ReadFrom, which io.Copy calls, always; it uses sendfile(2) if conn can;
//   - CloseWrite, unless conn was made of a net.Conn that has none;
//   - over a plain stream socket also CloseRead, SyscallConn, File, SetReadBuffer and
//     SetWriteBuffer, and over a TCP socket the methods of *net.TCPConn for NoDelay, Linger
//     and KeepAlive; ctx and deadlines also bound the waits in the syscall.RawConn;
//   - over a *TLSConn also Handshake, HandshakeContext and ConnectionState, like *tls.Conn;
//   - over a datagram socket everything that NetPacketConn describes.
//
// If conn is a layer above a socket, such as a proxy's header, SocketOf(conn) returns the
// socket.
//
// Closing it over a *TLSConn takes up to 5 seconds if the other side accepts nothing any
// more, as with package tls, so that what was written can arrive.
//
// The Conn itself can still be used, and deadlines do not end operations on it. FromConn
// returns the Conn. If ctx belongs to a task, the connection's waits are shown as that
// task's, and the connection is of no use after the task's end. NetConn panics if conn is
// nil.
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
