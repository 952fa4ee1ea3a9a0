package curio

import (
	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

// Package socket makes cases of its sockets, and a Case can be made only here.
func init() {
	poll.CaseOf = func(x poll.Watchable) any { return Case{socketCase{x}} }
}

// A socketCase is the readiness of a socket.
type socketCase struct{ x poll.Watchable }

func (c socketCase) try(*wait.Owner, int64) (done bool, err error) {
	ready, err := c.x.Ready()
	return ready || err != nil, err
}

func (c socketCase) list(w *wait.Waiter, _ int64) (ok bool) {
	c.x.For(w)
	w.Harmless()
	return c.x.Watch(w)
}

func (c socketCase) leave(w *wait.Waiter) { _ = c.x.Unwatch(w) }

func (c socketCase) take(w *wait.Waiter) (done bool, err error) {
	failed := c.x.Unwatch(w)
	if done, err = c.try(nil, 0); !done && failed != nil { // it could be asked, but not watched
		return true, failed
	}
	return done, err
}
