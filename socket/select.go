package socket

import (
	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

// ReadCase is [Socket.WaitRead] as a case of a [curio.Select]: ready as soon as Recv or Accept would
// not wait, because there is something to receive, the end of the stream, a connection, or an error. It
// receives nothing. That is not a promise: another task may be faster, and the Recv that follows may
// wait after all. The case takes no turn, so it does not hold up those who receive.
//
//	i, err := curio.Select(ctx, s.ReadCase(), stop.WaitCase())
//
// If the socket has been closed, or is closed while the Select waits, the case takes effect with an
// error that wraps net.ErrClosed. It does not give the descriptor away, as curio.WaitReadCase(s.FD())
// would, after which the socket could trust its options no more.
//
// A wait of the first few sockets of a process costs an epoll(7) descriptor, without which the case
// fails, and where the package has
// no poller of its own, as on macOS or in a testing/synctest bubble, a goroutine. For the others it
// costs neither. The task is in the state SELECT.
func (s *Socket) ReadCase() curio.Case { return poll.CaseOf(readiness{s, false}).(curio.Case) }

// WriteCase is [Socket.WaitWrite] as a case of a [curio.Select]: ready as soon as Send would not wait,
// because there is room in the system's buffer, or an error. See ReadCase.
func (s *Socket) WriteCase() curio.Case { return poll.CaseOf(readiness{s, true}).(curio.Case) }

// A readiness is one direction of a socket as a case.
type readiness struct {
	s     *Socket
	write bool
}

func (r readiness) Ready() (is bool, err error) {
	if err = r.s.usable(); err == nil {
		is, err = r.s.fd.IsReady(r.write)
	}
	if err != nil {
		return true, r.s.failed("wait", err)
	}
	return is, nil
}

func (r readiness) For(w *wait.Waiter) {
	if r.write {
		w.For("WRITE_WAIT", r.s)
	} else {
		w.For("READ_WAIT", r.s)
	}
}

func (r readiness) Watch(w *wait.Waiter) (ok bool) {
	return r.s.usable() == nil && r.s.fd.Watch(w, r.write)
}

func (r readiness) Unwatch(w *wait.Waiter) error {
	if r.s.usable() != nil {
		return nil
	}
	if err := r.s.fd.Unwatch(w, r.write); err != nil {
		return r.s.failed("wait", err)
	}
	return nil
}
