package wait

import (
	"context"
	"fmt"
)

// Receive receives from a Go channel, as an operation that a scope can end. open is
// false if the channel has been closed and is empty.
func Receive[T any](ctx context.Context, ch <-chan T) (v T, open bool, err error) {
	return ReceiveAs(ctx, "CHANNEL_RECEIVE", ch, ch)
}

// ReceiveAs is Receive for what is no channel of the user's: op is the state in which a
// task is shown that waits, and object what it waits for.
func ReceiveAs[T any](ctx context.Context, op string, object any, ch <-chan T) (v T, open bool, err error) {
	p, err := At(ctx)
	if err != nil {
		return v, false, err
	}
	select {
	case v, open = <-ch:
		return v, open, nil
	default:
	}
	done, err := inChannel(p, op, object, func(ended <-chan struct{}) bool {
		select {
		case v, open = <-ch:
			return true
		case <-ended:
			return false
		}
	})
	if done {
		return v, open, nil
	}
	return v, false, err
}

// Send sends on a Go channel, as an operation that a scope can end. Like any send, it
// panics if the channel is closed.
func Send[T any](ctx context.Context, ch chan<- T, v T) error {
	p, err := At(ctx)
	if err != nil {
		return err
	}
	select {
	case ch <- v:
		return nil
	default:
	}
	done, err := inChannel(p, "CHANNEL_SEND", ch, func(ended <-chan struct{}) bool {
		select {
		case ch <- v:
			return true
		case <-ended:
			return false
		}
	})
	if done {
		return nil
	}
	return err
}

// inChannel waits in pass, which is given a channel that is closed when the scope ends, and
// reports whether something has passed. If it has, it is not lost, even if the scope ended at the
// same time. op and object are what a waiting task is shown to do.
func inChannel(p Place, op string, object any, pass func(ended <-chan struct{}) bool) (done bool, err error) {
	if p.Untrusted() {
		return FollowFor(p, func(p Place) (bool, error) { return inChannel(p, op, object, pass) })
	}
	i := &interruption{object, make(chan struct{})}
	w := p.Waiter(op, i)
	if !w.Begin() {
		w.Free()
		return false, p.Failure()
	}
	switch done, ok := i.during(w, pass); {
	case ok:
		return done, nil
	case done:
		p.Survived()
		return true, nil
	}
	return false, p.Failure()
}

// during calls pass and returns its result. ok is false if the scope ended the wait.
func (i *interruption) during(w *Waiter, pass func(ended <-chan struct{}) bool) (done, ok bool) {
	defer func() { // even if a send panics
		ok = w.End()
		w.Free()
	}()
	return pass(i.ended), true
}

// An interruption ends a wait in a select statement.
type interruption struct {
	object any // what is waited for, such as the user's channel
	ended  chan struct{}
}

// String is for monitoring.
func (i *interruption) String() string { return fmt.Sprint(i.object) }

// Interrupt implements Interrupter.
func (i *interruption) Interrupt(w *Waiter) {
	close(i.ended)
	w.Wake()
}
