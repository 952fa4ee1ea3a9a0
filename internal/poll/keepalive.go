package poll

import "syscall"

// TCP probes a peer that has been idle for KeepAliveEvery seconds, and again after each
// further KeepAliveEvery seconds. After KeepAliveProbes probes without an answer, the
// connection fails with ETIMEDOUT. As in package net, that keeps the connection of a peer
// that has vanished from staying forever.
const (
	KeepAliveEvery  = 15
	KeepAliveProbes = 9
)

// keepAliveTimes are the options for these numbers.
var keepAliveTimes = [...]int{tcpKeepIdle, tcpKeepInterval, tcpKeepCount}

// KeepAlive turns these probes on for a connection, or for a listener, whose accepted
// connections inherit them. Options that the system does not have are left out.
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

// AdoptTCP gives a TCP socket that was made elsewhere, connected or listening, the settings
// of our own: TCP_NODELAY and KeepAlive. If SO_KEEPALIVE is on already, it keeps its times,
// as they may have been chosen. Errors are ignored, as not every protocol has these
// options.
func AdoptTCP(fd int) {
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	if on, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE); err == nil && on == 0 {
		_ = KeepAlive(fd)
	}
}

// InheritTCP copies the settings of AdoptTCP from a listener to its connection. The system
// does so when the other side connects, but that may have been before the listener had
// these settings: with socket activation, the first connection starts the server.
func InheritTCP(listener, conn int) {
	copyOption(listener, conn, syscall.IPPROTO_TCP, syscall.TCP_NODELAY)
	if copyOption(listener, conn, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE) {
		for _, name := range keepAliveTimes {
			copyOption(listener, conn, syscall.IPPROTO_TCP, name)
		}
	}
}

// copyOption copies an option, and reports whether it has changed that.
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
