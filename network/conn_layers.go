package network

import (
	"iter"

	"github.com/curio-go/curio/socket"
)

// layered is a Conn that is built on another one.
type layered interface{ Below() Conn }

// layersOf yields conn, what it is built on, and so on down to the bottom.
func layersOf(conn Conn) iter.Seq[Conn] {
	return func(yield func(Conn) bool) {
		for conn != nil && yield(conn) {
			above, ok := conn.(layered)
			if !ok {
				return
			}
			conn = above.Below()
		}
	}
}

// SocketOf returns the socket underneath conn, for example to set options on it. It returns nil if
// there is none, as for a net.Conn of another package. Do not send or receive on the socket
// directly if conn adds a protocol such as TLS.
func SocketOf(conn Conn) *socket.Socket {
	var found *socket.Socket // and not a result in the loop, which documentation would then show
	for c := range layersOf(conn) {
		found, _ = c.(*socket.Socket)
	}
	return found
}
