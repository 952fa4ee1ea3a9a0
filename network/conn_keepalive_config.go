package network

import (
	"errors"
	"time"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/socket"
)

// A KeepAliveConfig controls when TCP probes an idle peer and when it gives up the connection.
// Without probes, a connection whose peer has vanished may stay open forever. The zero value is the
// default, which is the same as in package net: probes after 15 seconds, then every 15 seconds, at
// most 9.
//
// Durations are rounded up to seconds. In Idle, Interval and Count, 0 means the default, and a
// negative value leaves the system's setting. A setting that the system does not have or refuses is
// an error. Accepted connections have the settings of their listener.
type KeepAliveConfig struct {
	Disable  bool          // no probes; the other fields must be 0
	Idle     time.Duration // idle time before the first probe
	Interval time.Duration // time between probes
	Count    int           // unanswered probes after which the connection fails
}

// check returns what is wrong with c.
func (c KeepAliveConfig) check() error {
	if c.Disable && c != (KeepAliveConfig{Disable: true}) {
		return misused("KeepAlive with Disable and with times or a count")
	}
	return nil
}

// apply sets the options of s, a connection or a listener.
func (c KeepAliveConfig) apply(s *socket.Socket) error {
	switch {
	case c == KeepAliveConfig{}:
		return keepAlive(s)
	case c.Disable:
		return socket.KeepAlive.Set(s, false)
	}
	const every = poll.KeepAliveEvery * time.Second
	return errors.Join(
		socket.KeepAlive.Set(s, true),
		setOrDefault(socket.KeepAliveIdle, s, c.Idle, every),
		setOrDefault(socket.KeepAliveInterval, s, c.Interval, every),
		setOrDefault(socket.KeepAliveCount, s, c.Count, poll.KeepAliveProbes),
	)
}

// setOrDefault sets an option to value. If value is 0, it is set to usual if the system has the
// option; if value is negative, it is left alone.
func setOrDefault[T time.Duration | int](option socket.Option[T], s *socket.Socket, value, usual T) error {
	switch {
	case value < 0:
		return nil
	case value > 0:
		return option.Set(s, value)
	}
	if err := option.Set(s, usual); !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
