package socket

import (
	"context"
	"errors"
	"os"
	"sync/atomic"

	"github.com/curio-go/curio"
)

// Blocking lends the socket, in blocking mode, to fn, which runs in a thread as with
// curio.RunInThread: for code that does not know our contexts, as a C library or a
// function that wants a plain file. Blocking waits until nobody receives and nobody
// sends; others wait until fn has returned, in their turn, cancellably. It returns what fn
// returns. A panic in fn is a *curio.PanicError.
//
// What fn gets is a duplicate. It is closed when fn has returned, and the socket is
// non-blocking again. fn must use nothing of the Socket that waits. All duplicates
// share the mode: those of Dup, File and FromConn, and those of other processes. These
// must not be used meanwhile.
//
// If ctx ends while fn runs, Blocking returns the error of ctx at once, and the socket
// stays lent until fn has returned; the kernel's ThreadCalls shows it. An error that fn
// returns then is logged. Shutdown, which does not wait for a turn, ends what fn waits
// for; so do the timeouts of the socket options SO_RCVTIMEO and SO_SNDTIMEO. Close does
// not wait for fn and does not end it: the Socket is closed for all others at once, those
// included who wait for their turn, and the connection when fn has returned.
//
// It panics if fn is nil. It is Curio's blocking(). A task that waits is in the state
// READ_TURN, WRITE_TURN, THREAD_SLOT, or THREAD_CALL.
func (s *Socket) Blocking(ctx context.Context, fn func(file *os.File) error) error {
	if fn == nil {
		panic("curio/socket: Blocking of a nil function")
	}
	if err := s.usable(); err != nil {
		return s.failed("blocking", err)
	}
	loan, err := s.fd.Lend(ctx)
	if err != nil {
		return s.failed("blocking", err)
	}
	// Who sets begun has the loan to return. RunInThread calls no function any more
	// when it has returned.
	var begun atomic.Bool
	_, err = curio.RunInThread(ctx, func() (struct{}, error) {
		if begun.Swap(true) {
			return struct{}{}, nil
		}
		return struct{}{}, loan.Run(func(file *os.File) error {
			if err := fn(file); err != nil {
				return borrowerError{err}
			}
			return nil
		})
	})
	if !begun.Swap(true) {
		loan.Return()
	}
	return s.blockingError(err)
}

// A borrowerError is what the function that Blocking has called returned.
type borrowerError struct{ error }

// blockingError wraps err unless it is the function's.
func (s *Socket) blockingError(err error) error {
	var panicked *curio.PanicError
	switch e, returned := err.(borrowerError); {
	case err == nil:
		return nil
	case returned:
		return e.error
	case errors.As(err, &panicked), errors.Is(err, curio.ErrGoexit):
		return err
	}
	return s.failed("blocking", called("fcntl", err))
}
