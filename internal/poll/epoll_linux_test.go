//go:build !runtimepoller

package poll_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
)

func read(t testing.TB, f *poll.FD) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	buf := make([]byte, 100)
	n, err := f.Read(ctx, buf)
	check(t, err)
	return string(buf[:n])
}

func say(t testing.TB, f *poll.FD, what string, flags int) {
	t.Helper()
	check(t, f.Control(func(fd int) error { return syscall.Sendto(fd, []byte(what), flags, nil) }))
}

// With one processor, all descriptors are on our poller.
func TestFewOnTheRuntimesPoller(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	if n := poll.MostFewByDefault(); n == 0 {
		t.Error("with two processors there are none on the runtime's poller")
	}
	runtime.GOMAXPROCS(1)
	if n := poll.MostFewByDefault(); n != 0 {
		t.Errorf("with one processor there may be %d on the runtime's poller", n)
	}
}

// The poller is there as long as a descriptor is, and some time longer.
func TestPollerEnds(t *testing.T) {
	poll.LingersFor(t, time.Millisecond)
	a, b := pair(t)
	if !poll.Polling() {
		t.Fatal("there is no poller")
	}
	check(t, a.Close())
	if !poll.Polling() {
		t.Error("it has gone before the last descriptor")
	}
	check(t, b.Close())
	await(t, func() bool { return !poll.Polling() })
	await(t, func() bool { return !strings.Contains(stacks(), "pollLoop") })
}

func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// The last descriptor goes and the first one comes in the moment in which the poller ends.
func TestRacePollerEnds(t *testing.T) {
	for i := range rounds() {
		poll.LingersFor(t, time.Duration(i%50)*time.Microsecond)
		a, b := pair(t)
		var other sync.WaitGroup
		other.Go(func() { _, _ = b.Write(context.Background(), []byte("x")) })
		if got := read(t, a); got != "x" {
			t.Fatalf("read %q", got)
		}
		other.Wait()
		other.Go(func() { check(t, a.Close()) })
		check(t, b.Close())
		other.Wait()
	}
}

// A descriptor that is not used any more is closed.
func TestForgotten(t *testing.T) {
	fds, err := poll.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	check(t, err)
	b := own(t, fds[1], syscall.SOCK_STREAM)
	func() {
		a, err := poll.New(fds[0], syscall.SOCK_STREAM)
		check(t, err)
		_, err = a.Write(context.Background(), []byte("last words"))
		check(t, err)
	}()
	if got := read(t, b); got != "last words" {
		t.Errorf("read %q", got)
	}
	o, join := in(t, func(ctx context.Context) error {
		n, err := b.Read(ctx, make([]byte, 1))
		if n != 0 {
			err = errors.Join(err, fmt.Errorf("%d bytes", n))
		}
		return err
	})
	await(t, func() bool { runtime.GC(); return !parked(o)() })
	check(t, join())
}

// Data from outside a bubble reaches a reader inside, and the bubble's clock does not advance
// while the reader waits.
func TestBubble(t *testing.T) {
	a, b := pair(t)
	asleep := make(chan *wait.Owner)
	go func() {
		for o := range asleep {
			for !parked(o)() {
				runtime.Gosched()
			}
			for range 1000 {
				runtime.Gosched()
			}
			_, _ = b.Write(context.Background(), []byte("x"))
		}
	}()
	defer close(asleep)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		for range 10 {
			o := new(wait.Owner)
			o.InitTask(context.Background(), wait.NewKernel())
			asleep <- o
			if _, err := a.Read(&o.Scope, make([]byte, 1)); err != nil {
				t.Error(err)
			}
			o.Close()
		}
		if passed := time.Since(began); passed != 0 {
			t.Errorf("%v passed in the bubble", passed)
		}
	})
}

// A bubble in which the first descriptor of the process is opened has an end.
func TestBornInABubble(t *testing.T) {
	poll.LingersFor(t, 0)
	await(t, func() bool { return !poll.Polling() })
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		go func() { _, _ = b.Write(context.Background(), []byte("x")) }()
		if _, err := a.Read(context.Background(), make([]byte, 1)); err != nil {
			t.Error(err)
		}
		check(t, a.Close())
		check(t, b.Close())
	})
}

