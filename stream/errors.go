package stream

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/sentinel"
)

// ErrLineTooLong reports a line that is longer than the limit. [Stream.ReadLine] and the other
// methods that read lines return an error that wraps it and names the limit and the peer.
var ErrLineTooLong = sentinel.PeersDoing("line too long")

// ErrTooLong reports a stream that is longer than the limit of [Stream.ReadAll], in an error that
// wraps it.
var ErrTooLong = sentinel.PeersDoing("stream too long")

// ErrUnsent reports data that was written and not sent. Errors of [Stream.Close] and
// [Stream.Detach] wrap it.
var ErrUnsent = errors.New("not flushed")

// ErrUnread reports data that was received and not read. Errors of [Stream.Detach] wrap it.
var ErrUnread = errors.New("unread data")

// ErrBusy reports that another task is reading or writing. Errors of [Stream.Detach] wrap it.
var ErrBusy = errors.New("in use")

var (
	errUnusable = errors.New("not made by New, FromConn or FromFile")
	errReading  = fmt.Errorf("%w: another task is reading", ErrBusy)
	errWriting  = fmt.Errorf("%w: another task is writing", ErrBusy)
)

// usable is for the zero value.
func (s *Stream) usable() error {
	if s == nil || s.transport == nil {
		return errUnusable
	}
	return nil
}

// failed returns the error of an operation, for what the transport has no error of its
// own for.
func (s *Stream) failed(op string, err error) error {
	wrapped := &net.OpError{Op: op, Net: "stream", Err: err}
	if s.usable() == nil {
		wrapped.Source, wrapped.Addr = s.LocalAddr(), s.RemoteAddr()
	}
	if wrapped.Source != nil {
		wrapped.Net = wrapped.Source.Network()
	}
	return wrapped
}

// ended returns the transport's error, of an operation during which the stream may have been
// closed: not every transport reports that.
func (s *Stream) ended(op string, err error) error {
	if s.closed.Load() && !errors.Is(err, net.ErrClosed) && !errors.Is(err, curio.ErrCancelled) {
		return s.failed(op, net.ErrClosed)
	}
	return err
}

// incomplete returns the error of a Close that could not send everything: err is the
// reason, n is how many bytes are left, and closed is the error of the transport's Close.
func (s *Stream) incomplete(err error, n int64, closed error) error {
	if errors.Is(closed, net.ErrClosed) {
		closed = nil // closed by somebody else; that says nothing about what was sent
	}
	with := func(cause error) error {
		if n == 0 && closed == nil {
			return cause
		}
		return &unsentError{n, cause, closed}
	}
	switch e := err.(type) {
	case *net.OpError:
		return &net.OpError{Op: "close", Net: e.Net, Source: e.Source, Addr: e.Addr, Err: with(e.Err)}
	case *os.PathError:
		return &os.PathError{Op: "close", Path: e.Path, Err: with(e.Err)}
	}
	return s.failed("close", with(err))
}

// An unsentError says that something was written and will not be sent.
type unsentError struct {
	n      int64 // how much of it
	err    error // why
	closed error // the transport's error about that, or nil
}

func (e *unsentError) Error() string {
	text := e.err.Error()
	if e.n > 0 {
		text = fmt.Sprintf("%d bytes were written and have not been sent: %s", e.n, text)
	}
	if e.closed != nil {
		text += "; " + e.closed.Error()
	}
	return text
}

func (e *unsentError) Unwrap() []error {
	if e.closed == nil {
		return []error{e.err}
	}
	return []error{e.err, e.closed}
}

// Timeout is for package net, which does not look at wrapped errors.
func (e *unsentError) Timeout() bool {
	timeout, ok := e.err.(interface{ Timeout() bool })
	return ok && timeout.Timeout()
}
