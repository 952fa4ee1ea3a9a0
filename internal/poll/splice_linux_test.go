package poll_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

// spliceAll moves everything from src to dst, and returns how many bytes that was.
func spliceAll(ctx context.Context, dst, src *poll.FD, most int) (total int, err error) {
	buf := make([]byte, 1<<16)
	for {
		n, _, _, err := dst.Splice(ctx, src, most)
		if err == poll.ErrNoSplice {
			if n, err = src.Read(ctx, buf); err == nil {
				n, err = dst.WriteAll(ctx, buf[:n])
			}
		}
		if n == 0 || err != nil {
			return total, err
		}
		total += n
	}
}

// splices sends through a, and checks that Splice moves that from b to c and it arrives at d.
func splices(t *testing.T, a, b, c, d *poll.FD) {
	t.Helper()
	say(t, a, "fresh", 0)
	n, lost, _, err := c.Splice(t.Context(), b, 100)
	check(t, err)
	if got := read(t, d); n != 5 || lost != 0 || got != "fresh" {
		t.Fatalf("%d bytes, %d lost, received %q", n, lost, got)
	}
}

// Every byte arrives, in order, on both pollers and over TCP and Unix sockets.
func TestSplice(t *testing.T) {
	for _, poller := range []string{"ours", "the runtime's"} {
		t.Run(poller, func(t *testing.T) {
			if poller != "ours" {
				poll.OnTheRuntimes(t)
			}
			eachPair(t, func(t *testing.T, a, b *poll.FD) {
				random := rand.New(rand.NewPCG(1, 2))
				c, d := tcpPair(t)
				content := make([]byte, 3<<20)
				for i := range content {
					content[i] = byte(random.Uint32())
				}
				_, sent := in(t, func(ctx context.Context) error {
					for rest := content; len(rest) > 0; {
						n := min(len(rest), 1+random.IntN(100_000))
						if _, err := a.WriteAll(ctx, rest[:n]); err != nil {
							return err
						}
						rest = rest[n:]
						runtime.Gosched()
					}
					return a.CloseWrite(ctx)
				})
				_, moved := in(t, func(ctx context.Context) error {
					n, err := spliceAll(ctx, c, b, 1<<30)
					if n != len(content) {
						t.Errorf("%d bytes of %d", n, len(content))
					}
					_ = c.CloseWrite(ctx)
					return err
				})
				got := reading(t, d)
				check(t, sent())
				check(t, moved())
				if !bytes.Equal(got(), content) {
					t.Error("something else has arrived")
				}
			})
		})
	}
}

// Splice moves at most as much as it may, and leaves the rest with the source.
func TestSpliceAtMost(t *testing.T) {
	a, b := tcpPair(t)
	c, d := tcpPair(t)
	say(t, a, "onetwo", 0)
	n, _, _, err := c.Splice(t.Context(), b, 3)
	check(t, err)
	if n != 3 || read(t, d) != "one" || read(t, b) != "two" {
		t.Errorf("%d bytes", n)
	}
}

// If it is cancelled while it waits for something to read, nothing is lost.
func TestSpliceCancelled(t *testing.T) {
	a, b := tcpPair(t)
	c, d := tcpPair(t)
	o, join := in(t, func(ctx context.Context) error {
		_, _, receiving, err := c.Splice(ctx, b, 100)
		if !receiving {
			t.Error("it is not the source's error")
		}
		return err
	})
	await(t, parked(o))
	cancel(o)
	want(t, join(), wait.ErrTaskCancelled)
	say(t, a, "still here", 0)
	if n, _, _, err := c.Splice(t.Context(), b, 100); n != 10 || err != nil || read(t, d) != "still here" {
		t.Errorf("%d, %v", n, err)
	}
}

// While it waits for room, it is cancelled, or a descriptor is closed. The pipe, which is not empty
// then, is not used again.
func TestSpliceCutWhileItSends(t *testing.T) {
	for name, cut := range map[string]func(o *wait.Owner, c, b *poll.FD) (error, bool){
		"cancelled":          func(o *wait.Owner, _, _ *poll.FD) (error, bool) { cancel(o); return wait.ErrTaskCancelled, false },
		"destination closed": func(_ *wait.Owner, c, _ *poll.FD) (error, bool) { _ = c.Close(); return net.ErrClosed, false },
		"source closed after it": func(o *wait.Owner, _, b *poll.FD) (error, bool) {
			_ = b.Close()
			cancel(o)
			return wait.ErrTaskCancelled, false
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := tcpPair(t)
			c, _ := tcpPair(t)
			fill(t, c)
			say(t, a, "lost", 0)
			var receiving bool
			var lost int
			o, join := in(t, func(ctx context.Context) (err error) {
				_, lost, receiving, err = c.Splice(ctx, b, 100)
				return err
			})
			await(t, parked(o))
			err, fromSource := cut(o, c, b)
			want(t, join(), err)
			if receiving != fromSource || lost != len("lost") {
				t.Errorf("the error is said to be the source's: %v; %d bytes are lost", receiving, lost)
			}

			e, f := tcpPair(t)
			g, h := tcpPair(t)
			for range 10 {
				splices(t, e, f, g, h)
			}
		})
	}
}

