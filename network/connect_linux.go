package network

import "github.com/curio-go/curio/socket"

// sharePort lets several sockets that connect be bound to one port.
func sharePort(s *socket.Socket) error { return socket.ReuseAddr.Set(s, true) }
