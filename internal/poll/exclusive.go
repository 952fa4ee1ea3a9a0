package poll

import (
	"context"
	"net"
	"os"
	"syscall"

	"github.com/curio-go/curio/internal/wait"
)

// A Loan is both turns of an FD. Its holder may switch the descriptor to blocking mode, as nobody
// else makes a call on it that could wait. It may be returned by another goroutine than the one
// that took it.
//
//	none ──► lent   by Lend, which has taken both turns
//	lent ──► none   by a swap on FD.loan, after which the turns are passed on: by
//	                Return, or by Close, whichever comes first
//
// Close must not leave those in the queue to a borrower who may be long in coming back.
// It passes the turns on only after the runtime has closed the descriptor: before that,
// somebody could make a call on it while it is in blocking mode.
type Loan struct{ fd *FD }

// Lend waits for both turns, first for that to read. The order is the same for all, and nobody
// else waits for one turn while holding the other.
func (f *FD) Lend(ctx context.Context) (*Loan, error) {
	place, err := wait.At(ctx)
	if err != nil {
		return nil, err
	}
	if !place.Untrusted() {
		return f.lend(place)
	}
	return wait.FollowFor(place, f.lend)
}

func (f *FD) lend(place wait.Place) (*Loan, error) {
	if err := f.reader.turn.Take(place, "READ_TURN", f.object); err != nil {
		return nil, err
	}
	if err := f.writer.turn.Take(place, "WRITE_TURN", f.object); err != nil {
		f.reader.turn.Pass()
		return nil, err
	}
	l := &Loan{f}
	f.loan.Store(l)
	if f.closed.Load() { // and Close may not have seen the loan
		l.Return()
		return nil, net.ErrClosed
	}
	return l, nil
}

// Return gives the turns back, if that has not been done.
func (l *Loan) Return() {
	if l.fd.loan.CompareAndSwap(l, nil) {
		l.fd.writer.turn.Pass()
		l.fd.reader.turn.Pass()
	}
}

// Run calls fn with the descriptor in blocking mode, and returns the loan when fn has
// ended, however that was.
//
// What fn gets is a duplicate, so that Close need not wait for it. One more is kept to
// switch the mode back, which others may share: fn may have closed its own, and Close
// that of the FD.
func (l *Loan) Run(fn func(file *os.File) error) error {
	defer l.Return()
	kept, err := l.fd.Dup()
	if err != nil {
		return err
	}
	defer syscall.Close(kept)
	if err := syscall.SetNonblock(kept, false); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	defer syscall.SetNonblock(kept, true)
	lent, err := Dup(kept)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(lent), l.fd.String())
	defer file.Close()
	return fn(file)
}
