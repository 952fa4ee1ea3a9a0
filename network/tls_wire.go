package network

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/curio-go/curio"
)

// A wire is the net.Conn that a tls.Conn runs on. package tls holds mutexes of its own
// while it reads and writes, in which nobody could be cancelled; so nothing may wait there
// but one reader:
//
//   - Write puts ciphertext into a buffer and never waits. It is sent later, by flush or
//     push, when no mutex of package tls is held.
//   - Read receives with the context of the operation in progress. If that is cut short,
//     the error is a temporary one: package tls keeps what it has of the record, and goes
//     on with it in the next Read. Meanwhile, what is left to be sent is sent; see pusher.
//
// So a task that receives can answer a request for new keys while a sender is blocked, and no task
// waits for a mutex for longer than it takes to encrypt a few records.
type wire struct {
	below Conn

	// The operation in progress; of who holds TLSConn.handshakes or, after the
	// handshake, TLSConn.receivers.
	ctx         context.Context // nil: do not wait
	handshaking bool            // what has been written must go out before anything is waited for

	// What is to be sent: first what is left of sending, then what is queued. Both are
	// in pooled buffers, and nil when there is nothing.
	sending  []byte  // of who holds TLSConn.handshakes or, after the handshake, TLSConn.senders
	sendFrom *[]byte // the whole of it
	unsent   atomic.Int64

	encrypting atomic.Bool // a sender is in Write of package tls

	pusher pusher

	mu      sync.Mutex
	queued  *[]byte
	answers int // how many records of those queued no sender has written
}

// ciphertexts are the buffers for what is to be sent.
var ciphertexts = sync.Pool{New: func() any { return new([]byte) }}

// maxAnswers is how many answers to requests for new keys may be queued before those who
// receive wait for them to be sent. It is reached only by a peer that goes on asking and
// does not receive the answers; and it would not take many of them in a row.
const maxAnswers = 8

// lastWords is how long to wait for room for an alert, if the Conn below cannot tell
// whether there is room. Tests change it.
var lastWords = 100 * time.Millisecond

// Write queues p. It is called with a mutex of package tls held, in the order of the
// records.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queued == nil {
		w.queued = ciphertexts.Get().(*[]byte)
	}
	*w.queued = append(*w.queued, p...)
	if !w.encrypting.Load() {
		w.answers++
	}
	w.unsent.Add(int64(len(p)))
	return len(p), nil
}

// next returns what is to be sent next, nil if there is nothing.
func (w *wire) next() []byte {
	if len(w.sending) > 0 {
		return w.sending
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queued != nil {
		w.sendFrom, w.queued, w.answers = w.queued, nil, 0
		w.sending = *w.sendFrom
	}
	return w.sending
}

// sent notes that the first n bytes of what next has returned are on their way.
func (w *wire) sent(n int) {
	w.unsent.Add(-int64(n))
	w.sending = w.sending[n:]
	if len(w.sending) == 0 {
		*w.sendFrom = (*w.sendFrom)[:0]
		ciphertexts.Put(w.sendFrom)
		w.sending, w.sendFrom = nil, nil
	}
}

// flush sends all there is. What it has not sent when it is cut short stays. The caller
// is the one to whom sending belongs.
func (w *wire) flush(ctx context.Context) error {
	for p := w.next(); p != nil; p = w.next() {
		n, err := w.below.SendAll(ctx, p)
		w.sent(n)
		if err != nil {
			return &wireError{err}
		}
	}
	return nil
}

// push sends what there is room for. It does not wait, except for a moment if urgent is
// true and the Conn below cannot send without waiting. The error says why not all was sent.
func (w *wire) push(ctx context.Context, urgent bool) error {
	for p := w.next(); p != nil; p = w.next() {
		n, err := sendFlags(ctx, w.below, p, syscall.MSG_DONTWAIT)
		w.sent(n)
		if err == nil {
			continue
		}
		if urgent && errors.Is(err, errors.ErrUnsupported) {
			ctx, cancel := curio.WithTimeout(ctx, lastWords)
			defer cancel()
			return w.flush(ctx)
		}
		return &wireError{err}
	}
	return nil
}

// overfull reports whether too many answers are queued.
func (w *wire) overfull() bool {
	if w.unsent.Load() == 0 {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.answers >= maxAnswers
}

// Read receives, with the context of the operation in progress.
func (w *wire) Read(p []byte) (n int, err error) {
	switch {
	case w.ctx == nil:
		return 0, errNothingYet
	case !w.handshaking:
		n, err = w.pusher.recv(w.ctx, p)
	default:
		if err := w.flush(w.ctx); err != nil {
			return 0, err
		}
		n, err = w.below.Recv(w.ctx, p)
	}
	switch {
	case err == io.EOF && w.handshaking:
		err = errNoHandshake
	case err == io.EOF:
		err = errTruncated
	case err != nil:
		err = &wireError{err}
	}
	return n, err
}

// Close does nothing: package tls calls it when the context of a handshake ends, and that
// is not all there is to do.
func (w *wire) Close() error { return nil }

// LocalAddr is what the user's functions in the tls.Config may ask for.
func (w *wire) LocalAddr() net.Addr { return known(w.below.LocalAddr()) }

// RemoteAddr is, too, what sessions are kept under if the server has no name.
func (w *wire) RemoteAddr() net.Addr { return known(w.below.RemoteAddr()) }

// known is for package tls, which takes it that every connection has addresses.
func known(addr net.Addr) net.Addr {
	if addr == nil {
		return name("")
	}
	return addr
}

// SetDeadline does nothing, as nothing here goes by deadlines.
func (w *wire) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (w *wire) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// A wireError is an error of the Conn below on its way through package tls. It is a net.Error
// because package tls lets a connection survive those that are temporary, which here means: the
// operation's context is done, or the server's time limit is over.
type wireError struct{ err error }

func (e *wireError) Error() string { return e.err.Error() }
func (e *wireError) Unwrap() error { return e.err }

// Timeout is false, as package tls has no use for it.
func (e *wireError) Timeout() bool { return false }

// Temporary reports whether the next operation can go on where this one has ended. If
// something could not be sent, one can still receive.
func (e *wireError) Temporary() bool {
	_, unsent := errors.AsType[*unsentError](e.err)
	return unsent || e.err == errEmpty || goesOn(e.err)
}

// goesOn reports whether err, of the Conn below, is about the operation only, so that the
// connection can still be used.
func goesOn(err error) bool {
	return errors.Is(err, curio.ErrCancelled) || errors.Is(err, context.Canceled) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrIdle)
}
