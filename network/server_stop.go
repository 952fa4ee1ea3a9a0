package network

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// This file is about how a server stops. There are two ways:
//
//	ctx ends:          with a Grace time, the server asks its handlers, which are under a shield, to stop,
//	                   waits, and cancels those that are late. Without one they end with ctx.
//	ctx is asked to:   the handlers have been asked as well. The server waits for them, for the Grace
//	                   time, or without one until ctx ends.
//
// If the listener is closed or fails, it is as if ctx were done.

// ask asks the handlers to stop, in the name of the server's task. around is the shield that they
// are under.
func ask(around context.Context) {
	wait.AskAll(around, curio.ErrStopping, wait.Text(curio.CurrentTask(around).Path()))
}

// A GraceError reports handlers that a server had to cancel because its Grace time, or the grace
// time of an enclosing task or kernel, was over. [RunServer] returns it. For errors.As it is also a
// *curio.GraceError.
type GraceError struct {
	Connections []string // the addresses of the handlers' peers
	Err         error    // why the server stopped
}

const namedAtMost = 10

// Error names some of the connections and the reason why the server stopped.
func (e *GraceError) Error() string {
	named, more := e.Connections, ""
	if len(named) > namedAtMost {
		named, more = named[:namedAtMost], ", ..."
	}
	text := "a handler had not ended after the grace time and was cancelled"
	if n := len(e.Connections); n != 1 {
		text = fmt.Sprintf("%d handlers had not ended after the grace time and were cancelled", n)
	}
	return fmt.Sprintf("curio/network: %s (%s%s): %v", text, strings.Join(named, ", "), more, e.Err)
}

// Unwrap returns why the server stopped.
func (e *GraceError) Unwrap() error { return e.Err }

// As makes e a *curio.GraceError too, whose Tasks are the Connections.
func (e *GraceError) As(target any) bool {
	to, ok := target.(**curio.GraceError)
	if ok {
		*to = &curio.GraceError{Tasks: e.Connections, Err: e.Err}
	}
	return ok
}

// drain waits for the handlers to end, for the grace time if there is one, else until conns ends. err
// is why the server stops.
func (s *server) drain(conns context.Context, err error) error {
	s.draining.Store(true)
	grace := s.listener.config.Grace
	allEnded := func(ctx context.Context) error { return s.places.AcquireN(ctx, s.size) }
	var expired bool
	var failed error
	if grace <= 0 {
		failed = allEnded(conns)
	} else {
		expired, failed = curio.IgnoreAfter(conns, grace, allEnded)
	}
	if !expired && failed == nil {
		s.places.ReleaseN(conns, s.size)
		return err
	}
	names := s.late()
	if len(names) == 0 {
		return err
	}
	args := []any{"server", s.name, "handlers", names}
	if grace > 0 {
		args = append(args, "grace", grace)
	}
	report(conns, slog.LevelWarn, "curio: handlers have not ended in the grace time and are cancelled", args...)
	return &GraceError{Connections: names, Err: err}
}

// late are the peers of the handlers that have not ended in time. What cancels the server without a
// grace time cancels them at the same moment, so some have ended already.
func (s *server) late() (peers []string) {
	s.listener.serving.each(func(served *service) {
		if served.server == s {
			peers = append(peers, served.peer)
		}
	})
	s.mu.Lock() // after: see ends
	peers = append(peers, s.cut...)
	s.mu.Unlock()
	slices.Sort(peers)
	return slices.Compact(peers)
}

// ends notes, before s leaves the registry, that its handler was cancelled together with drain.
func (s *service) ends() {
	if !s.draining.Load() || s.owner.Err() == nil || s.task.Err() == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = append(s.cut, s.peer)
}
