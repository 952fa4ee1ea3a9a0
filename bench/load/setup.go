//go:build linux

package main

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxInflight is how many connections a worker sets up at one time: few
	// enough for any server's queue of connections to be accepted.
	maxInflight = 96
	// maxAttempts is how often one connection is tried.
	maxAttempts = 25
	// retryPause is how long after the first attempt the second comes; each
	// further one waits that much longer.
	retryPause = 10 * time.Millisecond
)

// A setup brings the connections of one worker up. One counts as up when its
// first message has come back, so that none is left in the server's queue.
type setup struct {
	*worker
	again    []*connection // to be tried again, about the earliest first
	untried  []connection
	inflight int // connecting or priming
}

// connect brings up what can be brought up before the deadline, and gives up
// the others.
func (w *worker) connect(deadline int64) {
	s := setup{worker: w, untried: w.connections}
	for now := clock(); now < deadline; now = clock() {
		s.openSome(now)
		if s.inflight == 0 && len(s.again) == 0 && len(s.untried) == 0 {
			return
		}
		n := pollWait(w.epoll, w.events, retryPause)
		now = clock()
		for _, event := range w.events[:n] {
			s.handle(&w.connections[event.Fd], event.Events, now)
		}
	}
	for i := range w.connections {
		if c := &w.connections[i]; c.state != up && c.state != lost {
			s.giveUp(c)
		}
	}
}

// openSome starts to connect as many as may be in flight.
func (s *setup) openSome(now int64) {
	for s.inflight < maxInflight {
		var c *connection
		switch {
		case len(s.again) > 0 && s.again[0].since <= now:
			c, s.again = s.again[0], s.again[1:]
		case len(s.untried) > 0:
			c, s.untried = &s.untried[0], s.untried[1:]
		default:
			return
		}
		c.attempts++
		c.state = connecting
		s.inflight++
		if s.open(c) != nil {
			s.retry(c, now)
		}
	}
}

// handle acts on an event of a connection.
func (s *setup) handle(c *connection, events uint32, now int64) {
	switch c.state {
	case up:
		if events&hangUp != 0 { // reset after all: the server's queue was full
			s.alive.Add(-1)
			s.inflight++
			s.retry(c, now)
		}
		return
	case connecting:
		failed, err := unix.GetsockoptInt(int(c.descriptor), unix.SOL_SOCKET, unix.SO_ERROR)
		if err != nil || failed != 0 || events&(unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			s.retry(c, now)
			return
		}
		if events&unix.EPOLLOUT == 0 {
			return
		}
		c.state = priming
		c.begin(s.run.pattern, now)
	case priming:
	default:
		return // closed since the events were fetched
	}
	s.prime(c, events&hangUp != 0, now)
}

// prime moves the first message and its echo along.
func (s *setup) prime(c *connection, hungUp bool, now int64) {
	got := s.push(c)
	if got != broken {
		got = s.pull(c, hungUp)
	}
	switch got {
	case whole:
		c.state = up
		s.inflight--
		s.alive.Add(1)
	case wrong: // no server gets better by being asked again
		s.mismatches++
		s.inflight--
		s.release(c)
		c.state = lost
	case broken:
		s.retry(c, now)
	}
}

// retry ends a failed attempt of a connection in flight.
func (s *setup) retry(c *connection, now int64) {
	s.inflight--
	if c.attempts >= maxAttempts {
		s.giveUp(c)
		return
	}
	s.release(c)
	c.state = closed
	c.since = now + int64(retryPause)*int64(c.attempts)
	s.again = append(s.again, c)
}

// giveUp counts a connection that never came up.
func (s *setup) giveUp(c *connection) {
	s.release(c)
	c.state = lost
	s.errors++
}
