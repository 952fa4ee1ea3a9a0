package network

import (
	"errors"
	"net"
	"syscall"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/poll"
)

// A failure to accept a connection is one of these.
type failure int

const (
	final failure = iota // accepting has come to its end
	once                 // one connection has failed, and the next may do well
	lasts                // something is missing, and may be there later
)

// triesAtOnce is how often accepting is tried without a pause if one connection after the
// other fails: a listener that returns nothing else must not keep a processor busy.
const triesAtOnce = 64

// acceptFailure says what to do about err, of an Accept. The system tells there too of what
// has happened to a connection that waits to be accepted; accept(2) of Linux has the list.
// EOPNOTSUPP is on it, and is also what a socket returns that cannot accept at all.
func acceptFailure(err error) failure {
	switch {
	case err == nil, errors.Is(err, curio.ErrCancelled), errors.Is(err, net.ErrClosed):
		return final
	case isAny(err, syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EPROTO, syscall.ENOPROTOOPT,
		syscall.EOPNOTSUPP, syscall.EINTR):
		return once
	case errors.Is(err, poll.ErrNotPollable),
		isAny(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ENOSPC),
		isAny(err, syscall.ENETDOWN, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.EHOSTUNREACH),
		isAny(err, noNetwork...),
		errors.Is(err, syscall.EPERM), // a firewall forbids it
		isTemporary(err):
		return lasts
	}
	return final
}

// isTemporary reports whether err calls itself temporary, as package net/http asks. It goes
// by what is below a *net.OpError, which asks one level only.
func isTemporary(err error) bool {
	if op, ok := err.(*net.OpError); ok {
		err = op.Err
	}
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}