// While it waits for something to read, it has no pipe.
func TestSpliceWaitsWithoutAPipe(t *testing.T) {
	const n = 100
	c, _ := tcpPair(t)
	var sources []*poll.FD
	for range n {
		_, b := tcpPair(t)
		sources = append(sources, b)
	}
	before := descriptors()
	var tasks []*wait.Owner
	var ends []func() error
	for _, b := range sources {
		o, join := in(t, func(ctx context.Context) error { _, _, _, err := c.Splice(ctx, b, 100); return err })
		await(t, parked(o))
		tasks, ends = append(tasks, o), append(ends, join)
	}
	if now := descriptors(); now > before { // it does not count what is in the pool
		t.Errorf("%d descriptors, %d before they waited", now, before)
	}
	for i, o := range tasks {
		cancel(o)
		want(t, ends[i](), wait.ErrTaskCancelled)
	}
}

// There is something to read, and it cannot be spliced.
func TestNoSplice(t *testing.T) {
	a, b := tcpPair(t)
	c, _ := tcpPair(t)
	t.Run("no descriptor", func(t *testing.T) {
		say(t, a, "x", 0)
		poll.ForgetPipes()
		withoutDescriptors(t, func() {
			_, _, _, err := c.Splice(t.Context(), b, 100)
			want(t, err, poll.ErrNoSplice)
		})
		if got := read(t, b); got != "x" {
			t.Errorf("%q is left", got)
		}
	})
	t.Run("before urgent data", func(t *testing.T) {
		say(t, a, "!", syscall.MSG_OOB)
		say(t, a, "after", 0)
		await(t, func() bool { return poll.ReadableFD(b) })
		_, _, _, err := c.Splice(t.Context(), b, 100)
		want(t, err, poll.ErrNoSplice)
		if got := read(t, b); got != "after" {
			t.Errorf("%q is left", got)
		}
	})
	t.Run("before urgent data and the end", func(t *testing.T) {
		a, b := tcpPair(t)
		say(t, a, "!", syscall.MSG_OOB)
		say(t, a, "after", 0)
		check(t, a.CloseWrite(t.Context()))
		await(t, func() bool { return poll.ReadableFD(b) })
		for range 2 {
			_, _, _, err := c.Splice(t.Context(), b, 100)
			want(t, err, poll.ErrNoSplice)
		}
		if got := read(t, b); got != "after" {
			t.Errorf("%q is left", got)
		}
	})
	for _, errno := range []syscall.Errno{syscall.EINVAL, syscall.ENOSYS, syscall.EOPNOTSUPP} {
		t.Run(errno.Error(), func(t *testing.T) {
			poll.OnSplice(t, func(int, int, int) (int, syscall.Errno) { return 0, errno })
			say(t, a, "x", 0)
			_, _, receiving, err := c.Splice(t.Context(), b, 100)
			want(t, err, poll.ErrNoSplice)
			if !receiving {
				t.Error("it is not the source's error")
			}
			if got := read(t, b); got != "x" {
				t.Errorf("%q is left", got)
			}
		})
	}
}

// The source or the destination has been reset.
func TestSpliceErrors(t *testing.T) {
	reset := func(f *poll.FD) {
		check(t, f.Control(func(fd int) error {
			return syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
		}))
		check(t, f.Close())
	}
	a, b := tcpPair(t)
	c, d := tcpPair(t)
	e, f := tcpPair(t)
	say(t, e, "x", 0)
	reset(d)
	await(t, func() bool { return poll.ReadableFD(c) })
	if _, _, receiving, err := c.Splice(t.Context(), f, 100); receiving || err != syscall.ECONNRESET && err != syscall.EPIPE {
		t.Errorf("destination: %v, %v", receiving, err)
	}
	reset(a)
	await(t, func() bool { return poll.ReadableFD(b) })
	if _, _, receiving, err := e.Splice(t.Context(), b, 100); !receiving || err != syscall.ECONNRESET {
		t.Errorf("source: %v, %v", receiving, err)
	}
}

// The pool closes its pipes when Splice is no longer called.
func TestPipesGoAway(t *testing.T) {
	poll.PipesLinger(t, time.Millisecond)
	a, b := tcpPair(t)
	c, d := tcpPair(t)
	for range 3 {
		for range 10 {
			splices(t, a, b, c, d)
		}
		await(t, func() bool { return poll.Pipes() == 0 })
	}
}

// In a bubble nothing is put into the pool, as its timer would belong to the bubble.
func TestSpliceInABubble(t *testing.T) {
	a, b := tcpPair(t)
	c, d := tcpPair(t)
	say(t, a, "x", 0)
	poll.ForgetPipes()
	before := descriptors()
	synctest.Test(t, func(t *testing.T) {
		n, _, _, err := c.Splice(t.Context(), b, 100)
		check(t, err)
		if n != 1 {
			t.Errorf("%d bytes", n)
		}
		if now := descriptors(); now != before || poll.Pipes() != 0 {
			t.Errorf("%d descriptors, %d before; %d in the pool", now, before, poll.Pipes())
		}
	})
	if got := read(t, d); got != "x" {
		t.Errorf("received %q", got)
	}
}

