package socket

import (
	"context"
	"errors"
	"os"
	"sync/atomic"

	"github.com/curio-go/curio"
)

// Blocking calls fn in a thread with a duplicate of the socket's descriptor in blocking mode. Use
// it for code that takes no context, such as a C library or a function that wants an ordinary file.
// It waits until no other task is receiving or sending, and starts fn as [curio.RunInThread] does.
// Other tasks wait until fn has returned; they can be cancelled meanwhile. Blocking returns fn's
// error. If fn panics, the error is a [*curio.PanicError].
//
// When fn has returned, file is closed and the socket is non-blocking again. fn must not call any
// method of this Socket that waits. All duplicates share the blocking mode, including those from
// Dup, File and FromConn, and those in other processes. They must not be used while fn runs.
//
// If ctx is done while fn runs, Blocking returns an error that wraps ctx's error at once. The
// socket stays lent until fn returns; the kernel's ThreadCalls method lists the call. An error that
// fn returns after that is logged. To make fn return, call Shutdown, which ends what fn waits for,
// or set the socket options SO_RCVTIMEO and SO_SNDTIMEO on file. Close does not wait for fn and
// does not end it: other operations fail with [net.ErrClosed] at once, also those that are waiting,
// and the connection closes when fn has returned.
//
// Blocking panics if fn is nil. It is Curio's blocking(). A task that waits is in the state
// READ_TURN, WRITE_TURN, THREAD_SLOT or THREAD_CALL.
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
	// The side that sets begun must return the loan. After RunInThread has returned it calls no
	// function any more.
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
