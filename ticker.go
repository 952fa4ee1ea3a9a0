package curio

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// MissedTicks determines what a Ticker does about ticks that were not taken in time.
type MissedTicks uint8

// The ways in which a Ticker handles missed ticks. With each of them, a tick that is due is taken at
// once.
const (
	// SkipTicks drops all missed ticks but the latest, and keeps the phase: ticks are always a
	// multiple of the interval from the start.
	SkipTicks MissedTicks = iota

	// DelayTicks starts again from a tick that is taken late: the next one is due an interval after
	// that moment. Ticks that are waited for do not drift.
	DelayTicks

	// BurstTicks drops nothing: the missed ticks follow one another without waiting until the
	// caller has caught up.
	BurstTicks
)

// String returns "skip", "delay" or "burst".
func (m MissedTicks) String() string {
	switch m {
	case SkipTicks:
		return "skip"
	case DelayTicks:
		return "delay"
	case BurstTicks:
		return "burst"
	}
	return fmt.Sprintf("MissedTicks(%d)", uint8(m))
}

// A Ticker ticks at regular intervals. NewTicker makes one; the zero value cannot be used. A Ticker
// must not be copied. All methods are safe for concurrent use.
//
// A Ticker has no timer and no goroutine of its own, so there is nothing to stop. A tick that
// becomes due stays due until it is taken. A wait that is cancelled, or a Select that chooses
// another case, takes none. Each tick goes to one caller. If several tasks wait, any one of them
// gets it, and the others wait for the next one.
//
// It is time.Ticker with a context, and Tokio's Interval, except that the first tick comes after
// one interval. A task that waits for a tick is in the state TIME_SLEEP.
type Ticker struct {
	interval time.Duration
	missed   MissedTicks

	mu   sync.Mutex
	next int64 // when the next tick is due, a reading of wait.Now
}

// NewTicker returns a Ticker whose first tick is due one interval from now. missed determines
// what happens when ticks are missed; the zero value is SkipTicks. NewTicker panics if interval
// is not positive, or missed is none of the constants.
func NewTicker(interval time.Duration, missed MissedTicks) *Ticker {
	if interval <= 0 {
		panic(fmt.Sprintf("curio: NewTicker(%v): the interval must be positive", interval))
	}
	if missed > BurstTicks {
		panic(fmt.Sprintf("curio: NewTicker with %v; use SkipTicks, DelayTicks or BurstTicks", missed))
	}
	return &Ticker{interval: interval, missed: missed, next: wait.After(interval)}
}

// Next takes the next tick and returns the time at which it was due. It waits until a tick is due.
// If ctx is done first, the error is ctx's error and no tick is taken.
func (t *Ticker) Next(ctx context.Context) (time.Time, error) {
	for {
		due := t.due()
		waits := due > wait.Now()
		if err := wait.Sleep(ctx, due); err != nil {
			return time.Time{}, err
		}
		if tick, ok := t.take(waits); ok {
			return tick, nil
		}
	}
}

// All returns an iterator over the ticks, as Next returns them. When ctx is done, the loop gets
// ctx's error once, and ends.
//
//	for _, err := range curio.NewTicker(time.Minute, curio.SkipTicks).All(ctx) {
//		if err != nil {
//			return err
//		}
//		…
//	}
func (t *Ticker) All(ctx context.Context) iter.Seq2[time.Time, error] {
	return func(yield func(time.Time, error) bool) {
		for {
			tick, err := t.Next(ctx)
			if !yield(tick, err) || err != nil {
				return
			}
		}
	}
}

// due returns when the next tick is due.
func (t *Ticker) due() int64 {
	if t.interval <= 0 {
		panic("curio: a Ticker that NewTicker has not made; it has no interval")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.next
}

// take takes the tick that is due. ok is false if none is. waited says that the caller was
// waiting when the tick became due.
func (t *Ticker) take(waited bool) (tick time.Time, ok bool) {
	t.mu.Lock()
	now := wait.Now()
	due := t.next
	if now < due {
		t.mu.Unlock()
		return time.Time{}, false
	}
	if t.missed == SkipTicks {
		due += (now - due) / int64(t.interval) * int64(t.interval)
	}
	t.next = wait.Add(due, t.interval)
	if t.missed == DelayTicks && (!waited || t.next <= now) {
		t.next = wait.Add(now, t.interval)
	}
	t.mu.Unlock()
	return wait.Time(due), true
}

// NextCase returns the case of a [Select] that takes the next tick. The time at which the tick was
// due is stored in *to when the case takes effect, unless to is nil. If another case takes effect,
// no tick is taken.
func (t *Ticker) NextCase(to *time.Time) Case {
	t.due() // panics for the zero value
	return Case{&tickCase{t, to}}
}

type tickCase struct {
	t  *Ticker
	to *time.Time
}

func (c *tickCase) try(*wait.Owner, int64) (done bool, err error) { return c.taken(false), nil }

func (c *tickCase) taken(waited bool) (done bool) {
	tick, done := c.t.take(waited)
	if done && c.to != nil {
		*c.to = tick
	}
	return done
}

func (c *tickCase) list(w *wait.Waiter, _ int64) (ok bool) {
	w.For("TIME_SLEEP", c.t)
	w.RingAt(c.t.due())
	return true
}

func (c *tickCase) leave(w *wait.Waiter) { w.Silence(false) }

// take finds nothing if another task has taken the tick.
func (c *tickCase) take(w *wait.Waiter) (done bool, err error) {
	w.Silence(true)
	return c.taken(true), nil
}

// String returns the interval of t, and what it does about missed ticks.
func (t *Ticker) String() string {
	return fmt.Sprintf("Ticker(every %v, missed: %v)", t.interval, t.missed)
}
