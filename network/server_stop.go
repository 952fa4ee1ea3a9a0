package network

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// ErrServerStopping is the reason why a context of UntilStop is done. errors.Is finds it in
// the error of each operation of this module that was cut short by that, including those on
// a Conn or a stream, and in context.Cause of the context; curio.WhoCancelled returns it as
// the Reason. Functions of other packages often return the bare error of the context, which
// is context.Canceled.
var ErrServerStopping = errors.New("curio/network: the server is stopping")

// A stop is what a server with a grace time tells its handlers by. Its scope is
// cancelled when the server begins to stop, and the scopes of UntilStop follow it.
type stop struct{ scope *wait.Scope }

// stopOf is the stop of the server that a task serves a connection of.
var stopOf curio.Local[*stop]

func newStop(ctx context.Context) *stop { return &stop{wait.New(ctx, wait.Group)} }

// begin tells the handlers that the server stops. It does so on behalf of the server's
// task, which ctx belongs to.
func (s *stop) begin(ctx context.Context) {
	cause := wait.NewCause(s.scope, wait.Cancelled, ErrServerStopping)
	cause.Named = true
	cause.By = wait.Text(curio.CurrentTask(ctx).Path())
	s.scope.Cancel(cause)
}

// cause returns the cause with which the contexts of UntilStop end, or nil if the server is
// not stopping.
func (s *stop) cause() *wait.Cause {
	if c := s.scope.Cause(); c != nil && c.Reason == ErrServerStopping {
		return c
	}
	return nil
}

func (s *stop) close() { s.scope.Close() }

// UntilStop returns a context for what a handler waits for while it has nothing else to
// do, as for the next request. It ends when ctx does, and, too, as soon as the server
// begins to stop: the wait then fails with an error that is ErrServerStopping. A handler
// that returns this error, or nil, has ended as it should. What it has begun, a handler
// finishes with its own context, within the server's Grace time.
//
//	idle, cancel := network.UntilStop(ctx)
//	n, err := conn.Recv(idle, buf)
//	cancel()
//
// cancel ends the context and must be called. Without a Grace time, or in a task that
// serves no connection, the context ends only when ctx does.
func UntilStop(ctx context.Context) (_ context.Context, cancel context.CancelFunc) {
	until := wait.New(ctx, wait.Group)
	s, ok := stopOf.Get(ctx)
	if !ok {
		return until, until.Close
	}
	if c := s.cause(); c != nil { // a hook would be called a moment later
		until.Cancel(c)
		return until, until.Close
	}
	unhook := s.scope.AfterFunc(func() { until.Cancel(s.scope.Cause()) })
	return until, func() {
		unhook()
		until.Close()
	}
}

// A GraceError is returned by RunServer if handlers had to be cancelled when the server's
// grace time had run out.
type GraceError struct {
	Connections []string // whose handlers these were, by the addresses of their peers
	Err         error    // why the server stopped
}

const namedAtMost = 10

// Error names some of the connections, and says why the server stopped.
func (e *GraceError) Error() string {
	named, more := e.Connections, ""
	if len(named) > namedAtMost {
		named, more = named[:namedAtMost], ", ..."
	}
	return fmt.Sprintf("curio/network: cancelled after the grace time, as they had not ended, %d of the handlers (%s%s): %v",
		len(e.Connections), strings.Join(named, ", "), more, e.Err)
}

// Unwrap returns why the server stopped.
func (e *GraceError) Unwrap() error { return e.Err }

// drain waits for the handlers to end within the grace time. err is why the server stops.
func (s *server) drain(ctx context.Context, err error) error {
	grace := s.listener.config.Grace
	allEnded := func(ctx context.Context) error { return s.places.AcquireN(ctx, s.size) }
	var expired bool
	var failed error
	if grace < 0 {
		failed = allEnded(ctx)
	} else {
		expired, failed = curio.IgnoreAfter(ctx, grace, allEnded)
	}
	if !expired && failed == nil {
		s.places.ReleaseN(ctx, s.size)
		return err
	}
	names := s.peers()
	if len(names) == 0 {
		return err
	}
	late := &GraceError{Connections: names, Err: err}
	report(ctx, slog.LevelWarn, "curio: handlers are cancelled that have not ended in the grace time",
		"server", s.name, "grace", grace, "handlers", names)
	return late
}