// Data and the end come as one event, and the read that takes the data is a short one.
func TestDataAndTheEnd(t *testing.T) {
	for range rounds() / 10 {
		a, b := tcpPair(t)
		o, join := in(t, func(ctx context.Context) error {
			got, err := io.ReadAll(reader{ctx, a})
			if string(got) != "all that I have" {
				t.Errorf("read %q", got)
			}
			return err
		})
		if rand.IntN(2) == 0 {
			await(t, parked(o))
		}
		say(t, b, "all that I have", syscall.MSG_MORE)
		check(t, b.CloseWrite(context.Background()))
		check(t, join())
		check(t, errors.Join(a.Close(), b.Close()))
	}
}

type reader struct {
	ctx context.Context
	f   *poll.FD
}

func (r reader) Read(p []byte) (int, error) {
	n, err := r.f.Read(r.ctx, p)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// Reads stop at the urgent mark, with more behind it.
func TestUrgentData(t *testing.T) {
	for _, inline := range []bool{false, true} {
		a, b := tcpPair(t)
		if inline {
			a.Setting(syscall.SOL_SOCKET, syscall.SO_OOBINLINE)
			check(t, a.Control(func(fd int) error {
				return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_OOBINLINE, 1)
			}))
		}
		for range 100 {
			say(t, b, "be", 0)
			say(t, b, "fore!", syscall.MSG_OOB)
			say(t, b, "after", 0)
			for got := ""; !strings.HasSuffix(got, "after"); got += read(t, a) {
			}
		}
	}
}

// With SO_RCVLOWAT there is no event for less than that, and a read gets it all the same.
func TestLowWater(t *testing.T) {
	a, b := tcpPair(t)
	say(t, b, "one", 0)
	if got := read(t, a); got != "one" {
		t.Errorf("read %q", got)
	}
	a.Setting(syscall.SOL_SOCKET, syscall.SO_RCVLOWAT)
	check(t, a.Control(func(fd int) error {
		return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, 100)
	}))
	say(t, b, "two", 0)
	await(t, func() bool {
		ok := false
		check(t, a.Control(func(fd int) error { ok = queued(fd) == 3; return nil }))
		return ok
	})
	if got := read(t, a); got != "two" {
		t.Errorf("read %q", got)
	}
	o, join := in(t, func(ctx context.Context) error { _, err := a.Read(ctx, make([]byte, 200)); return err })
	await(t, parked(o))
	say(t, b, strings.Repeat("x", 100), 0)
	check(t, join())
}

func queued(fd int) int {
	n, _, _ := syscall.Recvfrom(fd, make([]byte, 200), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return n
}

// A socket that is not connected yet, or listens, is no reason to try again and again; nor
// is one that is connected after it was hung up.
func TestNobodySpins(t *testing.T) {
	a, _ := tcpPair(t)
	fresh, err := poll.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	check(t, err)
	listening, err := poll.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	check(t, err)
	check(t, syscall.Listen(listening, 1))
	for name, f := range map[string]*poll.FD{"connected": a, "fresh": own(t, fresh, syscall.SOCK_STREAM), "listening": own(t, listening, syscall.SOCK_STREAM)} {
		calls := 0
		o, join := in(t, func(ctx context.Context) error {
			return f.CallRead(ctx, func(int) error { calls++; return syscall.EAGAIN })
		})
		await(t, parked(o))
		for range 1000 {
			runtime.Gosched()
		}
		cancel(o)
		want(t, join(), wait.ErrCancelled)
		if calls > 4 {
			t.Errorf("%s: %d calls", name, calls)
		}
	}
}

// Events of a descriptor that was closed never reach another one that has its number.
// Connections come and go while others read and write, duplicates of them live longer, and
// reads are cancelled: no byte is lost or changed, and nobody hangs.
func TestStorm(t *testing.T) {
	until := time.Now().Add(time.Duration(rounds()) * 100 * time.Microsecond)
	var everybody sync.WaitGroup
	for i := range 8 {
		everybody.Go(func() {
			for n := uint64(0); time.Now().Before(until) && !t.Failed(); n++ {
				random := rand.New(rand.NewPCG(uint64(i), n))
				make := pair
				if random.IntN(2) == 0 {
					make = tcpPair
				}
				exchange(t, random, make)
			}
		})
	}
	everybody.Wait()
}

func exchange(t *testing.T, random *rand.Rand, make2 func(testing.TB) (a, b *poll.FD)) {
	a, b := make2(t)
	sent := make([]byte, 1+random.IntN(100_000))
	for i := range sent {
		sent[i] = byte(random.Uint32())
	}
	var got []byte
	var reading sync.WaitGroup
	reading.Go(func() {
		defer b.Close()
		buf := make([]byte, 1+len(sent)/3)
		for len(got) < len(sent) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+len(got)%7)*50*time.Microsecond)
			n, err := b.Read(ctx, buf)
			got = append(got, buf[:n]...)
			cancel()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) || n == 0 && err == nil {
				t.Errorf("%d bytes, %v", n, err)
				return
			}
		}
	})
	if _, err := a.WriteAll(context.Background(), sent); err != nil {
		t.Error(err)
	}
	var dup int
	check(t, a.Control(func(fd int) (err error) { dup, err = poll.Dup(fd); return err }))
	check(t, a.Close())
	reading.Wait()
	syscall.Close(dup)
	if !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came, and not the %d that were sent", len(got), len(sent))
	}
}

