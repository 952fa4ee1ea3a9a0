package curio_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// A descriptor among the cases: here and, because that takes another way, in a bubble.
func eachDescriptorWay(t *testing.T, body func(ctx context.Context, f *fixture.Fixture)) {
	t.Run("poller", func(t *testing.T) { fixture.WithKernel(t, body) })
	t.Run("bubble", func(t *testing.T) { fixture.InKernel(t, body) })
}

func TestSelectDescriptors(t *testing.T) {
	eachDescriptorWay(t, func(ctx context.Context, f *fixture.Fixture) {
		r, w := testutil.Pipe(f)
		q := new(curio.Queue[int])
		fixture.Is(f, "room", fixture.Selected(ctx, 1, q.GetCase(nil), curio.WaitWriteCase(w)), nil)
		i, err := curio.TrySelect(ctx, curio.WaitReadCase(r))
		if i != -1 || err != curio.ErrNotReady {
			f.Errorf("an empty pipe: %d, %v", i, err)
		}
		waits := curio.Go(ctx, func(ctx context.Context) error {
			return fixture.Selected(ctx, 1, q.GetCase(nil), curio.WaitReadCase(r))
		})
		fixture.WaitUntil(func() bool { return waits.State() == "SELECT" || waits.Terminated() })
		_, err = syscall.Write(w, []byte("x"))
		fixture.Succeed(err)
		_, err = waits.Join(ctx)
		fixture.Is(f, "written", err, nil)
		fixture.Is(f, "still there", fixture.Selected(ctx, 0, curio.WaitReadCase(r)), nil)

		for _, bad := range []int{-1, 1 << 20, math.MaxInt32} {
			fixture.Is(f, "not open", fixture.Selected(ctx, 0, curio.WaitReadCase(bad)), syscall.EBADF)
		}
		file, err := os.Open("select_fd_test.go")
		fixture.Succeed(err)
		defer file.Close()
		fixture.Is(f, "file", fixture.Selected(ctx, 0, curio.WaitReadCase(int(file.Fd()))), nil)
	})
}

// Written to, read by somebody else, put into a queue and cancelled at the same moment: exactly
// what Select says has happened, and no descriptor is left.
func TestRaceSelectDescriptor(t *testing.T) {
	rounds := testutil.Times(2000)
	eachDescriptorWay(t, func(ctx context.Context, f *fixture.Fixture) {
		r, w := testutil.Pipe(f)
		fixture.Succeed(syscall.SetNonblock(r, true))
		drain := func() (n int) {
			n, _ = syscall.Read(r, make([]byte, 10))
			return max(n, 0)
		}
		never, _ := testutil.Pipe(f) // watched all the time, so that the pollers stay
		over := new(curio.Event)
		watcher := curio.Go(ctx, func(ctx context.Context) error {
			return fixture.Selected(ctx, 0, over.WaitCase(), curio.WaitReadCase(never))
		})
		fixture.WaitUntil(func() bool { return watcher.State() == "SELECT" })
		before := openDescriptors(f)
		for range rounds {
			q := new(curio.Queue[int])
			task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
				return curio.Select(ctx, q.GetCase(nil), curio.WaitReadCase(r))
			})
			stolen := 0
			fixture.AtOnce(
				func() {
					fixture.Spin()
					_, err := syscall.Write(w, []byte("x"))
					fixture.Succeed(err)
				},
				func() { fixture.Spin(); stolen = drain() },
				func() { fixture.Spin(); fixture.Succeed(q.Put(ctx, 1)) },
				func() {
					if fixture.Spin(); rand.IntN(3) == 0 {
						task.CancelNow()
					}
				},
			)
			i, err := task.Join(ctx)
			taken := q.Len() == 0
			if taken != (err == nil && i == 0) || err != nil && !errors.Is(err, curio.ErrTaskCancelled) {
				f.Fatalf("case %d, %v: the item was taken: %v", i, err, taken)
			}
			if n := stolen + drain(); n != 1 {
				f.Fatalf("%d bytes were in the pipe", n)
			}
		}
		if after := openDescriptors(f); after > before {
			f.Errorf("%d descriptors are open, %d before", after, before)
		}
		over.Set()
		_, err := watcher.Join(ctx)
		fixture.Is(f, "watcher", err, nil)
	})
}

func openDescriptors(t testing.TB) (n int) {
	t.Helper()
	for fd := range 1 << 12 {
		if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0); errno == 0 {
			n++
		}
	}
	return n
}
