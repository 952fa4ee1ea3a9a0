package socket_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

func nonblocking(t testing.TB, fd int) bool {
	t.Helper()
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	return flags&syscall.O_NONBLOCK != 0
}

func closedOnExec(t testing.TB, fd int) bool {
	t.Helper()
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	return flags&syscall.FD_CLOEXEC != 0
}

// What cannot be adopted stays its owner's, as it was.
func TestFromFDRefuses(t *testing.T) {
	testutil.NoLeaks(t)
	file, err := os.Open(t.TempDir())
	check(t, err)
	defer file.Close()
	r, w, err := os.Pipe()
	check(t, err)
	defer r.Close()
	defer w.Close()
	for _, c := range []struct {
		name string
		fd   int
		want syscall.Errno
	}{
		{"directory", int(file.Fd()), syscall.ENOTSOCK},
		{"pipe", int(r.Fd()), syscall.ENOTSOCK}, // Fd has made it blocking
		{"not open", 1 << 20, syscall.EBADF},
		{"negative", -1, syscall.EBADF},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := socket.FromFD(c.fd)
			var wrapped *net.OpError
			if s != nil || !errors.Is(err, c.want) || !errors.As(err, &wrapped) || wrapped.Op != "fromfd" || wrapped.Net == "" {
				t.Errorf("%v, %v", s, err)
			}
			if c.want == syscall.ENOTSOCK && nonblocking(t, c.fd) {
				t.Error("it is non-blocking now")
			}
		})
	}
}

// Connected, listening and fresh ones, of each family and type.
func TestFromFD(t *testing.T) {
	for name, c := range map[string]struct{ family, typ int }{
		"tcp":     {syscall.AF_INET, syscall.SOCK_STREAM},
		"tcp6":    {syscall.AF_INET6, syscall.SOCK_STREAM},
		"udp":     {syscall.AF_INET, syscall.SOCK_DGRAM},
		"unix":    {syscall.AF_UNIX, syscall.SOCK_STREAM},
		"unixmsg": {syscall.AF_UNIX, syscall.SOCK_DGRAM},
	} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			fd, err := syscall.Socket(c.family, c.typ, 0) // blocking, inherited by children
			check(t, err)
			s, err := socket.FromFD(fd)
			check(t, err)
			if !nonblocking(t, s.FD()) || !closedOnExec(t, s.FD()) {
				t.Error("it blocks, or is inherited")
			}
			if _, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE); fd != s.FD() && err != syscall.EBADF {
				t.Errorf("number %d is not free: %v", fd, err)
			}
			check(t, s.Close())
		})
	}
}

// What Detach gives away can be adopted, and the connection goes on in another Socket:
// test_fromfd_tcp_echo of Curio.
func TestDetachAndFromFD(t *testing.T) {
	testutil.NoLeaks(t)
	a, b := tcpPair(t)
	reader, joinReader := in(t, func(ctx context.Context) error { _, err := a.Recv(ctx, make([]byte, 1)); return err })
	await(t, parked(reader))
	fd, err := a.Detach()
	check(t, err)
	want(t, joinReader(), net.ErrClosed)
	want(t, a.Close(), net.ErrClosed)
	if !nonblocking(t, fd) || !closedOnExec(t, fd) {
		t.Error("it blocks, or is inherited")
	}
	if n, err := a.Detach(); n != -1 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("again: %d, %v", n, err)
	}
	again, err := socket.FromFD(fd)
	check(t, err)
	closing(t, again)
	if again.RemoteAddr().String() != b.LocalAddr().String() {
		t.Errorf("connected to %v, and not to %v", again.RemoteAddr(), b.LocalAddr())
	}
	exchange(t, again, b)
	exchange(t, b, again)
}

// Of two who detach one gets the descriptor.
func TestDetachRace(t *testing.T) {
	testutil.NoLeaks(t)
	for range 300 {
		a, b := unixPair(t)
		detach := func(context.Context) error {
			fd, err := a.Detach()
			if err == nil {
				err = syscall.Close(fd)
			}
			return err
		}
		_, one := in(t, detach)
		_, two := in(t, detach)
		_, three := in(t, func(context.Context) error { return a.Close() })
		won := 0
		for _, join := range []func() error{one, two, three} {
			if err := join(); err == nil {
				won++
			} else {
				want(t, err, net.ErrClosed)
			}
		}
		if won != 1 {
			t.Fatalf("%d have won", won)
		}
		check(t, b.Close())
	}
}

// dialled are a listener of package net and a connection to it.
func dialled(t *testing.T, network, addr string) (l net.Listener, client, server net.Conn) {
	t.Helper()
	l, err := net.Listen(network, addr)
	check(t, err)
	t.Cleanup(func() { l.Close() })
	client, err = net.Dial(network, l.Addr().String())
	check(t, err)
	t.Cleanup(func() { client.Close() })
	server, err = l.Accept()
	check(t, err)
	t.Cleanup(func() { server.Close() })
	return l, client, server
}

