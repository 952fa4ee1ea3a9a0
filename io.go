package curio

import (
	"context"

	"github.com/curio-go/curio/internal/poll"
)

// WaitRead waits until a read(2) from the descriptor fd would not block: there is
// something to read, or the end, or an error. It is for descriptors that belong to
// other code, as a C library's; it takes nothing off fd and changes nothing about
// it. A regular file is always ready. If ctx ends first, the error is that of ctx;
// if fd is not open, it wraps syscall.EBADF. fd must not be closed meanwhile.
func WaitRead(ctx context.Context, fd int) error { return poll.WaitFD(ctx, fd, false) }

// WaitWrite waits until a write(2) to the descriptor fd would not block. See
// WaitRead.
func WaitWrite(ctx context.Context, fd int) error { return poll.WaitFD(ctx, fd, true) }