// Many peers hang up at once: each reader finds the end, and nothing else.
func TestAllHangUp(t *testing.T) {
	const n = 1000
	var readers sync.WaitGroup
	peers := make([]*poll.FD, n)
	for i := range peers {
		a, b := pair(t)
		peers[i] = b
		readers.Go(func() {
			if k, err := a.Read(context.Background(), make([]byte, 1)); k != 0 || err != nil {
				t.Errorf("%d, %v", k, err)
			}
		})
	}
	for _, b := range peers {
		check(t, b.Close())
	}
	readers.Wait()
}

// Close ends the operations that wait, and waits for the calls that are in Control, in which
// Control may be called again.
func TestCloseWaits(t *testing.T) {
	a, _ := pair(t)
	inside, release := make(chan bool), make(chan bool)
	_, control := in(t, func(context.Context) error {
		return a.Control(func(int) error {
			close(inside)
			<-release
			if err := a.Control(func(int) error { return nil }); err != nil && err != net.ErrClosed {
				return err
			}
			return nil
		})
	})
	<-inside
	o, reads := in(t, func(ctx context.Context) error { _, err := a.Read(ctx, make([]byte, 1)); return err })
	await(t, parked(o))
	closed := make(chan error)
	go func() { closed <- a.Close() }()
	want(t, reads(), net.ErrClosed)
	select {
	case <-closed:
		t.Error("Close does not wait")
	default:
	}
	close(release)
	check(t, control())
	check(t, <-closed)
	want(t, a.Control(func(int) error { return nil }), net.ErrClosed)
}

// What cannot be watched is refused, and closed.
func TestNotPollable(t *testing.T) {
	file, err := syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	check(t, err)
	_, err = poll.New(file, 0)
	want(t, err, poll.ErrNotPollable)
	want(t, syscall.Close(file), syscall.EBADF)
	_, err = poll.New(file, 0)
	want(t, err, syscall.EBADF)
}

// No descriptor of the poller's gets into a child.
func TestChildrenHaveNoPoller(t *testing.T) {
	testutil.Need(t, "ls")
	pair(t)
	ls, err := testutil.Command(t, "ls", "-l", "/proc/self/fd").CombinedOutput()
	check(t, err)
	if strings.Contains(string(ls), "eventpoll") {
		t.Errorf("the child has\n%s", ls)
	}
}

