package network

import (
	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/socket"
)

// keepAlive makes TCP ask after a peer that has been silent. It is for a connection, or for
// a listener, from which accepted connections have it.
func keepAlive(s *socket.Socket) error {
	err := control(s, poll.KeepAlive)
	if err != nil {
		return opError("setsockopt", s, err)
	}
	return nil
}

// adopt gives a socket that listens the settings that those of ListenTCP have, for its
// connections. It reports whether it has.
func adopt(s *socket.Socket) bool {
	if addr := s.LocalAddr(); addr == nil || addr.Network() != "tcp" {
		return false
	}
	return control(s, func(fd int) error { poll.AdoptTCP(fd); return nil }) == nil
}

// inherit gives a connection these settings of its listener.
func inherit(listener, conn *socket.Socket) {
	_ = control(listener, func(from int) error {
		return control(conn, func(to int) error { poll.InheritTCP(from, to); return nil })
	})
}

func control(s *socket.Socket, fn func(fd int) error) (err error) {
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	closed := raw.Control(func(fd uintptr) { err = fn(int(fd)) })
	if closed != nil {
		return closed
	}
	return err
}
