package poll

import "syscall"

// TCP asks after a peer that has been silent: first after keepAliveEvery seconds, then as
// often again as keepAliveProbes, until the connection fails with ETIMEDOUT. It is what
// package net does, so that the connection of a peer that has vanished does not stay for ever.
const (
	keepAliveEvery  = 15
	keepAliveProbes = 9
)

// KeepAlive sets that for a connection, or for a listener, from which accepted connections
// have it. What the system does not have is left out.
func KeepAlive(fd int) error {
	err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1)
	for _, o := range []struct{ name, value int }{
		{tcpKeepIdle, keepAliveEvery},
		{tcpKeepInterval, keepAliveEvery},
		{tcpKeepCount, keepAliveProbes},
	} {
		if err == nil {
			err = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, o.name, o.value)
		}
		if err == syscall.ENOPROTOOPT {
			err = nil
		}
	}
	return err
}

// AdoptTCP gives a TCP socket that others have made, connected or listening, the settings
// of ours: TCP_NODELAY and KeepAlive. One that has SO_KEEPALIVE on keeps its times, which
// somebody has chosen. They are no options of every protocol there is, so nothing fails.
func AdoptTCP(fd int) {
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	if on, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE); err == nil && on == 0 {
		_ = KeepAlive(fd)
	}
}