// A call that finds nothing for reasons of its own says nothing to a read that comes after it.
func TestNothingForOneCall(t *testing.T) {
	for name, call := range map[string]func(ctx context.Context, f *poll.FD) error{
		"CallRead": func(ctx context.Context, f *poll.FD) error { // it wants four bytes
			return f.CallRead(ctx, func(fd int) error {
				if queued(fd) < 4 {
					return syscall.EAGAIN
				}
				return nil
			})
		},
		"RawRead": func(ctx context.Context, f *poll.FD) error {
			return f.RawRead(ctx, func(fd uintptr) bool { return queued(int(fd)) >= 4 })
		},
		"RecvMsg": func(ctx context.Context, f *poll.FD) error {
			m := &poll.Message{Stream: true, Flags: syscall.MSG_ERRQUEUE}
			m.SetBuffer(make([]byte, 9))
			return f.RecvMsg(ctx, m)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := tcpPair(t)
			say(t, b, "abc", 0)
			await(t, func() bool {
				n := 0
				check(t, a.Control(func(fd int) error { n = queued(fd); return nil }))
				return n == 3
			})
			o, join := in(t, func(ctx context.Context) error { return call(ctx, a) })
			await(t, parked(o))
			cancel(o)
			want(t, join(), wait.ErrCancelled)
			if got := read(t, a); got != "abc" {
				t.Errorf("read %q", got)
			}
		})
	}
}

// A call during which there is always something new sees that its context is done.
func TestNewsWithoutEnd(t *testing.T) {
	a, b := pair(t)
	calls := 0
	_, join := in(t, func(ctx context.Context) error {
		return a.CallRead(ctx, func(fd int) error {
			if calls++; calls == 100 {
				cancel(wait.CurrentTask(ctx))
			}
			if calls == 100_000 {
				return errors.New("it goes on and on")
			}
			_, _ = syscall.Read(fd, make([]byte, 10))
			say(t, b, "x", 0)
			return syscall.EAGAIN
		})
	})
	want(t, join(), wait.ErrCancelled)
}

// Close lets those go on that use the other direction meanwhile, and what begins after it
// finds the FD closed at once.
func TestOperationsWhileClosing(t *testing.T) {
	a, _ := pair(t)
	closed := make(chan error, 1)
	err := a.CallWrite(context.Background(), func(int) error {
		go func() { closed <- a.Close() }()
		await(t, func() bool { return a.Queued(true) == 1 })
		_, err := a.Read(context.Background(), make([]byte, 1))
		want(t, err, net.ErrClosed)
		return nil
	})
	check(t, err)
	check(t, <-closed)

	a, _ = pair(t)
	check(t, a.Control(func(int) error {
		go func() { closed <- a.Close() }()
		await(t, func() bool { return a.Fd() < 0 })
		_, err := a.Read(context.Background(), make([]byte, 1))
		want(t, err, net.ErrClosed)
		m := &poll.Message{Flags: syscall.MSG_DONTWAIT}
		m.SetBuffer(make([]byte, 9))
		want(t, a.RecvMsg(context.Background(), m), net.ErrClosed)
		return nil
	}))
	check(t, <-closed)
}

// Close may be called in a bubble while somebody outside reads.
func TestCloseInABubble(t *testing.T) {
	for range 100 {
		a, _ := pair(t)
		o, join := in(t, func(ctx context.Context) error { _, err := a.Read(ctx, make([]byte, 1)); return err })
		await(t, parked(o))
		synctest.Test(t, func(t *testing.T) { check(t, a.Close()) })
		want(t, join(), net.ErrClosed)
	}
}

// The system bounds how often one thing may be watched.
func TestWatchedOften(t *testing.T) {
	a, _ := pair(t)
	for range 700 {
		fd, err := a.Dup()
		check(t, err)
		own(t, fd, syscall.SOCK_STREAM)
	}
	var r [2]int
	check(t, syscall.Pipe2(r[:], syscall.O_CLOEXEC))
	defer syscall.Close(r[0])
	task := newTask(t)
	var waiting sync.WaitGroup
	for range 400 {
		waiting.Go(func() { want(t, poll.WaitFD(&task.Scope, r[0], false), nil) })
	}
	await(t, func() bool { return task.Waiters() == 400 })
	syscall.Close(r[1])
	waiting.Wait()
}

// There is always room for nothing.
func TestEmptyWrite(t *testing.T) {
	a, _ := tcpPair(t)
	fill(t, a)
	o, join := in(t, func(ctx context.Context) error { _, err := a.Write(ctx, []byte("x")); return err })
	await(t, parked(o))
	cancel(o)
	want(t, join(), wait.ErrCancelled)
	for _, write := range []func(context.Context, []byte) (int, error){a.Write, a.WriteAll} {
		_, err := write(context.Background(), nil)
		check(t, err)
	}
}

