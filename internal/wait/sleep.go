package wait

import (
	"context"
	"runtime"
)

// Sleep blocks until the clock has reached at, or the scope of ctx is done.
func Sleep(ctx context.Context, at int64) error {
	p, err := At(ctx)
	if err != nil {
		return err
	}
	if Now() >= at {
		runtime.Gosched() // a loop that sleeps for no time lets others run
		return nil
	}
	return p.sleep(at)
}

func (p Place) sleep(at int64) error {
	if p.Untrusted() {
		return p.Follow(func(p Place) error { return p.sleep(at) })
	}
	w := p.Waiter("TIME_SLEEP", nil)
	o := p.Owner()
	a := o.takeAlarm()
	w.until, w.special = at, true
	a.set(at, nil, w)
	ok := w.Wait()
	// One that has rung is done with us: it claimed the waiter.
	if ok || a.clear() {
		o.keepAlarm(a)
	}
	w.Free()
	if !ok {
		return p.Failure()
	}
	return nil
}

// takeAlarm returns o's spare alarm, or a new one. o may be nil.
func (o *Owner) takeAlarm() *alarm {
	if o != nil {
		if a := o.spare.Swap(nil); a != nil {
			return a
		}
	}
	return new(alarm)
}

// keepAlarm keeps a, which is not in use, as o's spare alarm. The timer of an alarm that was set
// in a testing/synctest bubble may not be used elsewhere. o may be nil.
func (o *Owner) keepAlarm(a *alarm) {
	if o != nil && !a.bubble {
		o.spare.Store(a)
	}
}

// RingAt makes the clock claim and wake w, a node of a choice, when it has reached at. Silence
// must be called when the wait is over.
func (w *Waiter) RingAt(at int64) {
	w.Harmless()
	if chief := w.choice.chief; chief.until == 0 || at < chief.until {
		chief.until, chief.special = at, true
	}
	a := w.Owner().takeAlarm()
	w.Slot = a
	a.set(at, nil, w)
}

// Silence undoes RingAt. rung says that w is the winner.
func (w *Waiter) Silence(rung bool) {
	a := w.Slot.(*alarm)
	w.Slot = nil
	if rung || a.clear() {
		w.Owner().keepAlarm(a)
	}
}
