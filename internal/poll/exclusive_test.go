package poll_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

// Whoever reads or writes waits for the loan to be returned, which another goroutine may
// do; in the queue he can be cancelled.
func TestLend(t *testing.T) {
	a, b := pair(t)
	loan, err := a.Lend(context.Background())
	check(t, err)
	_, err = b.Write(context.Background(), []byte("x"))
	check(t, err)
	read := func(ctx context.Context) error { _, err := a.Read(ctx, make([]byte, 1)); return err }
	first, joinFirst := in(t, read)
	await(t, func() bool { return a.Queued(false) == 1 })
	_, joinSecond := in(t, read)
	await(t, func() bool { return a.Queued(false) == 2 })
	writer, joinWriter := in(t, a.WaitWrite)
	await(t, parked(writer))
	if shown, _ := writer.Parked(); shown.Op != "WRITE_TURN" {
		t.Errorf("shown as %q", shown.Op)
	}
	cancel(first)
	want(t, joinFirst(), wait.ErrTaskCancelled)
	done := make(chan bool)
	go func() { loan.Return(); close(done) }()
	check(t, joinSecond())
	check(t, joinWriter())
	<-done
	loan.Return() // nothing happens
	again, err := a.Lend(context.Background())
	check(t, err)
	loan.Return()
	if o, join := in(t, a.WaitWrite); true {
		await(t, parked(o)) // an old loan returns nothing of a new one
		again.Return()
		check(t, join())
	}
}

// Who waits for the second turn and gives up has given back the first.
func TestLendCancelled(t *testing.T) {
	a, b := pair(t)
	n := fill(t, a)
	writer, joinWriter := in(t, func(ctx context.Context) error { _, err := a.Write(ctx, []byte("x")); return err })
	await(t, parked(writer))
	borrower, joinBorrower := in(t, func(ctx context.Context) error { _, err := a.Lend(ctx); return err })
	await(t, func() bool { return a.Queued(true) == 1 })
	reader, joinReader := in(t, a.WaitRead)
	await(t, parked(reader))
	cancel(borrower)
	want(t, joinBorrower(), wait.ErrTaskCancelled)
	_, err := b.Write(context.Background(), []byte("x"))
	check(t, err)
	check(t, joinReader())
	cancel(writer)
	want(t, joinWriter(), wait.ErrTaskCancelled)
	for buf := make([]byte, 1<<16); n > 0; {
		k, err := b.Read(context.Background(), buf)
		check(t, err)
		n -= k
	}
	loan, err := a.Lend(context.Background())
	check(t, err)
	loan.Return()
}

// Close does not wait for a loan, and those in the queue do not either.
func TestCloseWhileLent(t *testing.T) {
	a, b := pair(t)
	loan, err := a.Lend(context.Background())
	check(t, err)
	inside, release := make(chan bool), make(chan bool)
	_, joinRun := in(t, func(context.Context) error {
		return loan.Run(func(file *os.File) error {
			close(inside)
			<-release
			_, err := file.Write([]byte("bye"))
			return err
		})
	})
	<-inside
	var joins []func() error
	for _, f := range []func(context.Context) error{a.WaitRead, a.WaitRead, a.WaitWrite, a.WaitWrite, func(ctx context.Context) error {
		_, err := a.Lend(ctx)
		return err
	}} {
		o, join := in(t, f)
		await(t, parked(o))
		joins = append(joins, join)
	}
	check(t, a.Close())
	for _, join := range joins {
		want(t, join(), net.ErrClosed)
	}
	_, err = a.Lend(context.Background())
	want(t, err, net.ErrClosed)
	close(release)
	check(t, joinRun())
	buf := make([]byte, 10)
	n, err := b.Read(context.Background(), buf)
	check(t, err)
	if string(buf[:n]) != "bye" {
		t.Errorf("%q", buf[:n])
	}
	if n, err := b.Read(context.Background(), buf); n != 0 || err != nil {
		t.Errorf("%d, %v; want the end", n, err)
	}
}

// The mode is switched there and back, even if fn closes what it got, panics, and the FD
// is closed too.
func TestLoanRun(t *testing.T) {
	a, _ := pair(t)
	other, err := a.Dup()
	check(t, err)
	defer syscall.Close(other)
	loan, err := a.Lend(context.Background())
	check(t, err)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_ = loan.Run(func(file *os.File) error {
			if nonblocking(t, other) {
				t.Error("it is not in blocking mode")
			}
			check(t, file.Close())
			check(t, a.Close())
			panic("now")
		})
	}()
	if !nonblocking(t, other) {
		t.Error("it is still in blocking mode")
	}
}

func nonblocking(t testing.TB, fd int) bool {
	t.Helper()
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	return flags&syscall.O_NONBLOCK != 0
}

// Close, a loan, a cancellation and a reader at the same moment: nobody hangs, whoever
// had the loan.
func TestCloseWhileLending(t *testing.T) {
	for range 2000 {
		a, b := pair(t)
		borrower, joinBorrower := in(t, func(ctx context.Context) error {
			loan, err := a.Lend(ctx)
			if err == nil {
				err = loan.Run(func(*os.File) error { return nil })
			}
			return err
		})
		_, joinReader := in(t, func(ctx context.Context) error { _, err := a.Read(ctx, make([]byte, 1)); return err })
		var both sync.WaitGroup
		both.Go(func() { cancel(borrower) })
		both.Go(func() { a.Close() })
		if err := joinBorrower(); err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, wait.ErrTaskCancelled) {
			t.Fatal(err)
		}
		want(t, joinReader(), net.ErrClosed)
		both.Wait()
		check(t, b.Close())
	}
}

// Each duplicate is in the poller for itself: a wait on one is nothing to the other, and
// neither is its end.
func TestDuplicatesApart(t *testing.T) {
	a, b := pair(t)
	fd, err := a.Dup()
	check(t, err)
	twin := own(t, fd, syscall.SOCK_STREAM)
	read := func(f *poll.FD) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			f.Sleepy()
			n, err := f.Read(ctx, make([]byte, 1))
			if err == nil && n == 0 {
				err = io.EOF
			}
			return err
		}
	}
	one, joinOne := in(t, read(a))
	await(t, parked(one))
	two, joinTwo := in(t, read(twin))
	await(t, parked(two))
	cancel(one)
	want(t, joinOne(), wait.ErrTaskCancelled)
	if !parked(two)() {
		t.Error("cancelling one has woken the other")
	}
	one, joinOne = in(t, read(a))
	await(t, parked(one))
	check(t, a.Close())
	want(t, joinOne(), net.ErrClosed)
	if !parked(two)() {
		t.Error("closing one has woken the other")
	}
	_, err = b.Write(context.Background(), []byte("x"))
	check(t, err)
	check(t, joinTwo())
	check(t, b.Close())
	want(t, read(twin)(context.Background()), io.EOF)
}
