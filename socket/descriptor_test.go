package socket_test

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/socket"
)

// A child process gets the socket and talks through it.
func TestFileForChild(t *testing.T) {
	testutil.Need(t, "sh")
	testutil.NoLeaks(t)
	a, b := tcpPair(t)
	file, err := a.File()
	check(t, err)
	child := testutil.Command(t, "sh", "-c", "echo hello >&3")
	child.ExtraFiles = []*os.File{file}
	check(t, child.Run())
	check(t, file.Close())
	buf := make([]byte, 100)
	n, err := b.Recv(context.Background(), buf)
	check(t, err)
	if string(buf[:n]) != "hello\n" {
		t.Errorf("%q", buf[:n])
	}
	if !nonblocking(t, a.FD()) {
		t.Error("it blocks now")
	}
	exchange(t, a, b)
}

func TestSyscallConn(t *testing.T) {
	a, _ := unixPair(t)
	var conn syscall.Conn = a
	raw, err := conn.SyscallConn()
	check(t, err)
	got := -1
	check(t, raw.Control(func(fd uintptr) { got = int(fd) }))
	if got != a.FD() {
		t.Errorf("%d, want %d", got, a.FD())
	}
	nothing := func(uintptr) bool { t.Error("it was called"); return true }
	want(t, raw.Read(nothing), errors.ErrUnsupported)
	want(t, raw.Write(nothing), errors.ErrUnsupported)
	check(t, a.Close())
	want(t, raw.Control(func(uintptr) { t.Error("it was called") }), net.ErrClosed)
	_, err = new(socket.Socket).SyscallConn()
	want(t, err, syscall.EINVAL)
}

// A system call of the test's own: recv(2) that only looks, and readv(2)'s kind of
// error.
func TestReadCallAndWriteCall(t *testing.T) {
	a, b := unixPair(t)
	peeked := ""
	o, join := in(t, func(ctx context.Context) error {
		return a.ReadCall(ctx, func(fd int) error {
			buf := make([]byte, 10)
			n, _, err := syscall.Recvfrom(fd, buf, syscall.MSG_PEEK)
			peeked = string(buf[:max(n, 0)])
			return os.NewSyscallError("recvfrom", err)
		})
	})
	await(t, parked(o))
	if shown, _ := o.Parked(); shown.Op != "READ_WAIT" {
		t.Errorf("shown as %q", shown.Op)
	}
	interrupted := false
	check(t, b.WriteCall(context.Background(), func(fd int) error {
		if !interrupted {
			interrupted = true
			return syscall.EINTR
		}
		_, err := syscall.Write(fd, []byte("hello"))
		return err
	}))
	check(t, join())
	if peeked != "hello" || !interrupted {
		t.Errorf("%q", peeked)
	}
	own := errors.New("of the caller's own")
	if err := a.WriteCall(context.Background(), func(int) error { return own }); err != own {
		t.Errorf("%v", err)
	}
	func() {
		defer func() {
			if v := recover(); v != "now" {
				t.Errorf("%v", v)
			}
		}()
		_ = a.ReadCall(context.Background(), func(int) error { panic("now") })
	}()
	buf := make([]byte, 10)
	if n, err := a.Recv(context.Background(), buf); err != nil || string(buf[:n]) != "hello" {
		t.Errorf("%q, %v", buf[:n], err)
	}
}
