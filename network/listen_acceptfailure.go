package network

import (
	"errors"
	"net"
	"syscall"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/poll"
)

// A failure says how bad it is that a connection could not be accepted.
type failure int

const (
	final failure = iota // accepting is over for good
	once                 // one connection has failed; the next may succeed
	lasts                // something is lacking that may be there later
)

// triesAtOnce is how many times in a row accepting is tried without a pause while one
// connection after the other fails: a listener that returns only errors must not keep a
// processor busy.
const triesAtOnce = 64

// acceptFailure classifies err, which an Accept has returned. accept(2) also returns errors
// of a connection that was waiting to be accepted; its manual page on Linux lists them.
// EOPNOTSUPP is on that list, but a socket that cannot accept at all returns it as well.
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

// isTemporary reports whether err calls itself temporary, which is also what net/http asks.
// It looks below a *net.OpError, whose own Temporary method looks one level down only.
func isTemporary(err error) bool {
	if op, ok := err.(*net.OpError); ok {
		err = op.Err
	}
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}
