package network

import (
	"context"
	"net"
	"time"
)

// NetListener makes l a net.Listener, for http.Server and its like, and takes it over.
//
// ctx bounds Accept, and every connection that it returns, as NetConn describes. When ctx
// ends, Accept returns its error; the listener stays open until Close. The handshake of TLS
// is done by the first Read or Write, within the deadline that is set then. The header of a
// proxy is read then too, or by the first call of RemoteAddr or LocalAddr, which waits for it
// for the HandshakeTimeout at most. Of the config, what says how connections are served
// does not count otherwise: that is for the library to do.
//
// Running out of descriptors or memory is no error: Accept pauses and says so in the log,
// as TCPServer does. It has SetDeadline, for Accept, as *net.TCPListener has. Errors are
// *net.OpError of "accept". It is safe for concurrent use.
func NetListener(ctx context.Context, l *Listener) net.Listener {
	mustListen(l)
	n := &netListener{ctx: lasting(ctx), listener: l}
	n.acceptor.name, n.acceptor.next = nameOf(l.LocalAddr()), l.Accept
	n.accepts.init(n.ctx)
	return n
}

type netListener struct {
	// Set at birth.
	ctx      context.Context
	listener *Listener
	acceptor acceptor

	accepts deadline
}

// Accept implements net.Listener.
func (n *netListener) Accept() (net.Conn, error) {
	for {
		scope := n.accepts.scope.Load()
		conn, err := n.acceptor.accept(scope)
		if err == nil {
			made := newNetConn(n.ctx, conn)
			made.handshake = n.listener.config.HandshakeTimeout
			return made, nil
		}
		again, cause := n.accepts.failed(n.ctx, scope, err)
		if !again {
			return nil, n.listener.opError("accept", cause)
		}
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