func TestFromConn(t *testing.T) {
	for network, addr := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "s")} {
		t.Run(network, func(t *testing.T) {
			testutil.NoLeaks(t)
			l, client, server := dialled(t, network, addr)
			s, err := socket.FromConn(server.(syscall.Conn))
			check(t, err)
			closing(t, s)
			_, err = client.Write([]byte("ab"))
			check(t, err)
			buf := make([]byte, 1)
			if _, err := server.Read(buf); err != nil || buf[0] != 'a' {
				t.Errorf("the original: %q, %v", buf, err)
			}
			if _, err := s.Recv(context.Background(), buf); err != nil || buf[0] != 'b' {
				t.Errorf("the socket: %q, %v", buf, err)
			}
			waiter, join := in(t, s.WaitRead)
			await(t, parked(waiter))
			check(t, server.Close()) // which wakes nobody here
			_, err = client.Write([]byte("c"))
			check(t, err)
			check(t, join())
			if _, err := s.Recv(context.Background(), buf); err != nil || buf[0] != 'c' {
				t.Errorf("after the original was closed: %q, %v", buf, err)
			}
			check(t, s.Close())
			if _, err := client.Read(buf); err != io.EOF {
				t.Errorf("%v, want the end", err)
			}

			if u, ok := l.(*net.UnixListener); ok {
				u.SetUnlinkOnClose(false)
			}
			listener, err := socket.FromConn(l.(syscall.Conn))
			check(t, err)
			closing(t, listener)
			address := listener.LocalAddr()
			check(t, l.Close())
			dial, err := net.Dial(network, address.String())
			check(t, err)
			defer dial.Close()
			accepted, err := listener.Accept(context.Background())
			check(t, err)
			check(t, accepted.Close())
		})
	}
}

func TestFromConnDatagram(t *testing.T) {
	testutil.NoLeaks(t)
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: localhost.IP})
	check(t, err)
	defer c.Close()
	s, err := socket.FromConn(c)
	check(t, err)
	closing(t, s)
	for _, text := range []string{"", "hello"} {
		_, err = c.WriteTo([]byte(text), c.LocalAddr())
		check(t, err)
		b, err := s.RecvBuffer(context.Background())
		check(t, err)
		if string(b.Bytes()) != text {
			t.Errorf("%q, want %q", b.Bytes(), text)
		}
		b.Release()
	}
}

// An os.File that is a socket, and things that are none.
func TestFromConnFile(t *testing.T) {
	testutil.NoLeaks(t)
	a, b := unixPair(t)
	file, err := a.File()
	check(t, err)
	s, err := socket.FromConn(file)
	check(t, err)
	closing(t, s)
	check(t, file.Close())
	exchange(t, s, b)
	_, err = socket.FromConn(file)
	want(t, err, os.ErrClosed)

	r, w, err := os.Pipe()
	check(t, err)
	defer r.Close()
	defer w.Close()
	_, err = socket.FromConn(r)
	want(t, err, syscall.ENOTSOCK)
	_, err = r.Stat()
	check(t, err)
	_, err = socket.FromConn((*os.File)(nil))
	want(t, err, os.ErrInvalid)

	twin, err := socket.FromConn(a) // a Socket is a syscall.Conn itself
	check(t, err)
	closing(t, twin)
	exchange(t, b, twin)
	defer func() {
		if recover() == nil {
			t.Error("no panic for nil")
		}
	}()
	_, _ = socket.FromConn(nil)
}

// No descriptors left: nothing is closed that is not ours, and nothing is left behind.
func TestAdoptWithoutDescriptors(t *testing.T) {
	a, b := unixPair(t)
	fd, err := a.Detach()
	check(t, err)
	release := exhaust(t)
	s, err := socket.FromFD(fd)
	_, dupErr := b.Dup()
	_, fileErr := b.File()
	_, detachErr := b.Detach()
	release()
	if s != nil {
		t.Fatal("it has succeeded")
	}
	for _, err := range []error{err, dupErr, fileErr, detachErr} {
		want(t, err, syscall.EMFILE)
	}
	s, err = socket.FromFD(fd)
	check(t, err)
	closing(t, s)
	exchange(t, b, s)
	want(t, errors.Join(b.Close(), s.Close()), nil)
}

// exhaust lowers the limit until no descriptor can be had.
func exhaust(t *testing.T) (release func()) {
	t.Helper()
	var before syscall.Rlimit
	check(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before))
	limit := before
	free, err := syscall.Dup(0)
	check(t, err)
	check(t, syscall.Close(free))
	setNumber(&limit.Cur, free)
	check(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	done := false
	release = func() {
		if !done {
			done = true
			check(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before))
		}
	}
	t.Cleanup(release)
	return release
}

// setNumber is for a field that has its sign on some systems.
func setNumber[T int64 | uint64](field *T, n int) { *field = T(n) }

// Two tasks wait for two duplicates: for data both, and for room and data.
func TestDup(t *testing.T) {
	testutil.NoLeaks(t)
	a, b := unixPair(t)
	twin, err := a.Dup()
	check(t, err)
	closing(t, twin)
	if !closedOnExec(t, twin.FD()) || !nonblocking(t, twin.FD()) {
		t.Error("it is inherited, or blocks")
	}
	n := fill(t, a)
	receiver, received := in(t, func(ctx context.Context) error { _, err := a.Recv(ctx, make([]byte, 1)); return err })
	sender, sent := in(t, func(ctx context.Context) error { _, err := twin.SendAll(ctx, []byte("x")); return err })
	await(t, parked(receiver))
	await(t, parked(sender))
	check(t, a.Close())
	want(t, received(), net.ErrClosed)
	if !parked(sender)() {
		t.Error("the other was disturbed")
	}
	drain(t, b, n+1)
	check(t, sent())
	receiver, received = in(t, func(ctx context.Context) error { _, err := twin.Recv(ctx, make([]byte, 1)); return err })
	await(t, parked(receiver))
	cancel(receiver)
	want(t, received(), wait.ErrTaskCancelled)
	exchange(t, b, twin)
	check(t, twin.Close())
	if _, err := b.Recv(context.Background(), make([]byte, 1)); err != io.EOF {
		t.Errorf("%v, want the end", err)
	}
	_, err = twin.Dup()
	want(t, err, net.ErrClosed)
	_, err = twin.File()
	want(t, err, net.ErrClosed)
	_, err = new(socket.Socket).Dup()
	want(t, err, syscall.EINVAL)
}
