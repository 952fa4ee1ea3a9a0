package poll

import (
	"context"
	"fmt"
	"math"
	"os"
	"syscall"

	"github.com/curio-go/curio/internal/wait"
)

// A foreign descriptor stays its owner's: we know nothing of its mode and who else
// uses it, and neither change the one nor disturb the other. Its owner must not
// close it while somebody waits for it: the system would not tell us.

// foreign is a foreign descriptor, for monitoring.
type foreign int

func (fd foreign) String() string { return fmt.Sprintf("fd %d", int(fd)) }

// WaitFD waits until a read, or a write, of a foreign descriptor would not wait.
// A regular file is always ready, as poll(2) has it.
func WaitFD(ctx context.Context, fd int, write bool) error {
	place, err := wait.At(ctx)
	if err != nil {
		return err
	}
	switch ready, errno := foreignReady(fd, write); {
	case errno != 0:
		return fmt.Errorf("%v: %w", foreign(fd), os.NewSyscallError("poll", errno))
	case ready:
		return nil
	}
	return waitForeign(ctx, place, fd, write)
}

// IsFD reports whether fd can be a descriptor. To the system, descriptors are C ints: of a
// number that does not fit, it sees only the lower half, which is another descriptor.
func IsFD(fd int) bool { return fd >= 0 && FitsInt(fd) }

// FitsInt reports whether n fits into a C int, as the numbers of options and the like have
// to.
func FitsInt(n int) bool { return int64(n) >= math.MinInt32 && int64(n) <= math.MaxInt32 }

// foreignReady is ready. poll(2) ignores a negative number: it would be a
// descriptor that is never ready.
func foreignReady(fd int, write bool) (bool, syscall.Errno) {
	if !IsFD(fd) {
		return false, syscall.EBADF
	}
	return ready(fd, write)
}
