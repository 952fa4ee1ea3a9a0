package conformance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/curio-go/curio"
)

// A client makes one call after the other.
type client struct {
	*history
	number int
	plain  bool // it is a goroutine of no task
	calls  int  // that it still has to make
	rnd    *rand.Rand

	// Who the client is at present. A client whose task was cancelled goes on as
	// another task.
	who  int64
	owes []call // what it has to give back before it goes

	log []porcupine.Operation

	// How others disturb it.
	cancel atomic.Pointer[context.CancelFunc]   // ends the call that it is in
	task   atomic.Pointer[curio.Task[struct{}]] // that it is
}

// live makes calls until there are no more to make.
func (c *client) live() {
	for c.calls > 0 {
		c.who = c.owners.Add(1)
		switch {
		case c.plain && c.tasksOnly:
			c.who = 0 // that of whoever shares its context
			ctx, cancel := context.WithCancel(c.shared)
			c.session(ctx)
			cancel()
		case c.plain:
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			c.session(ctx)
			cancel()
		default:
			t := curio.Go(context.Background(), func(ctx context.Context) error {
				c.session(ctx)
				return nil
			})
			c.task.Store(t)
			if err := t.Wait(context.Background()); err != nil {
				panic(err)
			}
		}
	}
}

// session makes calls in one name, until that is cancelled, and pays its debts.
func (c *client) session(ctx context.Context) {
	for ; ctx.Err() == nil && c.calls > 0; c.calls-- {
		c.pause(ctx)
		next := c.choose(c)
		if len(c.owes) > 0 && c.rnd.IntN(len(c.owes)+2) > 0 {
			next = c.pay()
		}
		if c.rnd.IntN(6) == 0 {
			// Cancelled and served at the same moment: the race of all races.
			c.clients[c.rnd.IntN(len(c.clients))].strike()
		}
		c.attempt(ctx, next)
	}
	for len(c.owes) > 0 {
		c.pause(ctx)
		c.record(ctx, c.pay())
	}
}

// pay removes one of the client's debts and returns it.
func (c *client) pay() call {
	i := c.rnd.IntN(len(c.owes))
	debt := c.owes[i]
	c.owes = slices.Delete(c.owes, i, i+1)
	return debt
}

// strike ends the call that the client is in, if that can be.
func (c *client) strike() {
	if cancel := c.cancel.Load(); cancel != nil {
		(*cancel)()
	}
}

// pause passes the time in one of several ways, or not at all.
func (c *client) pause(ctx context.Context) {
	switch c.rnd.IntN(8) {
	case 0, 1, 2:
		runtime.Gosched()
	case 3, 4:
		for range c.rnd.IntN(20) {
			runtime.Gosched()
		}
	case 5, 6:
		// A cancelled client does not sleep; it will notice by itself.
		_ = curio.Sleep(ctx, time.Duration(c.rnd.IntN(50))*time.Microsecond)
	}
}

// attempt makes a call, with a context that ends in one of several ways, or not at all.
func (c *client) attempt(ctx context.Context, next call) {
	if !next.verb.blocks() {
		c.record(ctx, next)
		return
	}
	soon := time.Duration(c.rnd.IntN(200)) * time.Microsecond
	how := c.rnd.IntN(10)
	if how >= 6 && (next.hasty || !c.patient) {
		how -= 4
	}
	switch how {
	case 0:
		c.tooLate(ctx, next)
	case 1, 2:
		c.within(ctx, soon, next)
	case 3:
		ctx, cancel := context.WithTimeout(ctx, soon)
		c.record(ctx, next)
		cancel()
	case 4:
		ctx, cancel := context.WithCancel(ctx)
		c.exposed(ctx, cancel, next)
	case 5:
		ctx, cancel := curio.WithTimeout(ctx, curio.NoTimeout)
		c.exposed(ctx, cancel, next)
	default:
		c.record(ctx, next)
	}
}

// tooLate makes a call with a context that has ended.
func (c *client) tooLate(ctx context.Context, next call) {
	if c.rnd.IntN(2) == 0 {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		c.record(ctx, next)
		return
	}
	// A deadline counts although no timer has gone off. Nobody may ask this context for
	// its error before the call, as it would notice by that.
	ctx, cancel := curio.WithTimeout(ctx, time.Microsecond)
	defer cancel()
	deadline, _ := ctx.Deadline()
	for curio.Clock(ctx).Before(deadline) {
		runtime.Gosched()
	}
	next.dead = true
	c.record(ctx, next)
}

// within makes a call under a timeout.
func (c *client) within(ctx context.Context, d time.Duration, next call) {
	var a answer
	err := curio.TimeoutAfter(ctx, d, func(ctx context.Context) error {
		a = c.record(ctx, next)
		return a.err
	})
	if ended(err).end != ended(a.err).end {
		c.log[len(c.log)-1].Output = answer{end: wrong, err: fmt.Errorf("%s, and the timeout around it has ended with %w", a, err)}
	}
}

// exposed makes a call that others may cancel.
func (c *client) exposed(ctx context.Context, cancel context.CancelFunc, next call) {
	c.cancel.Store(&cancel)
	c.record(ctx, next)
	c.cancel.Store(nil)
	cancel()
}

// record makes a call and writes it down.
//
// The clock is one counter for all clients. So of two calls one of which has returned
// before the other began, the first has the lower numbers, and no two are equal, which
// readings of a real clock may be.
func (c *client) record(ctx context.Context, next call) answer {
	next.who = c.who
	next.dead = next.dead || next.verb.blocks() && ctx.Err() != nil
	began := c.clock.Add(1)
	a := c.perform(ctx, next)
	over := c.clock.Add(1)
	if a.end == cancelled && ctx.Err() == nil {
		a = answer{end: wrong, err: fmt.Errorf("%w, and its context has not ended", a.err)}
	}
	c.log = append(c.log, porcupine.Operation{ClientId: c.number, Input: next, Call: began, Output: a, Return: over})
	c.owes = append(c.owes, c.undo(next, a)...)
	return a
}

// perform makes a call. A panic is an answer too.
func (c *client) perform(ctx context.Context, next call) (a answer) {
	defer func() {
		if v := recover(); v != nil {
			a = answer{end: panicked, err: fmt.Errorf("panic: %v", v)}
		}
	}()
	return c.do(ctx, next)
}
