package curio

import (
	"context"

	"github.com/curio-go/curio/internal/poll"
)

// WaitRead waits until a read(2) from the descriptor fd would not block: there is something to read,
// or the end, or an error. It is for descriptors that belong to other code, such as a C library. It
// reads nothing from fd and does not change its settings. A regular file is always ready. If ctx is
// done first, the error is ctx's error. If fd is not open, the error wraps syscall.EBADF. fd must
// not be closed during the call.
func WaitRead(ctx context.Context, fd int) error { return poll.WaitFD(ctx, fd, false) }

// WaitWrite waits until a write(2) to the descriptor fd would not block. Everything else is as with
// WaitRead.
func WaitWrite(ctx context.Context, fd int) error { return poll.WaitFD(ctx, fd, true) }
