package network

import (
	"errors"
	"time"

	"github.com/curio-go/curio/socket"
)

// TCP asks after a peer that has been silent: first after keepAliveEvery, then as often
// again as keepAliveProbes, until the connection fails with syscall.ETIMEDOUT. It is what
// package net does, so that the connection of a peer that has vanished does not stay for ever.
const (
	keepAliveEvery  = 15 * time.Second
	keepAliveProbes = 9
)

// keepAlive sets that for a connection, or for a listener, from which accepted connections
// have it. What the system does not have is left out.
func keepAlive(s *socket.Socket) error {
	err := socket.KeepAlive.Set(s, true)
	for _, set := range []error{
		socket.KeepAliveIdle.Set(s, keepAliveEvery),
		socket.KeepAliveInterval.Set(s, keepAliveEvery),
		socket.KeepAliveCount.Set(s, keepAliveProbes),
	} {
		if !errors.Is(set, errors.ErrUnsupported) {
			err = errors.Join(err, set)
		}
	}
	return err
}
