package testutil

import (
	"errors"
	"net"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Refusing returns an address of loopback that refuses connections, and that nobody
// else gets before the test ends.
func Refusing(t testing.TB) string {
	t.Helper()
	_, addr := bound(t)
	return addr
}

// Mute returns an address of loopback at which attempts to connect are neither
// answered nor refused: the queue of connections to accept is full.
func Mute(t testing.TB) string {
	t.Helper()
	fd, addr := bound(t)
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	// The first gets in. On Linux nobody else does, as there is room for one, so what
	// follows only confirms it; elsewhere there may be room for some more.
	for patience := Patience; ; patience = 15 * time.Millisecond {
		if runtime.GOOS != "linux" && patience < Patience {
			patience = 100 * time.Millisecond
		}
		conn, err := net.DialTimeout("tcp", addr, patience)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return addr
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
	}
}

// bound makes a socket with a port of its own, which does not listen.
func bound(t testing.TB) (fd int, addr string) {
	t.Helper()
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(os.NewSyscallError("socket", err))
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(os.NewSyscallError("bind", err))
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(os.NewSyscallError("getsockname", err))
	}
	port := name.(*syscall.SockaddrInet4).Port
	return fd, net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
