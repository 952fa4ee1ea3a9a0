// Package balancer is a load balancer for TCP, written twice: with Curio in curio.go, and
// with the standard library in std.go.
//
// Each backend is asked at an interval whether it accepts connections. A client is
// connected with the healthy backend that has the fewest connections, and if that cannot be
// reached with another one. What either side sends is passed on, until both have ended, one
// has failed, or neither has sent anything for too long. When the balancer stops, the
// connections that there are may go on for a while.
package balancer

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

// Settings are the backends and the limits. All of them have to be set.
type Settings struct {
	Backends       []*Backend
	Interval       time.Duration // of the health checks
	Timeout        time.Duration // to connect with a backend
	MaxConnections int           // clients at a time; others wait to be accepted
	Idle           time.Duration // how long a connection may pass nothing on in either direction
	Grace          time.Duration // for connections that there are when the balancer stops
}

// Default is for the open internet. It has no backends.
var Default = Settings{Interval: 5 * time.Second, Timeout: 3 * time.Second, MaxConnections: 1000, Idle: time.Minute, Grace: 8 * time.Second}

// A Backend is a server to pass connections on to.
type Backend struct {
	Addr string

	healthy     atomic.Bool
	connections atomic.Int64
}

// report says whether b can be reached.
func (b *Backend) report(err error) {
	if healthy := err == nil; b.healthy.Swap(healthy) != healthy {
		slog.Info("backend", "addr", b.Addr, "healthy", healthy, "err", err)
	}
}

// ErrNoBackend is the error of a connection if no backend is healthy.
var ErrNoBackend = errors.New("no backend is healthy")

// pick returns the healthy backend with the fewest connections, and counts one more. The
// caller says when that has ended.
func (s *Settings) pick() (*Backend, error) {
	var best *Backend
	for _, b := range s.Backends {
		if b.healthy.Load() && (best == nil || b.connections.Load() < best.connections.Load()) {
			best = b
		}
	}
	if best == nil {
		return nil, ErrNoBackend
	}
	best.connections.Add(1)
	return best, nil
}
