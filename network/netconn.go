package network

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/socket"
)

// NetConn makes a Conn a net.Conn, for libraries that know nothing of contexts, and gives
// it to the caller together with conn: closing one closes the other.
//
// ctx bounds every operation. When it ends, operations in progress and all later ones end
// with its error; the connection stays open until somebody closes it. Deadlines are those
// of package net: one that passes ends the operations in progress with an error that is
// os.ErrDeadlineExceeded and whose Timeout method returns true, and a later one, or none,
// makes the connection usable again. Errors are *net.OpError of "read" and "write", but
// for io.EOF. It is safe for concurrent use, and Writes are not mixed with each other.
//
// It has more methods than those of net.Conn, which libraries look for:
//
//   - CloseWrite ends the stream in this direction, as that of *net.TCPConn;
//   - CloseRead and SyscallConn are those of the socket; on a Conn that is no plain socket
//     they fail with errors.ErrUnsupported;
//   - ReadFrom, which io.Copy calls, has the system send a file if conn can do that.
//
// To close a connection that carries TLS of ours takes up to 5 seconds if the other side
// takes nothing any more, as with package tls: what was written is to arrive.
//
// The Conn is also still usable itself; what is done there no deadline ends. FromConn
// returns it. If ctx belongs to a task, the connection's waits show as that task's, and
// it is of no use after the task's end. NetConn panics if conn is nil.
func NetConn(ctx context.Context, conn Conn) net.Conn {
	if conn == nil {
		panic("curio/network: nil Conn; NetConn makes a net.Conn of one that is open")
	}
	return newNetConn(ctx, conn)
}

// A netConn is a Conn as a net.Conn.
type netConn struct {
	bounded
	writing sync.Mutex // held by a Write: it may take several SendAll, see deadline
}

func newNetConn(ctx context.Context, conn Conn) *netConn {
	c := new(netConn)
	c.init(ctx, conn)
	return c
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

// Close closes the Conn too. Operations in progress end with net.ErrClosed.
func (c *netConn) Close() error {
	if t, ok := c.conn.(*TLSConn); ok && t.done.Load() && c.writing.TryLock() {
		// All that was written is to arrive, and its end. That may take waiting, which
		// TLSConn.Close does not do, and package tls does, for as long as this.
		_ = curio.TimeoutAfter(c.base, goodBye, t.CloseWrite)
		c.writing.Unlock()
	}
	return c.bounded.Close()
}

const goodBye = 5 * time.Second

// CloseWrite ends the stream in this direction. As with package net it does not wait for
// those who are writing, if the Conn is a plain socket. On others it may have to wait, by
// the deadline of those who write.
func (c *netConn) CloseWrite() error {
	if s, ok := c.conn.(*socket.Socket); ok {
		return c.renamed("close", s.Shutdown(socket.ShutWR))
	}
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

// CloseRead ends the stream in the other direction: who reads is at its end.
func (c *netConn) CloseRead() error {
	s, ok := c.conn.(*socket.Socket)
	if !ok {
		return c.opError("close", errors.ErrUnsupported)
	}
	return c.renamed("close", s.Shutdown(socket.ShutRD))
}
