package network

import (
	"context"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

// An acceptor accepts connections, pauses when the system has run out of
// something, and logs that: once when it begins, and once when it is over.
type acceptor struct {
	name string // of the server, for the log
	next func(ctx context.Context) (Conn, error)

	full  episode // no further connection may be served
	short episode // short of descriptors, memory or similar
}

// msgFull is what a server or a NetListener logs when all slots are taken.
const msgFull = "curio: all connections are in use that MaxConnections allows; others wait"

// accept returns the next connection.
func (a *acceptor) accept(ctx context.Context) (Conn, error) {
	pause := wait.Pause{First: 5 * time.Millisecond, Most: time.Second} // after running out of something
	for tries := 1; ; tries++ {
		conn, err := a.acceptCalmly(ctx)
		switch failure := acceptFailure(err); {
		case err == nil:
			return conn, nil
		case failure == once && tries < triesAtOnce:
			continue
		case failure == final || failure == once && isAny(err, syscall.EOPNOTSUPP):
			return nil, err
		}
		a.short.seen(ctx, a.name, "curio: cannot accept connections for the moment", "err", err)
		if err := pause.Sleep(ctx); err != nil {
			return nil, err
		}
	}
}

// acceptCalmly calls next. While an episode lasts, it interrupts that at the time when the
// episode may be over, to log its end.
func (a *acceptor) acceptCalmly(ctx context.Context) (Conn, error) {
	for {
		left := min(a.full.left(ctx), a.short.left(ctx))
		if left == curio.NoTimeout {
			return a.next(ctx)
		}
		bound, cancel := curio.WithTimeout(ctx, left)
		conn, err := a.next(bound)
		up := bound.Err() != nil && ctx.Err() == nil
		cancel()
		a.full.end(ctx, a.name, "curio: there is room for connections again")
		a.short.end(ctx, a.name, "curio: connections are accepted again")
		if err == nil || !up {
			return conn, err
		}
	}
}

// An episode is a period in which something happens over and over. It begins when that
// first happens, and ends when it has not happened for the duration calm. So a server that
// is just at its limit, or under attack, does not log a line for each connection. Nothing
// is logged under the mutex.
type episode struct {
	mu          sync.Mutex
	on          bool
	began, last time.Time
}

// calm is how long nothing must have happened for an episode to be over.
const calm = 10 * time.Second

// seen notes that it is happening, and logs message if an episode begins with that.
func (e *episode) seen(ctx context.Context, server, message string, args ...any) {
	now := curio.Clock(ctx)
	e.mu.Lock()
	news := !e.on
	if news {
		e.on, e.began = true, now
	}
	e.last = now
	e.mu.Unlock()
	if news {
		report(ctx, slog.LevelWarn, message, append([]any{"server", server}, args...)...)
	}
}

// still notes that it has been happening up to now.
func (e *episode) still(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last = curio.Clock(ctx)
}

// left returns how long the episode goes on if nothing happens, or NoTimeout outside of
// one.
func (e *episode) left(ctx context.Context) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.on {
		return curio.NoTimeout
	}
	return e.last.Add(calm).Sub(curio.Clock(ctx))
}

// end ends the episode and logs that, if it is over.
func (e *episode) end(ctx context.Context, server, message string) {
	e.mu.Lock()
	over := e.on && !curio.Clock(ctx).Before(e.last.Add(calm))
	e.on = e.on && !over
	lasted := e.last.Sub(e.began)
	e.mu.Unlock()
	if over {
		report(ctx, slog.LevelInfo, message, "server", server, "after", lasted)
	}
}

// reportFor is how long a log handler may hold up a server.
const reportFor = time.Second

// report logs on behalf of a server's task. A log handler is foreign code: it may panic,
// call runtime.Goexit or hang, and none of that may end a server. So it is called in a
// goroutine of its own, and report waits for that, but not for long.
func report(ctx context.Context, level slog.Level, message string, args ...any) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		say(ctx, level, message, args...)
	}()
	bound, cancel := curio.WithTimeout(ctx, reportFor)
	defer cancel()
	_, _ = curio.Receive(bound, done)
}

// reportLast is report for a task that is ending: it waits even if ctx is done.
func reportLast(ctx context.Context, level slog.Level, message string, args ...any) {
	_ = curio.DisableCancellation(ctx, func(ctx context.Context) error {
		report(ctx, level, message, args...)
		return nil
	})
}

// say logs, and survives a panic of the log handler. As that may also hang or call
// runtime.Goexit, say is called only in a goroutine that nothing depends on.
func say(ctx context.Context, level slog.Level, message string, args ...any) {
	defer func() { _ = recover() }()
	curio.LoggerOf(ctx).Log(ctx, level, message, args...)
}

// Package channel accepts connections as servers do.
func init() {
	poll.AcceptorOf = func(listener any) func(ctx context.Context) (any, error) {
		l := listener.(*Listener)
		accepting := &acceptor{name: nameOf(l.LocalAddr()), next: l.Accept}
		return func(ctx context.Context) (any, error) { return accepting.accept(ctx) }
	}
}
