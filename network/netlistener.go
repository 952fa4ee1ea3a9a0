package network

import (
	"context"
	"net"
	"sync"
	"time"
)

// NetListener makes l a net.Listener, for http.Server and its like, and takes it over.
//
// ctx bounds Accept, and every connection that it returns, as NetConn describes. When ctx
// ends, Accept returns its error; the listener stays open until Close. What the handshake
// of a layered connection needs is done by the first Read or Write on it, within the
// deadline that is set then. Only the header of a proxy, which tells for whom that
// connects, may be read before: who asks for the addresses waits for it, for up to the
// HandshakeTimeout. An http.Server does, in the connection's own goroutine. What else l's
// ServerConfig says of how to serve does not count: that is up to whoever calls Accept.
//
// Running out of descriptors or memory is no error: Accept pauses and says so in the log,
// as TCPServer does. It has SetDeadline, for Accept, as *net.TCPListener has. Errors are
// *net.OpError of "accept". It is safe for concurrent use.
func NetListener(ctx context.Context, l *Listener) net.Listener {
	mustListen(l)
	n := &netListener{ctx: lasting(ctx), listener: l}
	n.accepts.init(n.ctx)
	return n
}

type netListener struct {
	// Set at birth.
	ctx      context.Context
	listener *Listener

	accepts deadline
}

// Accept implements net.Listener.
func (n *netListener) Accept() (net.Conn, error) {
	for {
		scope := n.accepts.scope.Load()
		conn, err := accept(scope, n.listener.Accept)
		if err == nil {
			return n.adapt(conn), nil
		}
		again, cause := n.accepts.failed(n.ctx, scope, err)
		if !again {
			return nil, n.listener.opError("accept", cause)
		}
	}
}

func (n *netListener) adapt(conn Conn) net.Conn {
	c := newNetConn(n.ctx, conn)
	if p := proxiedOf(conn); p != nil {
		limit := n.listener.config.HandshakeTimeout
		c.learn = sync.OnceFunc(func() {
			_ = handshakeWithin(c.base, p, limit) // if that fails, so does Read
		})
	}
	return c
}

// proxiedOf is the layer of conn that reads a proxy's header, nil if there is none.
func proxiedOf(conn Conn) *proxied {
	for {
		if p, ok := conn.(*proxied); ok {
			return p
		}
		above, ok := conn.(layered)
		if !ok {
			return nil
		}
		conn = above.Below()
	}
}

// Close stops listening. Who is in Accept, be it in a pause, gets net.ErrClosed.
func (n *netListener) Close() error {
	n.accepts.close()
	if err := n.listener.Close(); err != nil {
		return n.listener.opError("close", causeOf(err))
	}
	return nil
}

// Addr implements net.Listener.
func (n *netListener) Addr() net.Addr { return n.listener.LocalAddr() }

// SetDeadline moves the deadline of Accept.
func (n *netListener) SetDeadline(t time.Time) error {
	if !n.accepts.set(t) {
		return n.listener.opError("set", net.ErrClosed)
	}
	return nil
}
