package curio

import (
	"reflect"

	"github.com/curio-go/curio/internal/wait"
)

// This file makes sends and receives on Go channels cases of a Select. With one of them, the
// task sleeps in a select statement; with more, in reflect.Select.

// ReceiveCase returns the case of a [Select] that receives a value from ch, and stores it in *to
// when it takes effect, unless to is nil. If the channel is closed and empty, the case is ready,
// with ErrChannelClosed. With a nil channel, the case is never ready.
func ReceiveCase[T any](ch <-chan T, to *T) Case { return Case{&receiveCase[T]{ch, to}} }

// SendCase returns the case of a [Select] that sends v on ch. Select panics if it chooses the case
// and the channel is closed, as any send does. With a nil channel, the case is never ready.
func SendCase[T any](ch chan<- T, v T) Case { return Case{&sendCase[T]{ch, v}} }

// A channelCase is a case on a Go channel.
type channelCase interface {
	selectable

	// await waits until a value has passed, or something comes from again.
	await(again <-chan struct{}) (passed bool, err error)

	// open reports whether the channel is not nil.
	open() bool

	// reflected is the case for reflect.Select, and received is for what that has received.
	reflected() reflect.SelectCase
	received(v reflect.Value, open bool) error
}

// channelsIn counts the cases on Go channels, except nil ones, and returns the index of the last.
func channelsIn(cases []Case) (n, last int) {
	for i, c := range cases {
		if c, ok := c.of.(channelCase); ok && c.open() {
			n, last = n+1, i
		}
	}
	return n, last
}

// waitOutside waits for s's channels, and for what c waits for. If a value has passed, passed is
// the index of its case, and err that case's error. If not, it is -1.
func (s *selection) waitOutside(c *wait.Choice, cases []Case) (passed int, winner *wait.Waiter, ok bool, err error) {
	passed = -1
	winner, ok = c.WaitOutside(func(again <-chan struct{}) {
		if s.channels > 1 {
			passed, err = awaitAny(again, cases)
			return
		}
		var done bool
		if done, err = cases[s.channel].of.(channelCase).await(again); done {
			passed = s.channel
		}
	})
	return passed, winner, ok, err
}

// awaitAny waits for the cases on channels among cases, and for again.
func awaitAny(again <-chan struct{}, cases []Case) (passed int, err error) {
	reflected := []reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(again)}}
	indexes := []int{-1}
	for i, c := range cases {
		if c, ok := c.of.(channelCase); ok {
			reflected, indexes = append(reflected, c.reflected()), append(indexes, i)
		}
	}
	chosen, v, open := reflect.Select(reflected)
	if chosen == 0 {
		return -1, nil
	}
	passed = indexes[chosen]
	return passed, cases[passed].of.(channelCase).received(v, open)
}

type receiveCase[T any] struct {
	ch <-chan T
	to *T
}

func (c *receiveCase[T]) try(*wait.Owner, int64) (done bool, err error) {
	select {
	case v, open := <-c.ch:
		return true, c.store(v, open)
	default:
		return false, nil
	}
}

func (c *receiveCase[T]) store(v T, open bool) error {
	if !open {
		return ErrChannelClosed
	}
	if c.to != nil {
		*c.to = v
	}
	return nil
}

func (c *receiveCase[T]) open() bool { return c.ch != nil }

func (c *receiveCase[T]) await(again <-chan struct{}) (passed bool, err error) {
	select {
	case v, open := <-c.ch:
		return true, c.store(v, open)
	case <-again:
		return false, nil
	}
}

func (c *receiveCase[T]) reflected() reflect.SelectCase {
	return reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c.ch)}
}

func (c *receiveCase[T]) received(v reflect.Value, open bool) error {
	if !open {
		return ErrChannelClosed
	}
	if c.to != nil {
		reflect.ValueOf(c.to).Elem().Set(v)
	}
	return nil
}

func (c *receiveCase[T]) list(w *wait.Waiter, _ int64) (ok bool) {
	w.For("CHANNEL_RECEIVE", c.ch)
	return true
}

func (c *receiveCase[T]) leave(*wait.Waiter) {}

func (c *receiveCase[T]) take(*wait.Waiter) (done bool, err error) {
	return false, nil // nobody claims it
}

type sendCase[T any] struct {
	ch chan<- T
	v  T
}

func (c *sendCase[T]) try(*wait.Owner, int64) (done bool, err error) {
	select {
	case c.ch <- c.v:
		return true, nil
	default:
		return false, nil
	}
}

func (c *sendCase[T]) open() bool { return c.ch != nil }

func (c *sendCase[T]) await(again <-chan struct{}) (passed bool, err error) {
	select {
	case c.ch <- c.v:
		return true, nil
	case <-again:
		return false, nil
	}
}

func (c *sendCase[T]) reflected() reflect.SelectCase {
	return reflect.SelectCase{Dir: reflect.SelectSend, Chan: reflect.ValueOf(c.ch), Send: reflect.ValueOf(&c.v).Elem()}
}

func (c *sendCase[T]) received(reflect.Value, bool) error { return nil }

func (c *sendCase[T]) list(w *wait.Waiter, _ int64) (ok bool) {
	w.For("CHANNEL_SEND", c.ch)
	return true
}

func (c *sendCase[T]) leave(*wait.Waiter) {}

func (c *sendCase[T]) take(*wait.Waiter) (done bool, err error) {
	return false, nil // nobody claims it
}
