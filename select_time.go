package curio

import (
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// AfterCase returns a case of a [Select] that is ready when the Select has waited for d. It is ready
// at once if d is 0 or less. To limit the time of the Select itself, use [TimeoutAfter] instead.
func AfterCase(d time.Duration) Case { return Case{afterCase(d)} }

// AtCase returns a case of a [Select] that is ready when the clock has reached t.
func AtCase(t time.Time) Case { return Case{atCase(wait.Until(t))} }

// An afterCase counts from the beginning of the Select, an atCase is a reading of wait.Now.
type (
	afterCase time.Duration
	atCase    int64
)

func (c afterCase) at(began int64) atCase { return atCase(wait.Add(began, time.Duration(c))) }

func (c afterCase) try(me *wait.Owner, began int64) (done bool, err error) {
	return c.at(began).try(me, began)
}

func (c afterCase) list(w *wait.Waiter, began int64) (ok bool) { return c.at(began).list(w, began) }

func (c afterCase) leave(w *wait.Waiter) { atCase(0).leave(w) }

func (c afterCase) take(w *wait.Waiter) (done bool, err error) {
	return atCase(0).take(w)
}

func (c atCase) try(*wait.Owner, int64) (done bool, err error) {
	return wait.Now() >= int64(c), nil
}

func (c atCase) list(w *wait.Waiter, _ int64) (ok bool) {
	w.For("TIME_SLEEP", clock{})
	w.RingAt(int64(c))
	return true
}

func (c atCase) leave(w *wait.Waiter) { w.Silence(false) }

func (c atCase) take(w *wait.Waiter) (done bool, err error) {
	w.Silence(true)
	return true, nil
}

// clock is what a task is shown to wait for.
type clock struct{}

func (clock) String() string { return "the clock" }
