//go:build linux

package main

import (
	"bytes"
	"syscall"

	"golang.org/x/sys/unix"
)

// state is where a connection is in its life:
//
//	closed → connecting → priming → up → lost
//
// with a way back from connecting, priming and up to closed, while its worker
// still connects, and from closed to lost when there were enough attempts.
type state uint8

const (
	closed     state = iota
	connecting       // until the socket is writable
	priming          // until the first echo, which proves that it was accepted
	up
	lost
)

// A connection has one message outstanding. Only its worker touches it.
type connection struct {
	since      int64  // when its message began to be sent; closed: when to try again
	number     uint32 // among all the run's connections
	sequence   uint32 // of the next message
	message    uint32 // where the message begins in the pattern
	sent       uint32 // bytes of it
	received   uint32 // bytes of its echo, all as sent
	descriptor int32

	state         state
	attempts      uint8
	watchesOutput bool // whether epoll reports room for output too
}

// progress is how far sending or receiving came.
type progress uint8

const (
	partial progress = iota // the socket has or takes no more just now
	whole
	wrong  // the echo differs from the message
	broken // the connection failed
)

// begin makes the next message the current one.
func (c *connection) begin(p pattern, now int64) {
	c.message = p.start(c.number, c.sequence)
	c.sequence++
	c.sent, c.received = 0, 0
	c.since = now
}

// push sends what the socket takes of the current message.
func (w *worker) push(c *connection) progress {
	for size := uint32(w.run.size); c.sent < size; {
		n, errno := send(c.descriptor, w.run.pattern[c.message+c.sent:c.message+size])
		switch {
		case errno == 0:
			c.sent += uint32(n)
		case errno == syscall.EAGAIN:
			if !c.watchesOutput && w.watch(c, unix.EPOLL_CTL_MOD, true) != nil {
				return broken
			}
			return partial
		case errno != syscall.EINTR:
			return broken
		}
	}
	if c.watchesOutput && w.watch(c, unix.EPOLL_CTL_MOD, false) != nil {
		return broken
	}
	return whole
}

// pull takes in what the socket has, and compares it. Epoll reports changes
// only, so the socket must be left empty, which a read of less than the buffer
// proves, unless the other side has hung up as well.
func (w *worker) pull(c *connection, hungUp bool) progress {
	for {
		n, errno := receive(c.descriptor, w.buffer)
		switch {
		case errno == syscall.EAGAIN:
			return partial
		case errno == syscall.EINTR:
			continue
		case errno != 0 || n == 0:
			return broken
		}
		from := c.message + c.received
		c.received += uint32(n)
		if c.received > c.sent || !bytes.Equal(w.buffer[:n], w.run.pattern[from:from+uint32(n)]) {
			return wrong
		}
		if c.received == uint32(w.run.size) {
			return whole
		}
		if n < len(w.buffer) && !hungUp {
			return partial
		}
	}
}

// watch has epoll report input, and room for output only if asked: an event
// per message that nobody waits for would be half the cost of a message.
func (w *worker) watch(c *connection, operation int, output bool) error {
	c.watchesOutput = output
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(c.number) - w.first}
	if output {
		event.Events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(w.epoll, operation, int(c.descriptor), &event)
}
