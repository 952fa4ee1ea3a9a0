package curio

import (
	"context"
	"errors"

	"github.com/curio-go/curio/internal/wait"
)

// ErrChannelClosed is the error of a Receive from a Go channel that is closed and empty.
var ErrChannelClosed = errors.New("curio: channel is closed")

// Receive receives a value from a Go channel. If ctx ends first, the error is that of
// ctx, and no value was received: one that comes in that very moment is returned. If the
// channel is closed and empty, it is ErrChannelClosed. A nil channel blocks until ctx ends.
//
// A task that waits is in the state CHANNEL_RECEIVE.
func Receive[T any](ctx context.Context, ch <-chan T) (T, error) {
	v, open, err := wait.Receive(ctx, ch)
	if err == nil && !open {
		err = ErrChannelClosed
	}
	return v, err
}

// Send sends v on a Go channel. If ctx ends first, the error is that of ctx, and v was
// not sent. It panics if the channel is closed, as any send does. A nil channel blocks
// until ctx ends.
//
// A task that waits is in the state CHANNEL_SEND.
func Send[T any](ctx context.Context, ch chan<- T, v T) error { return wait.Send(ctx, ch, v) }