// The scope ends when something has been read. It is sent nevertheless.
func TestSpliceCancelledInBetween(t *testing.T) {
	a, b := tcpPair(t)
	c, d := tcpPair(t)
	o := newTask(t)
	say(t, a, "x", 0)
	poll.OnSplice(t, func(from, to, most int) (int, syscall.Errno) {
		n, err := syscall.Splice(from, nil, to, nil, most, 3)
		cancel(o)
		if err != nil {
			return 0, err.(syscall.Errno)
		}
		return int(n), 0
	})
	n, lost, _, err := c.Splice(&o.Scope, b, 100)
	check(t, err)
	if n != 1 || lost != 0 || read(t, d) != "x" {
		t.Errorf("%d bytes, %d lost", n, lost)
	}
}

// A context that panics in its second Err does so after everything has been sent.
func TestSpliceUnderAHostileContext(t *testing.T) {
	a, b := tcpPair(t)
	c, d := tcpPair(t)
	say(t, a, "x", 0)
	poll.ForgetPipes()
	before := descriptors()
	ctx := &panicking{Context: context.Background(), calls: 1}
	func() {
		defer func() { _ = recover() }()
		_, _, _, _ = c.Splice(ctx, b, 100)
	}()
	if got := read(t, d); got != "x" {
		t.Errorf("received %q", got)
	}
	if now := descriptors(); now != before {
		t.Errorf("%d descriptors, %d before", now, before)
	}
}

// A panicking context panics in Err when calls is used up.
type panicking struct {
	context.Context
	calls int // of Err that return nil
}

func (p *panicking) Err() error {
	if p.calls--; p.calls < 0 {
		panic("asked too often")
	}
	return nil
}

// While data arrives, the call is cancelled, or the source or the destination is closed. What has
// arrived at the other end, what is lost and what is left at the source are all of the data, in
// order, and no pipe keeps something for a later call.
func TestRaceSplice(t *testing.T) {
	for _, poller := range []string{"ours", "the runtime's"} {
		t.Run(poller, func(t *testing.T) {
			if poller != "ours" {
				poll.OnTheRuntimes(t)
			}
			var moved, lost, cut int
			for i := range 2000 {
				m, l, err := raceSplice(t, i)
				moved, lost = moved+m, lost+l
				if err != nil {
					cut++
				}
			}
			t.Logf("%d bytes moved, %d lost, %d calls cut", moved, lost, cut)
			if moved == 0 || cut == 0 {
				t.Error("the race is not tried")
			}
			e, f := tcpPair(t)
			g, h := tcpPair(t)
			splices(t, e, f, g, h)
		})
	}
}

func raceSplice(t *testing.T, round int) (n, lost int, err error) {
	pairs := make([]*poll.FD, 4)
	for i := 0; i < 4; i += 2 {
		fds, err := poll.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		check(t, err)
		for j, fd := range fds {
			pairs[i+j], err = poll.New(fd, syscall.SOCK_STREAM)
			check(t, err)
		}
	}
	a, b, c, d := pairs[0], pairs[1], pairs[2], pairs[3]
	defer func() {
		for _, f := range pairs {
			_ = f.Close()
		}
	}()
	o := newTask(t)
	data := []byte("the quick brown fox")
	var ready, done sync.WaitGroup
	ready.Add(1)
	done.Go(func() { ready.Wait(); spin(round); _, _ = a.Write(context.Background(), data) })
	done.Go(func() {
		ready.Wait()
		spin(round / 7)
		switch round % 4 {
		case 0:
			cancel(o)
		case 1:
			_ = b.Close()
		case 2:
			_ = c.Close()
		}
	})
	ready.Done()
	n, lost, _, err = c.Splice(&o.Scope, b, 100)
	done.Wait()
	if n > 0 {
		buf := make([]byte, 100)
		got, readErr := d.Read(context.Background(), buf)
		check(t, readErr)
		if got != n || !bytes.Equal(buf[:got], data[:n]) {
			t.Fatalf("round %d: %q has arrived, %d bytes are said to", round, buf[:got], n)
		}
	}
	if b.Fd() >= 0 && n+lost < len(data) {
		buf := make([]byte, 100)
		got, readErr := b.Read(context.Background(), buf)
		check(t, readErr)
		if !bytes.Equal(buf[:got], data[n+lost:]) {
			t.Fatalf("round %d: %q is left, after %d and %d bytes", round, buf[:got], n, lost)
		}
	}
	if err == nil && n != len(data) {
		t.Fatalf("round %d: %d bytes and no error", round, n)
	}
	return n, lost, err
}

// spin passes some time, up to some microseconds.
func spin(n int) {
	for range n % 512 {
		spins.Add(1)
	}
}

var spins atomic.Int64
