package socket

import (
	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

// ReadCase returns a case for [curio.Select] that is ready when Recv or Accept would not wait:
// there is something to receive, the end of the stream, a connection, or an error. It receives
// nothing. Another task may receive first, so the Recv that follows may still wait. The case does
// not delay other tasks that receive.
//
//	i, err := curio.Select(ctx, s.ReadCase(), stop.WaitCase())
//
// If the socket is closed, before or during the Select, the case is chosen with an error that wraps
// net.ErrClosed. Prefer it to curio.WaitReadCase(s.FD()): after a call of FD the socket can no
// longer rely on knowing its own options, which makes it slower.
//
// In the first few sockets of a process, waiting uses an epoll(7) descriptor; if none can be
// opened, the case fails. Where the package has no poller of its own, as on macOS or in a
// testing/synctest bubble, waiting uses a goroutine instead. A task that waits is in the state
// SELECT.
func (s *Socket) ReadCase() curio.Case { return poll.CaseOf(readiness{s, false}).(curio.Case) }

// WriteCase returns a case for [curio.Select] that is ready when Send would not wait: there is room
// in the system's buffer, or an error. Everything else is as for ReadCase.
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
