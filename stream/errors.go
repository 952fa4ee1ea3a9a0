package stream

import (
	"errors"
	"net"

	"github.com/curio-go/curio"
)

// ErrLineTooLong is the error of ReadLine and the others for a line that is longer than
// the limit, in an error that says how long that is, and who has sent it.
var ErrLineTooLong error = tooMuch("line too long")

// ErrTooLong is the error of ReadAll for more than its limit.
var ErrTooLong error = tooMuch("stream too long")

// A tooMuch says that the other side has sent more than the limit. Package network, which
// knows nothing of streams, asks for PeersDoing: a server takes it for none of its own faults.
type tooMuch string

func (e tooMuch) Error() string    { return string(e) }
func (e tooMuch) PeersDoing() bool { return true }

var (
	errUnusable = errors.New("not made by New, FromConn or FromFile")
	errReading  = errors.New("another task reads")
	errWriting  = errors.New("another task writes")
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

// ended returns the transport's error, of an operation during which the stream may have
// been closed: not every transport says so.
func (s *Stream) ended(op string, err error) error {
	if s.closed.Load() && !errors.Is(err, net.ErrClosed) && !errors.Is(err, curio.ErrCancelled) {
		return s.failed(op, net.ErrClosed)
	}
	return err
}
