package socket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

// Code that knows nothing of contexts uses the socket, and afterwards tasks do again:
// test_socket_blocking and test_socketstream_blocking of Curio.
func TestBlocking(t *testing.T) {
	testutil.NoLeaks(t)
	a, b := tcpPair(t)
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		lent := curio.Go(ctx, func(ctx context.Context) error {
			return a.Blocking(ctx, func(file *os.File) error {
				if nonblocking(t, int(file.Fd())) {
					return errors.New("it is not in blocking mode")
				}
				buf := make([]byte, 5)
				if _, err := syscall.Read(int(file.Fd()), buf); err != nil { // read(2) of another library
					return err
				}
				_, err := fmt.Fprintf(file, "got %s", buf)
				return err
			})
		})
		testutil.Await(t, "the function runs", func() bool { return lent.State() == "THREAD_CALL" })
		reader := curio.Go(ctx, a.WaitRead)
		testutil.Await(t, "a reader waits", func() bool { return reader.State() == "READ_TURN" })
		writer := curio.Go(ctx, a.WaitWrite)
		testutil.Await(t, "a writer waits", func() bool { return writer.State() == "WRITE_TURN" })
		if _, err := reader.Cancel(ctx); err != nil {
			return err
		}
		if _, err := b.SendAll(ctx, []byte("hello")); err != nil {
			return err
		}
		if err := errors.Join(joinTask(ctx, lent), joinTask(ctx, writer)); err != nil {
			return err
		}
		return expect(ctx, b, []byte("got hello"))
	})
	check(t, err)
	if !nonblocking(t, a.FD()) {
		t.Error("it is still in blocking mode")
	}
	exchange(t, a, b)
	exchange(t, b, a)
}

// Outside of a task it works as well, and errors are those of the function.
func TestBlockingErrors(t *testing.T) {
	testutil.NoLeaks(t)
	a, b := unixPair(t)
	ctx := context.Background()
	own := errors.New("of the function's own")
	if err := a.Blocking(ctx, func(*os.File) error { return own }); err != own {
		t.Errorf("%v", err)
	}
	var panicked *curio.PanicError
	k := curio.NewKernel(curio.Logger(slog.New(slog.DiscardHandler)))
	err := k.Run(ctx, func(ctx context.Context) error { return a.Blocking(ctx, func(*os.File) error { panic("now") }) })
	if !errors.As(err, &panicked) || panicked.Value != "now" {
		t.Errorf("%v", err)
	}
	check(t, k.Shutdown(ctx))
	ended, end := context.WithCancel(ctx)
	end()
	never := func(*os.File) error { t.Error("it was called"); return nil }
	want(t, a.Blocking(ended, never), context.Canceled)
	exchange(t, a, b)
	release := exhaust(t)
	err = a.Blocking(ctx, never)
	release()
	want(t, err, syscall.EMFILE)
	exchange(t, a, b)
	check(t, a.Close())
	want(t, a.Blocking(ctx, never), net.ErrClosed)
	want(t, new(socket.Socket).Blocking(ctx, never), syscall.EINVAL)
}

// Cancelled while the function runs, Blocking returns at once, and the socket stays lent.
func TestBlockingAbandoned(t *testing.T) {
	testutil.NoLeaks(t)
	a, b := unixPair(t)
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		begun := make(chan bool)
		lent := curio.Go(ctx, func(ctx context.Context) error {
			err := a.Blocking(ctx, func(file *os.File) error {
				close(begun)
				_, err := file.Read(make([]byte, 1))
				return err
			})
			var wrapped *net.OpError
			if !errors.As(err, &wrapped) || wrapped.Op != "blocking" {
				t.Errorf("%v", err)
			}
			return err
		})
		testutil.Receive(t, "the function runs", begun)
		if _, err := lent.Cancel(ctx); err != nil {
			return err
		}
		if err := lent.Err(); !errors.Is(err, curio.ErrTaskCancelled) {
			t.Errorf("%v", err)
		}
		receiver := curio.Go(ctx, func(ctx context.Context) error { return expect(ctx, a, []byte("y")) })
		testutil.Await(t, "a receiver waits", func() bool { return receiver.State() == "READ_TURN" })
		if _, err := b.SendAll(ctx, []byte("xy")); err != nil { // one for the function, one for the receiver
			return err
		}
		return joinTask(ctx, receiver)
	})
	check(t, err)
	exchange(t, a, b)
}

