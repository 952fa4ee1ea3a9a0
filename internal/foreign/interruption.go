package foreign

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// An interruption gets an operation out of a net.Conn about which nothing is known. The
// net.Conn's methods may hang, wait for a lock that its own Read holds, panic or call
// runtime.Goexit. So neither the canceller calls them nor the operation, which has been
// cancelled and could not be cancelled a second time. Each call is made in a goroutine of
// its own, and the operation waits for it on its waiter, up to a bound:
//
//	setting ──► set        SetDeadline has returned
//	        ──► closing    it was refused, or it panicked
//	set ──► clearing       the operation has returned from the net.Conn
//	clearing ──► over      the deadline has been taken back
//	         ──► closing   it could not be
//	setting, set, clearing ──► closing   after patience
//	closing ──► over       Close has returned, or after patience once more
//
// The step to over wakes the waiter. If the net.Conn returns later than that, it does not
// matter: it was closed, and no operation calls it any more.
type interruption struct {
	d *direction
	w *wait.Waiter

	// Guarded by d.mu.
	phase phase
	bell  wait.Bell
	until int64 // when patience is over
}

type phase uint8

const (
	setting phase = iota
	set
	clearing
	closing
	over
)

// patience is how long a net.Conn may take to heed a deadline, and then to close.
var patience = 5 * time.Second

// interrupt is Interrupt for a net.Conn about which nothing is known.
func (d *direction) interrupt(w *wait.Waiter) {
	d.mu.Lock()
	if !d.inside { // the operation has returned by itself
		d.mu.Unlock()
		w.Wake()
		return
	}
	i := &interruption{d: d, w: w}
	d.interruption = i
	i.bell.Ring = i.ring
	i.wait()
	d.mu.Unlock()
	apart(d.unknown.conn, d.setter, func() error { interrupting(); return d.setDeadline(wait.Past) }, i.hasSet)
}

// enter notes that an operation is about to call the net.Conn.
func (d *direction) enter() {
	d.mu.Lock()
	d.inside = true
	d.mu.Unlock()
}

// leave notes that the operation has returned from the net.Conn.
func (d *direction) leave() {
	d.mu.Lock()
	i := d.interruption
	d.inside, d.interruption = false, nil
	if i != nil && i.phase == set {
		i.clear()
	}
	d.mu.Unlock()
}

// step calls f with the mutex held, and wakes the operation if that has ended the
// interruption.
func (i *interruption) step(f func()) {
	i.d.mu.Lock()
	before := i.phase
	f()
	after := i.phase
	i.d.mu.Unlock()
	if before != over && after == over {
		i.w.Wake()
	}
}

func (i *interruption) hasSet(err error) {
	i.step(func() {
		switch {
		case i.phase != setting:
		case i.d.refused(err):
			i.close(err)
		default:
			i.phase = set
			if !i.d.inside {
				i.clear()
			}
		}
	})
}

func (i *interruption) hasCleared(err error) {
	i.step(func() {
		switch {
		case i.phase != clearing:
		case i.d.refused(err): // the deadline would end the next operation
			i.close(err)
		default:
			i.finish()
		}
	})
}

// ring is called when patience is over.
func (i *interruption) ring() {
	i.step(func() {
		switch {
		case i.phase == over || wait.Now() < i.until: // a ring that was on its way already
		case i.phase == closing:
			i.finish()
		default:
			i.close(nil)
		}
	})
}

// The following are called with the mutex held.

func (i *interruption) clear() {
	i.phase = clearing
	i.wait()
	d := i.d
	apart(d.unknown.conn, d.setter, func() error { return d.setDeadline(time.Time{}) }, i.hasCleared)
}

func (i *interruption) close(reason error) {
	i.phase = closing
	i.wait()
	if !i.d.unknown.breakOff(reason, func() { i.step(i.finish) }) {
		i.finish()
	}
}

func (i *interruption) finish() {
	i.phase = over
	i.bell.Stop()
}

func (i *interruption) wait() {
	i.until = wait.After(patience)
	i.bell.Set(i.until)
}

// refused reports whether err says that deadlines cannot be set. A net.Conn that was
// closed, by either side, needs no deadline, as no call stays in it.
func (d *direction) refused(err error) bool {
	switch {
	case err == nil:
		return false
	case isFault(err):
		return true
	}
	return !d.unknown.isClosed() && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.ErrClosedPipe)
}
