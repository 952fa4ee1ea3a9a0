package network

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// Relay copies between a and b in both directions at once, as a proxy does, and returns how many
// bytes it sent each way. When one side ends its stream, Relay calls CloseWrite on the other, which
// can still answer. When both have ended, Relay returns without an error. It closes neither
// connection.
//
// If one direction fails, Relay also ends the other. The error is then a [*CopyError], or the error
// of CloseWrite. If ctx is done first, it is ctx's error. If nothing has moved in either direction
// for idle, or up to twice as long, it is ErrIdle. One direction may be idle while the other is
// busy. Data that a peer accepts slowly counts as it is accepted; with a connection of crypto/tls,
// up to 64 KiB count only when all of it has been sent. If idle is 0 or negative, there is no idle
// limit.
//
// After an error, set socket.Linger to 0 on the sockets before Close. Otherwise the peers take the
// interruption for the end of the stream.
//
//	_, _, err := network.Relay(ctx, client, server, 5*time.Minute)
//
// Relay is for streams, and uses [Copy]. The two directions are tasks of a group, called "there"
// and "back". The state of the task that calls Relay is TASK_WAIT.
func Relay(ctx context.Context, a, b Conn, idle time.Duration) (there, back int64, err error) {
	r := &relay{a: a, b: b, idle: idle}
	r.moved.Store(wait.Now())
	err = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		way := func(name string, dst, src Conn, n *int64) *curio.Task[struct{}] {
			return g.Go(func(ctx context.Context) error { return r.forward(ctx, dst, src, n) },
				curio.Name(name), curio.ReportCrash(false))
		}
		one, other := way("there", b, a, &there), way("back", a, b, &back)
		return r.watch(ctx, func(ctx context.Context) error {
			if err := one.Wait(ctx); err != nil {
				return err
			}
			return other.Wait(ctx)
		})
	})
	return there, back, r.outcome(err)
}

// A relay is a Relay in progress.
type relay struct {
	a, b  Conn
	idle  time.Duration
	moved atomic.Int64 // when something was last known to have moved, as a reading of wait.Now

	mu    sync.Mutex
	first error // what has ended it; the errors that follow from that are not told
}

// fail notes err, and returns it.
func (r *relay) fail(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.first == nil {
		r.first = err
	}
	return err
}

// forward copies in one direction, and then passes the end on.
func (r *relay) forward(ctx context.Context, dst, src Conn, n *int64) (err error) {
	if *n, err = copyTelling(ctx, dst, src, &r.moved, r.idle/4); err == nil {
		err = dst.CloseWrite(ctx)
	}
	if err != nil {
		return r.fail(err)
	}
	return nil
}

// watch waits for the end, but no longer than nothing moves. What moves is known a quarter of idle
// later at most.
func (r *relay) watch(ctx context.Context, end func(ctx context.Context) error) error {
	if r.idle <= 0 {
		return end(ctx)
	}
	for {
		at := wait.Add(wait.Add(r.moved.Load(), r.idle), r.idle/4)
		left := time.Duration(at - wait.Now())
		if left <= 0 {
			return r.fail(opError("relay", r.a, idleError(r.idle)))
		}
		if expired, err := curio.IgnoreAfter(ctx, left, end); err != nil || !expired {
			return err
		}
	}
}

// outcome is the error of the relay. err is the error of its group, which is about tasks.
func (r *relay) outcome(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil || r.first == nil || errors.Is(r.first, curio.ErrCancelled) {
		return err // what was cancelled was so by ctx, or by the end of the other direction
	}
	return r.first
}
