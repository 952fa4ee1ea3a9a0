package poll_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
)

// The races of this file are the reason for the protocol in doc.go: an operation is
// cancelled at the moment at which what it waits for comes.

// rounds is how often a race is run: 100,000 times in a long run, which takes some seconds.
func rounds() int {
	if testutil.Race {
		return testutil.Times(20_000)
	}
	return testutil.Times(100_000)
}

// hesitate spends a random time, from nothing to a little more than a wait takes to
// begin or to end.
func hesitate(random *rand.Rand) {
	switch random.IntN(4) {
	case 0:
	case 1:
		runtime.Gosched()
	default:
		for range random.IntN(2000) {
			_ = random.Uint32()
		}
	}
}

// A rival does something against each operation of a test, at about the same time.
type rival struct {
	start chan *wait.Scope
	done  chan error
	over  sync.WaitGroup
}

func newRival(seed uint64, act func(s *wait.Scope, random *rand.Rand) error) *rival {
	r := &rival{start: make(chan *wait.Scope), done: make(chan error)}
	r.over.Go(func() {
		random := rand.New(rand.NewPCG(seed, 2))
		for s := range r.start {
			r.done <- act(s, random)
		}
	})
	return r
}

func (r *rival) stop() { close(r.start); r.over.Wait() }

// canceller cancels; half of the time not before the operation waits, if it does.
func canceller() *rival {
	return newRival(1, func(s *wait.Scope, random *rand.Rand) error {
		if random.IntN(2) == 0 {
			for range 100 {
				if s.Waiters() > 0 {
					break
				}
				runtime.Gosched()
			}
		}
		hesitate(random)
		s.Cancel(wait.NewCause(s, wait.Cancelled, nil))
		return nil
	})
}

// A race runs one operation after the other, each with both rivals against it, and
// every tenth with the canceller alone: it must end too.
func race(t *testing.T, comes func(random *rand.Rand) error, operation func(ctx context.Context, i int) error) {
	t.Helper()
	raceTimes(t, rounds(), comes, operation)
}

func raceTimes(t *testing.T, rounds int, comes func(random *rand.Rand) error, operation func(ctx context.Context, i int) error) {
	t.Helper()
	ctx := &newTask(t).Scope
	cancels, comer := canceller(), newRival(3, func(_ *wait.Scope, random *rand.Rand) error {
		hesitate(random)
		return comes(random)
	})
	defer cancels.stop()
	defer comer.stop()
	succeeded, cancelled := 0, 0
	for i := range rounds {
		s := wait.New(ctx, wait.Group)
		cancels.start <- s
		alone := i%10 == 0
		if !alone {
			comer.start <- s
		}
		err := operation(s, i)
		switch {
		case err == nil:
			succeeded++
		case errors.Is(err, context.Canceled) && errors.Is(err, wait.ErrCancelled):
			cancelled++
		default:
			t.Fatalf("round %d: %v", i, err)
		}
		check(t, <-cancels.done)
		if alone {
			comer.start <- s
		}
		check(t, <-comer.done)
		s.Close()
	}
	t.Logf("%d succeeded, %d cancelled", succeeded, cancelled)
	if succeeded == 0 || cancelled == 0 {
		t.Error("one side has always won: this was no race")
	}
}

// The same without chance: the scope has claimed the waiter and not yet set the
// deadline when the data comes. The read waits for the scope to be through, returns
// the data all the same, and leaves no deadline behind.
func TestDataWhileInterrupting(t *testing.T) {
	inside, release := make(chan bool), make(chan bool)
	poll.OnTheRuntimes(t)
	poll.OnInterrupt(t, func() { close(inside); <-release })
	a, b := pair(t)
	left := make(chan bool)
	o, join := in(t, func(ctx context.Context) error {
		defer close(left)
		n, err := a.Read(ctx, make([]byte, 8))
		if n != 1 {
			t.Errorf("%d bytes", n)
		}
		return err
	})
	await(t, parked(o))
	_, cancelled := in(t, func(context.Context) error { cancel(o); return nil })
	<-inside
	_, err := b.Write(context.Background(), []byte("x"))
	check(t, err)
	await(t, func() bool { // the byte has been read
		there := true
		check(t, a.Control(func(fd int) error {
			_, _, err := syscall.Recvfrom(fd, make([]byte, 1), syscall.MSG_PEEK)
			there = err == nil
			return nil
		}))
		return !there
	})
	for range 1000 {
		runtime.Gosched()
	}
	select {
	case <-left:
		t.Error("the read did not wait for the scope to be through")
	default:
	}
	close(release)
	check(t, join())
	check(t, cancelled())

	other, join := in(t, a.WaitRead)
	await(t, parked(other))
	_, err = b.Write(context.Background(), []byte("y"))
	check(t, err)
	check(t, join())
}

