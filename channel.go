package curio

import (
	"context"
	"io"

	"github.com/curio-go/curio/internal/wait"
)

// Receive receives a value from a Go channel. If ctx ends first, the error is that of
// ctx, and no value was received: one that comes in that very moment is returned. If the
// channel is closed and empty, it is io.EOF. A nil channel blocks until ctx ends.
//
// A task that waits is in the state CHANNEL_RECEIVE.
func Receive[T any](ctx context.Context, ch <-chan T) (T, error) {
	v, open, err := wait.Receive(ctx, ch)
	if err == nil && !open {
		err = io.EOF
	}
	return v, err
}

// SendTo sends v on a Go channel. If ctx ends first, the error is that of ctx, and v was
// not sent. It panics if the channel is closed, as any send does. A nil channel blocks
// until ctx ends.
//
// A task that waits is in the state CHANNEL_SEND.
func SendTo[T any](ctx context.Context, ch chan<- T, v T) error { return wait.Send(ctx, ch, v) }
