package poll_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
)

func TestCloseWakes(t *testing.T) {
	a, _ := pair(t)
	fill(t, a)
	var joins []func() error
	start := func(f func(ctx context.Context) error, queued int, write bool) {
		o, join := in(t, f)
		await(t, parked(o))
		await(t, func() bool { return a.Queued(write) == queued })
		joins = append(joins, join)
	}
	read := func(ctx context.Context) error { _, err := a.Read(ctx, make([]byte, 1)); return err }
	write := func(ctx context.Context) error { _, err := a.WriteAll(ctx, make([]byte, 1)); return err }
	for i := range 3 {
		start(read, i, false)
		start(write, i, true)
	}
	check(t, a.Close())
	for _, join := range joins {
		want(t, join(), net.ErrClosed)
	}
	want(t, read(context.Background()), net.ErrClosed)
	want(t, a.WaitWrite(context.Background()), net.ErrClosed)
	want(t, a.Control(func(int) error { return nil }), net.ErrClosed)
	want(t, a.Close(), net.ErrClosed)
	if a.Fd() != -1 {
		t.Errorf("Fd is %d", a.Fd())
	}
}

// The number goes back to the system after the last operation has left, and Close
// returns after that.
func TestCloseWaitsForOperations(t *testing.T) {
	a, _ := pair(t)
	number := a.Fd()
	inside, release := make(chan bool), make(chan bool)
	_, join := in(t, func(ctx context.Context) error {
		return a.CallRead(ctx, func(int) error {
			close(inside)
			<-release
			return nil
		})
	})
	<-inside
	closed := make(chan error, 1)
	go func() { closed <- a.Close() }()
	await(t, func() bool { return a.Fd() == -1 }) // Close has begun
	for range 100 {
		fds, err := poll.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		check(t, err)
		if fds[0] == number || fds[1] == number {
			t.Errorf("number %d has been given to another", number)
		}
		syscall.Close(fds[0])
		syscall.Close(fds[1])
	}
	select {
	case err := <-closed:
		t.Errorf("Close has returned %v", err)
	default:
	}
	close(release)
	check(t, join()) // it completed, so it succeeds
	check(t, <-closed)
	if _, err := syscall.Getsockname(number); err != syscall.EBADF {
		t.Errorf("number %d is still open: %v", number, err)
	}
}

// Close and a cancellation at the same moment: either error, and nobody hangs.
func TestCloseWhileCancelling(t *testing.T) {
	for range 2000 {
		a, b := pair(t)
		o, join := in(t, func(ctx context.Context) error {
			a.Sleepy()
			return a.WaitRead(ctx)
		})
		if !testutil.Race {
			await(t, parked(o))
		}
		var both sync.WaitGroup
		both.Go(func() { cancel(o) })
		both.Go(func() { a.Close() })
		if err := join(); !errors.Is(err, net.ErrClosed) && !errors.Is(err, wait.ErrTaskCancelled) {
			t.Fatal(err)
		}
		both.Wait()
		b.Close()
	}
}
