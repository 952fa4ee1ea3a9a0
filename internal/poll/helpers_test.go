package poll_test

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/internal/waittest"
)

// What a test does in the name of a task.
var (
	newTask = waittest.Task
	cancel  = waittest.Cancel
	in      = waittest.In
)

// TestMain sees to it that the tests leave no goroutine and no descriptor behind.
func TestMain(m *testing.M) {
	r, w, err := os.Pipe() // starts the runtime's poller, which has descriptors of its own
	if err != nil {
		panic(err)
	}
	r.Close()
	w.Close()
	poll.OnOurs()
	goroutines, descriptors := runtime.NumGoroutine(), descriptors()
	code := m.Run()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		os.Exit(code) // fuzzing listens for signals for ever
	}
	if code == 0 && !left(func() bool { return runtime.NumGoroutine() <= goroutines }) {
		stacks := make([]byte, 1<<20)
		fmt.Printf("goroutines left behind:\n%s\n", stacks[:runtime.Stack(stacks, true)])
		code = 1
	}
	if code == 0 && !left(func() bool { return len(openDescriptors()) <= descriptors }) {
		fmt.Printf("descriptors left behind: %v\n", openDescriptors())
		code = 1
	}
	os.Exit(code)
}

func left(gone func() bool) bool {
	for began := time.Now(); time.Since(began) < 5*time.Second; runtime.Gosched() {
		if gone() {
			return true
		}
	}
	return false
}

func descriptors() int { return len(openDescriptors()) }

// openDescriptors lists the open descriptors, except our poller's, which comes and goes.
// It is empty where there is no /proc.
func openDescriptors() (open []string) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if n, _ := strconv.Atoi(e.Name()); poll.IsOwn(n) {
			continue
		}
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil {
			open = append(open, e.Name()+" "+target)
		}
	}
	return open
}

// await waits until cond holds.
func await(t testing.TB, cond func() bool) {
	t.Helper()
	for began := time.Now(); !cond(); runtime.Gosched() {
		if time.Since(began) > 20*time.Second {
			t.Fatal("it does not come true")
		}
	}
}

func parked(o *wait.Owner) func() bool {
	return func() bool { _, ok := o.Parked(); return ok }
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("%v, want %v", err, target)
	}
}

func own(t testing.TB, sysfd, typ int) *poll.FD {
	t.Helper()
	f, err := poll.New(sysfd, typ)
	check(t, err)
	t.Cleanup(func() {
		if err := f.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return f
}

// pair makes two connected stream sockets.
func pair(t testing.TB) (a, b *poll.FD) {
	t.Helper()
	fds, err := poll.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	check(t, err)
	return own(t, fds[0], syscall.SOCK_STREAM), own(t, fds[1], syscall.SOCK_STREAM)
}

// tcpPair makes two sockets of TCP that are connected with each other.
func tcpPair(t testing.TB) (a, b *poll.FD) {
	t.Helper()
	listener, err := poll.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	check(t, err)
	defer syscall.Close(listener)
	check(t, syscall.Bind(listener, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	check(t, syscall.Listen(listener, 1))
	addr, err := syscall.Getsockname(listener)
	check(t, err)
	one, err := poll.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	check(t, err)
	if err := syscall.Connect(one, addr); err != nil && err != syscall.EINPROGRESS {
		t.Fatal(err)
	}
	check(t, syscall.SetNonblock(listener, false))
	two, _, err := syscall.Accept(listener)
	check(t, err)
	check(t, syscall.SetNonblock(two, true))
	a, b = own(t, one, syscall.SOCK_STREAM), own(t, two, syscall.SOCK_STREAM)
	a.SetPlain()
	b.SetPlain()
	return a, b
}

// eachPair runs test with connections of which a short read says nothing, and of which it
// says that there is no more.
func eachPair(t *testing.T, test func(t *testing.T, a, b *poll.FD)) {
	for name, make := range map[string]func(testing.TB) (a, b *poll.FD){"unix": pair, "tcp": tcpPair} {
		t.Run(name, func(t *testing.T) {
			a, b := make(t)
			test(t, a, b)
		})
	}
}

// pipe makes a pipe.
func pipe(t testing.TB) (r, w *poll.FD) {
	t.Helper()
	var fds [2]int
	check(t, syscall.Pipe(fds[:]))
	for _, fd := range fds {
		check(t, syscall.SetNonblock(fd, true))
	}
	return own(t, fds[0], 0), own(t, fds[1], 0)
}

// fill writes until there is no more room, and returns how much that was.
func fill(t testing.TB, f *poll.FD) (n int) {
	t.Helper()
	check(t, f.Control(func(fd int) error {
		block := make([]byte, 4096)
		for {
			k, err := syscall.Write(fd, block)
			if err == syscall.EAGAIN {
				return nil
			}
			if err != nil {
				return err
			}
			n += k
		}
	}))
	return n
}

// withoutDescriptors calls f while no descriptor can be opened.
func withoutDescriptors(t testing.TB, f func()) {
	t.Helper()
	next, err := syscall.Dup(0)
	check(t, err)
	check(t, syscall.Close(next))
	var limit syscall.Rlimit
	check(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	low := limit
	lower(&low.Cur, next)
	check(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low))
	f()
	check(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
}

// lower is for a field that is signed on some systems and unsigned on others.
func lower[T int64 | uint64](field *T, n int) { *field = T(n) }
