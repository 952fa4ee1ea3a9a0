//go:build darwin || freebsd

package network

import "github.com/curio-go/curio/socket"

// sharePort lets several sockets that connect be bound to one port. SO_REUSEADDR is not
// enough for that here: it lets a port be had again whose connections have ended.
func sharePort(s *socket.Socket) error {
	if err := socket.ReuseAddr.Set(s, true); err != nil {
		return err
	}
	return socket.ReusePort.Set(s, true)
}