// The poller's goroutine has nothing of the one that opened the first descriptor.
func TestPollerHasNoLabels(t *testing.T) {
	poll.LingersFor(t, 0)
	await(t, func() bool { return !poll.Polling() })
	pprof.Do(context.Background(), pprof.Labels("task", "of somebody"), func(context.Context) { pair(t) })
	var profile strings.Builder
	check(t, pprof.Lookup("goroutine").WriteTo(&profile, 1))
	for p := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(p, "pollLoop") && strings.Contains(p, "of somebody") {
			t.Errorf("%s", p)
		}
	}
}

// An epoll that reports too few or too many events fails the trial.
func TestTrial(t *testing.T) {
	if !poll.EpollPasses(nil) {
		t.Error("this system's epoll fails")
	}
	for what, wrong := range map[string]func(round, n int) (int, syscall.Errno){
		"tells nothing":            func(int, int) (int, syscall.Errno) { return 0, 0 },
		"tells only the first":     func(round, n int) (int, syscall.Errno) { return n & -(1 - min(round/4, 1)), 0 },
		"tells again and again":    func(_, n int) (int, syscall.Errno) { return 1, 0 },
		"is not there":             func(int, int) (int, syscall.Errno) { return 0, syscall.ENOSYS },
		"tells only what is below": func(round, n int) (int, syscall.Errno) { return n * (round % 2), 0 },
	} {
		if poll.EpollPasses(wrong) {
			t.Errorf("one that %s passes", what)
		}
	}
	before := descriptors()
	poll.EpollPasses(nil)
	if after := descriptors(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// Neither poller starves the other. While descriptors on our poller are busy, the runtime would
// look at its own poller only every 10 ms, from its monitor thread, and each message on one of
// its descriptors would take that long.
func TestBothPollersServe(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // no other processor asks the runtime's poller
	busy, cancelBusy := context.WithCancel(context.Background())
	var players sync.WaitGroup
	defer players.Wait()
	defer cancelBusy()
	play := func(served func()) {
		a, b := tcpPair(t)
		for i, f := range []*poll.FD{a, b} {
			players.Go(func() {
				buf := make([]byte, 10)
				for n := i; ; n++ {
					if n > 0 {
						if _, err := f.Write(busy, []byte("x")); err != nil {
							return
						}
					}
					if _, err := f.Read(busy, buf); err != nil {
						return
					}
					served()
				}
			})
		}
	}
	var crowd, few atomic.Int64
	for range 32 {
		play(func() { crowd.Add(1) })
	}
	poll.OnTheRuntimes(t)
	const enough = 200
	end := make(chan struct{})
	before := testutil.ProcessorTime()
	for range 2 {
		play(func() {
			if few.Add(1) == enough {
				close(end)
			}
		})
	}
	<-end
	// A pair of the few has had half of its messages one after the other. If they were starved,
	// the crowd would have had hundreds of turns for each of them; that they took long says little
	// by itself, for the race detector may have made everything slow.
	each, most := (testutil.ProcessorTime()-before)/(enough/2), 3*time.Millisecond
	n := crowd.Load()
	if each > most && n > 50*enough {
		t.Errorf("each message of the few took %v of the processor's time, and %d of the crowd's messages", each, n/enough)
	}
	if n < enough {
		t.Errorf("the crowd has had only %d messages meanwhile", n)
	}
}

// If no descriptor is left for our poller, the runtime's poller is used.
func TestNoDescriptorForThePoller(t *testing.T) {
	poll.LingersFor(t, 0)
	await(t, func() bool { return !poll.Polling() })
	ends, err := poll.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	check(t, err)
	var a, b *poll.FD
	withoutDescriptors(t, func() {
		var errA, errB error
		a, errA = poll.New(ends[0], syscall.SOCK_STREAM)
		b, errB = poll.New(ends[1], syscall.SOCK_STREAM)
		err = errors.Join(errA, errB)
	})
	check(t, err)
	if poll.Polling() {
		t.Error("our poller runs")
	}
	say(t, a, "hello", 0)
	if got := read(t, b); got != "hello" {
		t.Errorf("%q", got)
	}
	check(t, errors.Join(a.Close(), b.Close()))
}
