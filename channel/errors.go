package channel

import (
	"errors"
	"net"

	"github.com/curio-go/curio/internal/sentinel"
	"github.com/curio-go/curio/stream"
)

// Errors of connections, for errors.Is.
var (
	// ErrRefused reports that the two sides do not have the same key, or that one of them does not
	// follow the protocol. The error that wraps it gives the cause, as far as it is known, and
	// quotes no data from the peer. The peer learns only that it was refused. The connection has
	// been closed. It is Curio's AuthenticationError.
	ErrRefused = sentinel.PeersDoing("authentication refused")

	// ErrKeyWanted reports that this side has no Config.Key, but the peer requires one: the first
	// message was a challenge. The connection has been closed.
	ErrKeyWanted = sentinel.PeersDoing("the peer requires a key, as it has sent a challenge; set Config.Key")

	// ErrPickle reports a message that a Python program has sent with send instead of send_bytes.
	// Pickles are never decoded, because decoding one can run any code. The message has been
	// dropped, and the connection can still be used.
	ErrPickle = sentinel.PeersDoing("received a pickle, which is never decoded; in Python, use send_bytes")

	// ErrTooLong reports that the peer has announced a message longer than Config.MaxMessage. The
	// connection has been closed.
	ErrTooLong = sentinel.PeersDoing("message too long")

	// ErrProtocol reports received data that is not a message. The connection has been closed.
	ErrProtocol = sentinel.PeersDoing("not a message")

	// ErrCut reports that a message was sent only in part, because its Send was cancelled or
	// failed. No further message can be sent. The connection has been closed, unless the peer has
	// gone. As with any network error, the message may have arrived nevertheless: see Send.
	ErrCut = errors.New("a message was sent only in part")
)

// A closedError says why the connection was closed, when that was not by Close.
type closedError struct{ why error }

func (e *closedError) Error() string   { return "connection closed: " + e.why.Error() }
func (e *closedError) Unwrap() []error { return []error{net.ErrClosed, e.why} }

// A cutError is the error of a Send that has sent a part of its message.
type cutError struct{ err error }

func (e *cutError) Error() string   { return ErrCut.Error() + ": " + e.err.Error() }
func (e *cutError) Unwrap() []error { return []error{ErrCut, e.err} }

// Timeout is for package net, which does not look at wrapped errors.
func (e *cutError) Timeout() bool {
	timeout, ok := e.err.(interface{ Timeout() bool })
	return ok && timeout.Timeout()
}

// causeOf is what a net.OpError is about, and any other error itself: for the error of a layer below, which is
// about the same addresses.
func causeOf(err error) error {
	if op, ok := err.(*net.OpError); ok && op.Err != nil {
		return op.Err
	}
	return err
}

// opError is the error of an operation on a connection over in and out.
func opError(op string, in, out *stream.Stream, err error) error {
	wrapped := &net.OpError{Op: op, Net: "channel", Err: causeOf(err)}
	if in == nil {
		return wrapped
	}
	wrapped.Source, wrapped.Addr = in.LocalAddr(), out.RemoteAddr()
	for _, addr := range []net.Addr{wrapped.Source, wrapped.Addr} {
		if addr != nil {
			wrapped.Net = addr.Network()
			break
		}
	}
	return wrapped
}
