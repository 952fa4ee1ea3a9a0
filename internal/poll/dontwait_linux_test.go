package poll_test

import (
	"context"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
)

// Somebody who shares the descriptor has made it blocking: a read does not make the
// process wait where the scheduler does not know of it.
func TestBlockingBehindOurBack(t *testing.T) {
	if testutil.Race {
		t.Skip("with the race detector it is read(2)")
	}
	a, _ := pair(t)
	check(t, a.Control(func(fd int) error { return syscall.SetNonblock(fd, false) }))
	o, join := in(t, func(ctx context.Context) error { _, err := a.Read(ctx, make([]byte, 1)); return err })
	await(t, parked(o))
	cancel(o)
	want(t, join(), wait.ErrTaskCancelled)
}
