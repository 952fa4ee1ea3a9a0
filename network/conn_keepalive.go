package network

import (
	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/socket"
)

// keepAlive turns on TCP keep-alive for s: a connection, or a listener, whose connections
// inherit it.
func keepAlive(s *socket.Socket) error {
	err := control(s, poll.KeepAlive)
	if err != nil {
		return opError("setsockopt", s, err)
	}
	return nil
}

// adopt gives a listening socket the settings that the sockets of ListenTCP have, for its
// connections to inherit. It reports whether it has done so.
func adopt(s *socket.Socket) bool {
	if addr := s.LocalAddr(); addr == nil || addr.Network() != "tcp" {
		return false
	}
	return control(s, func(fd int) error { poll.AdoptTCP(fd); return nil }) == nil
}

// inherit copies these settings from a listener to its connection.
func inherit(listener, conn *socket.Socket) {
	_ = control(listener, func(from int) error {
		return control(conn, func(to int) error { poll.InheritTCP(from, to); return nil })
	})
}

// control calls fn with the descriptor. fn sets only options after which a short receive still
// means that there is nothing more to receive, such as keep-alive and TCP_NODELAY.
func control(s *socket.Socket, fn func(fd int) error) (err error) {
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	tune := raw.(interface{ Tune(func(fd uintptr)) error }).Tune
	if closed := tune(func(fd uintptr) { err = fn(int(fd)) }); closed != nil {
		return closed
	}
	return err
}
