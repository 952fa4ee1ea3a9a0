package poll

import "syscall"

// TCP asks after a peer that has been silent: first after KeepAliveEvery seconds, then as
// often again as KeepAliveProbes, until the connection fails with ETIMEDOUT. It is what
// package net does, so that the connection of a peer that has vanished does not stay for ever.
const (
	KeepAliveEvery  = 15
	KeepAliveProbes = 9
)

// keepAliveTimes are the options for that.
var keepAliveTimes = [...]int{tcpKeepIdle, tcpKeepInterval, tcpKeepCount}

// KeepAlive sets that for a connection, or for a listener, from which accepted connections
// have it. What the system does not have is left out.
func KeepAlive(fd int) error {
	err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1)
	for i, value := range [...]int{KeepAliveEvery, KeepAliveEvery, KeepAliveProbes} {
		if err == nil {
			err = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, keepAliveTimes[i], value)
		}
		if err == syscall.ENOPROTOOPT {
			err = nil
		}
	}
	return err
}

// AdoptTCP gives a TCP socket that others have made, connected or listening, the settings
// of ours: TCP_NODELAY and KeepAlive. One that has SO_KEEPALIVE on keeps its times, as they
// may have been chosen. Not every protocol has these options, so nothing fails.
func AdoptTCP(fd int) {
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	if on, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE); err == nil && on == 0 {
		_ = KeepAlive(fd)
	}
}

// InheritTCP gives a connection the settings of AdoptTCP that its listener has. The system
// does so when the other side connects, and that may have been before the listener had
// them: with socket activation it is the first connection that starts the server.
func InheritTCP(listener, conn int) {
	copyOption(listener, conn, syscall.IPPROTO_TCP, syscall.TCP_NODELAY)
	if copyOption(listener, conn, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE) {
		for _, name := range keepAliveTimes {
			copyOption(listener, conn, syscall.IPPROTO_TCP, name)
		}
	}
}

// copyOption reports whether the option was another one.
func copyOption(from, to, level, name int) bool {
	value, err := syscall.GetsockoptInt(from, level, name)
	if err != nil {
		return false
	}
	if now, err := syscall.GetsockoptInt(to, level, name); err != nil || now == value {
		return false
	}
	return syscall.SetsockoptInt(to, level, name, value) == nil
}
