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

// socketOf is the socket at the bottom of conn, nil if there is none.
func socketOf(conn Conn) *socket.Socket {
	for c := range layersOf(conn) {
		if s, ok := c.(*socket.Socket); ok {
			return s
		}
	}
	return nil
}
