package curio

import (
	"context"
	"errors"

	"github.com/curio-go/curio/internal/wait"
)

// ErrChannelClosed is the error of a Receive from a Go channel that is closed and empty.
var ErrChannelClosed = errors.New("curio: channel is closed")

// Receive receives a value from a Go channel. If ctx is done first, the error is ctx's error, and no
// value has been received; a value that comes at that very moment is returned. If the channel is
// closed and empty, the error is ErrChannelClosed. A nil channel blocks until ctx is done.
//
// A task that waits is in the state CHANNEL_RECEIVE.
//
// A task that waits is in the state CHANNEL_RECEIVE.
func Receive[T any](ctx context.Context, ch <-chan T) (T, error) {
	v, open, err := wait.Receive(ctx, ch)
	if err == nil && !open {
		err = ErrChannelClosed
	}
	return v, err
}

// Send sends v on a Go channel. If ctx is done first, the error is ctx's error, and v has not been
// sent. Send panics if the channel is closed, as any send does. A nil channel blocks until ctx is
// done.
//
// A task that waits is in the state CHANNEL_SEND.
func Send[T any](ctx context.Context, ch chan<- T, v T) error { return wait.Send(ctx, ch, v) }
