package wait

import (
	"context"
	"runtime"
)

// Sleep blocks until the clock has reached at, or the scope of ctx ends.
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