// All places for threads are taken: who waits for one has the socket, and gives it back
// when he is cancelled.
func TestBlockingWithoutThreads(t *testing.T) {
	testutil.NoLeaks(t)
	a, b := unixPair(t)
	k := curio.NewKernel(curio.MaxThreads(1))
	err := k.Run(context.Background(), func(ctx context.Context) error {
		release := make(chan bool)
		other := curio.Go(ctx, func(ctx context.Context) error {
			_, err := curio.RunInThread(ctx, func() (int, error) { <-release; return 0, nil })
			return err
		})
		testutil.Await(t, "the place is taken", func() bool { return other.State() == "THREAD_CALL" })
		lent := curio.Go(ctx, func(ctx context.Context) error {
			return a.Blocking(ctx, func(*os.File) error { t.Error("it was called"); return nil })
		})
		testutil.Await(t, "there is none left", func() bool { return lent.State() == "THREAD_SLOT" })
		if _, err := lent.Cancel(ctx); err != nil {
			return err
		}
		exchange(t, a, b)
		exchange(t, b, a)
		close(release)
		return joinTask(ctx, other)
	})
	check(t, errors.Join(err, k.Shutdown(context.Background())))
}

// Shutdown ends what the function waits for; Close ends everybody else at once.
func TestCloseWhileLent(t *testing.T) {
	testutil.NoLeaks(t)
	for _, end := range []string{"shutdown", "close"} {
		a, b := unixPair(t)
		err := curio.Run(context.Background(), func(ctx context.Context) error {
			lent := curio.Go(ctx, func(ctx context.Context) error {
				return a.Blocking(ctx, func(file *os.File) error {
					_, err := file.Read(make([]byte, 1))
					return err
				})
			})
			testutil.Await(t, "the function runs", func() bool { return lent.State() == "THREAD_CALL" && !nonblocking(t, a.FD()) })
			receiver := curio.Go(ctx, a.WaitRead)
			testutil.Await(t, "a receiver waits", func() bool { return receiver.State() == "READ_TURN" })
			if end == "shutdown" {
				check(t, a.Shutdown(socket.ShutRDWR))
				if err := joinTask(ctx, lent); !errors.Is(err, io.EOF) {
					t.Errorf("%v, want the end", err)
				}
				return joinTask(ctx, receiver)
			}
			check(t, a.Close())
			if err := joinTask(ctx, receiver); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%v", err)
			}
			if _, err := b.SendAll(ctx, []byte("x")); err != nil {
				return err
			}
			return joinTask(ctx, lent)
		})
		check(t, err)
	}
}

// Close, Blocking, Recv and a cancellation at the same moment: nobody hangs, nothing is
// left.
func TestCloseBlockingRecvRace(t *testing.T) {
	testutil.NoLeaks(t)
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		for range 1000 {
			a, b := unixPair(t)
			lent := curio.Go(ctx, func(ctx context.Context) error {
				return a.Blocking(ctx, func(file *os.File) error {
					_, err := file.Write([]byte("x"))
					return err
				})
			})
			receiver := curio.Go(ctx, func(ctx context.Context) error { return end(ctx, a) })
			var all sync.WaitGroup
			all.Go(func() { lent.CancelNow() })
			all.Go(func() { a.Close() })
			for _, task := range []*curio.Task[struct{}]{lent, receiver} {
				if err := joinTask(ctx, task); err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, curio.ErrTaskCancelled) {
					t.Error(err)
				}
			}
			all.Wait()
			b.Close()
		}
		return nil
	})
	check(t, err)
}

// Two who borrow come one after the other, in whatever state the rest is.
func TestBlockingInTurn(t *testing.T) {
	testutil.NoLeaks(t)
	a, _ := unixPair(t)
	fill(t, a)
	sender, sent := in(t, func(ctx context.Context) error { _, err := a.SendAll(ctx, []byte("x")); return err })
	await(t, parked(sender))
	borrow := func(ctx context.Context) error { return a.Blocking(ctx, func(*os.File) error { return nil }) }
	one, joinOne := in(t, borrow)
	await(t, parked(one))
	if shown, _ := one.Parked(); shown.Op != "WRITE_TURN" {
		t.Errorf("shown as %q", shown.Op)
	}
	two, joinTwo := in(t, borrow)
	await(t, parked(two))
	if shown, _ := two.Parked(); shown.Op != "READ_TURN" {
		t.Errorf("shown as %q", shown.Op)
	}
	for _, o := range []*wait.Owner{one, two, sender} {
		cancel(o)
	}
	for _, join := range []func() error{joinOne, joinTwo, sent} {
		want(t, join(), wait.ErrTaskCancelled)
	}
}

// joinTask waits for a task to end and returns its error.
func joinTask(ctx context.Context, t *curio.Task[struct{}]) error {
	_, err := t.Join(ctx)
	return err
}
