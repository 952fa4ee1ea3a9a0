package network

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// A service is a connection that a server serves. It belongs to the connection's task.
type service struct {
	*server
	conn Conn
	peer string

	task  context.Context // the task's; nil until it begins
	begun bool            // the handshake is over

	accepted   int64    // when, as a reading of wait.Now
	prev, next *service // in the listener's registry

	life   *wait.Scope // the handler's, below task, if there is a Lifetime
	ended  bool        // begin or the handler has returned an error or nil: no panic, no Goexit
	failed error       // that error
}

// serve serves one connection: it is the function of the connection's task. It returns no
// error, as nobody joins the task: errors are logged.
//
// Logging comes last, when the connection is closed and its slot released: a log handler is
// foreign code, which may panic or hang.
//
// It calls the handler itself and not through another function: few bytes more make the stack of
// an idle connection 4 KiB instead of 2.
func (s *service) serve(ctx context.Context) {
	s.starts(ctx)
	defer func() {
		v := recover()
		if s.life != nil {
			s.life.Close()
		}
		said := s.judge(v)
		if err := s.leave(); err != nil {
			said = entry{slog.LevelError, "curio: closing a connection panicked", "", err}
		}
		s.log(s.task, said)
		if v != nil {
			panic(v) // for a kernel that crashes on panics
		}
	}()
	ctx, err := s.begin(ctx)
	if err == nil {
		err = s.handler(ctx, s.conn)
	}
	if err == nil {
		finish(ctx, s.conn)
	}
	s.failed, s.ended = err, true
}

// begin does what comes before the handler, and returns the handler's context.
func (s *service) begin(ctx context.Context) (context.Context, error) {
	config := &s.listener.config
	if config.Lifetime > 0 {
		s.life = wait.NewLimit(ctx, wait.After(config.Lifetime), ErrLifetime)
		ctx = s.life
	}
	if err := handshakeWithin(ctx, s.conn, config.HandshakeTimeout); err != nil {
		return ctx, err
	}
	peer := s.peer
	if _, ok := s.conn.(layered); ok { // only now is the peer behind a proxy known
		peer = peerOf(s.conn)
	}
	s.begins(peer)
	wait.Prepare(ctx)
	return ctx, nil
}

// leave closes the connection and releases its slot. The error is a panic of a foreign
// Close.
func (s *service) leave() (err error) {
	defer s.release()
	defer s.listener.serving.remove(s)
	defer s.ends()
	defer func() {
		if v := recover(); v != nil {
			err = s.panicked(v)
		}
	}()
	_ = s.conn.Close()
	return nil
}

func (s *service) panicked(v any) error {
	return &curio.PanicError{Task: curio.CurrentTask(s.task).Path(), Value: v, Stack: debug.Stack()}
}

// An entry is a line of the log about a connection. If the message is "", nothing is
// logged.
type entry struct {
	level   slog.Level
	message string
	why     string // "" for none
	err     error
}

// judge returns what to log when serve is over. v is what it has panicked with, nil for nothing.
func (s *service) judge(v any) entry {
	what := "handler"
	if !s.begun {
		what = "handshake"
	}
	switch {
	case v != nil:
		return entry{slog.LevelError, "curio: " + what + " panicked", "", s.panicked(v)}
	case !s.ended:
		return entry{slog.LevelError, "curio: " + what + " failed", "", curio.ErrGoexit}
	case s.failed == nil:
		return entry{}
	}
	b := blame{service: s}
	b.look(s.failed)
	switch {
	case b.own && s.begun:
		return entry{slog.LevelError, "curio: handler failed", "", s.failed}
	case b.own:
		return entry{slog.LevelWarn, "curio: handshake failed", "", s.failed}
	case b.why != "":
		return entry{slog.LevelDebug, "curio: connection lost", b.why, s.failed}
	}
	return entry{} // it was cancelled
}

// log logs e on behalf of the connection's task.
func (s *service) log(ctx context.Context, e entry) {
	if e.message == "" {
		return
	}
	args := []any{"peer", s.peer, "server", s.name}
	if e.why != "" {
		args = append(args, "why", e.why)
	}
	args = append(args, "err", e.err)
	if p, ok := e.err.(*curio.PanicError); ok {
		args = append(args, "stack", string(p.Stack))
	}
	reportLast(ctx, e.level, e.message, args...) // a server that stops waits for this task
}

// peerOf names the peer of a connection that was just accepted.
func peerOf(conn Conn) string {
	if addr := conn.RemoteAddr(); addr != nil {
		if text := addr.String(); text != "" && text != "@" {
			return text
		}
	}
	if s := SocketOf(conn); s != nil {
		return fmt.Sprintf("fd %d", s.FD()) // a Unix client without a name; package syscall says "@"
	}
	return "unnamed"
}