// Each byte is read once and in order, and a read that comes after one that was
// cancelled is not poisoned.
func TestReadRace(t *testing.T) { eachPair(t, readRace) }

func readRace(t *testing.T, a, b *poll.FD) {
	var sent, received byte
	buf := make([]byte, 16)
	take := func(ctx context.Context) error {
		n, err := a.Read(ctx, buf)
		for _, x := range buf[:n] {
			if x != received {
				t.Fatalf("received %d, want %d", x, received)
			}
			received++
		}
		if n > 0 && err != nil {
			t.Fatalf("%d bytes and %v", n, err)
		}
		return err
	}
	race(t,
		func(*rand.Rand) error {
			_, err := b.Write(context.Background(), []byte{sent})
			sent++
			return err
		},
		func(ctx context.Context, i int) error {
			if i%2 == 0 {
				a.Sleepy()
			}
			return take(ctx)
		})
	for received != sent {
		check(t, take(context.Background()))
	}
}

// The same for waiting until there is something to read: who was told so finds it.
func TestWaitRace(t *testing.T) {
	a, b := pair(t)
	drain := make([]byte, 1<<16)
	race(t,
		func(*rand.Rand) error {
			_, err := b.Write(context.Background(), []byte{1})
			return err
		},
		func(ctx context.Context, i int) error {
			if i%2 == 0 {
				a.Sleepy()
			}
			err := a.WaitRead(ctx)
			if err != nil {
				return err
			}
			return a.Control(func(fd int) error { _, err := syscall.Read(fd, drain); return err })
		})
}

// What WriteAll says it has written is what arrives, and the next write goes on from
// there.
func TestWriteRace(t *testing.T) { eachPair(t, writeRace) }

func writeRace(t *testing.T, a, b *poll.FD) {
	check(t, a.Control(func(fd int) error {
		return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 4096)
	}))
	stream := func(n int) byte { return byte(n ^ n>>8) }
	written, received := 0, 0
	into := make([]byte, 3000)
	take := func(ctx context.Context) error {
		n, err := b.Read(ctx, into)
		for _, x := range into[:n] {
			if x != stream(received) {
				return fmt.Errorf("byte %d is %d", received, x)
			}
			received++
		}
		return err
	}
	from := make([]byte, 2500)
	race(t,
		func(random *rand.Rand) error {
			for range random.IntN(4) {
				if err := takeNow(b, take); err != nil {
					return err
				}
			}
			return nil
		},
		func(ctx context.Context, _ int) error {
			for i := range from {
				from[i] = stream(written + i)
			}
			n, err := a.WriteAll(ctx, from)
			if err == nil && n != len(from) {
				t.Fatalf("wrote %d and no error", n)
			}
			written += n
			return err
		})
	for received < written {
		check(t, take(context.Background()))
	}
	if err := takeNow(b, take); err != nil || received != written {
		t.Errorf("wrote %d, received %d, %v", written, received, err)
	}
}

// takeNow takes what is there.
func takeNow(f *poll.FD, take func(ctx context.Context) error) error {
	there := false
	err := f.Control(func(fd int) error {
		_, _, err := syscall.Recvfrom(fd, make([]byte, 1), syscall.MSG_PEEK)
		there = err == nil
		return nil
	})
	if err != nil || !there {
		return err
	}
	return take(context.Background())
}
