//go:build linux

package main

import "golang.org/x/sys/unix"

// perSource is how many connections share a source address. One has some 28000
// ephemeral ports.
const perSource = 20000

// open starts to connect c.
func (w *worker) open(c *connection) error {
	descriptor, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	c.descriptor = int32(descriptor)
	if err := unix.SetsockoptInt(descriptor, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	// Closing sends a reset: no TIME_WAIT is left to be in the next run's way.
	if err := unix.SetsockoptLinger(descriptor, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return err
	}
	// The cheapest congestion control, and one that does not pace as BBR does:
	// this side should cost as little and limit as little as it can. Where it
	// is not to be had, the system's own has to do.
	_ = unix.SetsockoptString(descriptor, unix.IPPROTO_TCP, unix.TCP_CONGESTION, "reno")
	if err := w.bindSource(c); err != nil {
		return err
	}
	server := unix.SockaddrInet4{Port: int(w.run.server.Port()), Addr: w.run.server.Addr().As4()}
	if err := unix.Connect(descriptor, &server); err != nil && err != unix.EINPROGRESS {
		return err
	}
	return w.watch(c, unix.EPOLL_CTL_ADD, true)
}

// bindSource spreads many connections over 127.0.0.1, 127.0.0.2, ...
func (w *worker) bindSource(c *connection) error {
	sources := (w.run.connections + perSource - 1) / perSource
	if sources == 1 {
		return nil
	}
	// The port is to be chosen when it connects, with both ends known; chosen here no other
	// socket of the host could have the same.
	if err := unix.SetsockoptInt(int(c.descriptor), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return err
	}
	return unix.Bind(int(c.descriptor), &unix.SockaddrInet4{Addr: source(int(c.number) % sources)})
}

// source returns the i-th source address: maxConnections need no more than the
// last byte holds.
func source(i int) [4]byte { return [4]byte{127, 0, 0, byte(1 + i)} }
