package network_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// inNetwork runs body in a network namespace of its own, in which there is only loopback.
// It skips the test if that is not permitted here. The namespace is that of one thread:
// body is to start no goroutines.
func inNetwork(t *testing.T, body func()) {
	t.Helper()
	unable := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if syscall.Gettid() != os.Getpid() {
			unable <- inUnshared(body) // and never unlocked: the thread ends with the goroutine
			return
		}
		// The first thread does not end, and /proc/net is what it sees.
		defer runtime.UnlockOSThread()
		other := make(chan struct{})
		go func() {
			defer close(other)
			runtime.LockOSThread()
			unable <- inUnshared(body)
		}()
		<-other
	}()
	testutil.Receive(t, "end in the other network", done)
	if err := <-unable; err != nil {
		t.Skipf("no network namespace can be made here: %v", err)
	}
}

// inUnshared gives the thread a network namespace of its own.
func inUnshared(body func()) error {
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if err := exec.Command("ip", "link", "set", "lo", "up").Run(); err != nil {
		return err
	}
	body()
	return nil
}

// With just two ports for the system to choose from, one that nobody listens on is often
// the one that is chosen to connect from: the connection would be one with itself.
func TestNotWithItself(t *testing.T) {
	testutil.NoLeaks(t)
	for _, ports := range []string{"40000 40001", "40001 40001"} {
		inNetwork(t, func() {
			if err := os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte(ports), 0); err != nil {
				t.Error(err)
				return
			}
			for range 20 {
				conn, err := network.OpenConnection(t.Context(), "127.0.0.1:40001", nil)
				if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.EADDRNOTAVAIL) {
					t.Errorf("ports %s: %v, %v", ports, conn, err)
				}
				if conn != nil {
					conn.Close()
				}
			}
		})
	}
}

// A name has IPv6 addresses, and this machine no way to them: that costs no time.
func TestNoRoute(t *testing.T) {
	testutil.NoLeaks(t)
	inNetwork(t, func() {
		conn, err := network.OpenConnection(t.Context(), "[2001:db8::1]:80", nil)
		if !errors.Is(err, syscall.ENETUNREACH) || conn != nil {
			t.Errorf("%v, %v", conn, err)
		}
	})
}

// Abstract names are of no file system, and may be a byte longer.
func TestAbstractName(t *testing.T) {
	testutil.NoLeaks(t)
	path := "@" + filepath.Join(t.TempDir(), "abstract")
	conns := acceptingUnix(t, path)
	conn, err := network.OpenUnixConnection(context.Background(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	peer := testutil.Receive(t, "connection", conns)
	defer peer.Close()
	if got := conn.RemoteAddr().(*net.UnixAddr).Name; got != path {
		t.Errorf("it is connected with %s", got)
	}
}
