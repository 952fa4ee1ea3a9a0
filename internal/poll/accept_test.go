package poll_test

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

// listen makes a listening Unix socket.
func listen(t testing.TB) *poll.FD {
	t.Helper()
	sysfd, err := poll.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	check(t, err)
	f := own(t, sysfd, syscall.SOCK_STREAM)
	check(t, syscall.Bind(sysfd, &syscall.SockaddrUnix{Name: filepath.Join(t.TempDir(), "s")}))
	check(t, syscall.Listen(sysfd, 128))
	return f
}

func address(t testing.TB, f *poll.FD) (sa syscall.Sockaddr) {
	t.Helper()
	check(t, f.Control(func(fd int) (err error) { sa, err = syscall.Getsockname(fd); return err }))
	return sa
}

// name returns sa as a poll.Name.
func name(t testing.TB, sa syscall.Sockaddr) *poll.Name {
	t.Helper()
	n := new(poll.Name)
	if !n.Set(sa) {
		t.Fatalf("no name: %#v", sa)
	}
	return n
}

func flags(t testing.TB, fd int) (status, descriptor uintptr) {
	t.Helper()
	status, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	descriptor, _, errno = syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	return status, descriptor
}

// Whatever this package makes is non-blocking and closed on exec from birth.
func TestBornWithFlags(t *testing.T) {
	l := listen(t)
	client, err := poll.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	check(t, err)
	c := own(t, client, syscall.SOCK_STREAM)
	check(t, c.Connect(context.Background(), name(t, address(t, l))))
	accepted, _, err := l.Accept(context.Background())
	check(t, err)
	own(t, accepted, syscall.SOCK_STREAM)
	a, b := pair(t)
	for _, fd := range []int{client, accepted, a.Fd(), b.Fd()} {
		status, descriptor := flags(t, fd)
		if status&syscall.O_NONBLOCK == 0 || descriptor&syscall.FD_CLOEXEC == 0 {
			t.Errorf("fd %d: %#x, %#x", fd, status, descriptor)
		}
	}
}

// A full queue of a Unix listener is waited for, as a blocking connect(2) does.
func TestConnectWaitsForRoom(t *testing.T) {
	l := listen(t)
	check(t, l.Control(func(fd int) error { return syscall.Listen(fd, 0) }))
	to := address(t, l)
	queued := 0
	for {
		fd, err := poll.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		check(t, err)
		own(t, fd, syscall.SOCK_STREAM)
		if err := syscall.Connect(fd, to); err == syscall.EAGAIN {
			break
		} else {
			check(t, err)
		}
		queued++
	}
	fd, err := poll.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	check(t, err)
	client := own(t, fd, syscall.SOCK_STREAM)
	connect := func(ctx context.Context) error { return client.Connect(ctx, name(t, to)) }

	o, join := in(t, connect)
	await(t, parked(o))
	cancel(o)
	want(t, join(), wait.ErrTaskCancelled)

	o, join = in(t, connect)
	await(t, parked(o))
	for range queued + 1 {
		fd, _, err := l.Accept(context.Background())
		check(t, err)
		syscall.Close(fd)
	}
	check(t, join())
}

func TestConnectRefused(t *testing.T) {
	sysfd, err := poll.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	check(t, err)
	placeholder := own(t, sysfd, syscall.SOCK_STREAM)
	check(t, syscall.Bind(sysfd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	client, err := poll.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	check(t, err)
	if err := own(t, client, syscall.SOCK_STREAM).Connect(context.Background(), name(t, address(t, placeholder))); err != syscall.ECONNREFUSED {
		t.Error(err)
	}
}

// A connection that comes at the moment at which Accept is cancelled is not lost.
func TestAcceptRace(t *testing.T) {
	listener := listen(t)
	var dialled atomic.Int64
	var accepted int64
	take := func(ctx context.Context) error {
		fd, _, err := listener.Accept(ctx)
		if err == nil {
			accepted++
			return syscall.Close(fd)
		}
		return err
	}
	race(t,
		func(*rand.Rand) error {
			fd, err := poll.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			defer syscall.Close(fd)
			if err := syscall.Connect(fd, address(t, listener)); err != nil {
				return err
			}
			dialled.Add(1)
			return nil
		},
		func(ctx context.Context, i int) error {
			err := take(ctx)
			if i%50 == 49 { // let the queue not grow without end
				for accepted < dialled.Load()-1 {
					check(t, take(context.Background()))
				}
			}
			return err
		})
	for accepted < dialled.Load() {
		check(t, take(context.Background()))
	}
	s := wait.NewTimeout(&newTask(t).Scope, wait.After(1_000_000))
	defer s.Close()
	want(t, take(s), wait.ErrTaskTimeout)
}
