package monitor_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/monitor"
)

// The socket has mode 0600 from the moment that it has a name, whatever the umask.
func TestSocketIsBornPrivate(t *testing.T) {
	testutil.NoLeaks(t)
	path := filepath.Join(sockets(t), "m.sock")
	was := syscall.Umask(0)
	defer syscall.Umask(was)
	var stop atomic.Bool
	var watching sync.WaitGroup
	watching.Go(func() {
		for !stop.Load() {
			if info, err := os.Lstat(path); err == nil && info.Mode().Perm() != 0o600 {
				t.Errorf("its mode is %v", info.Mode())
				return
			}
			runtime.Gosched()
		}
	})
	for range testutil.Times(2000) {
		s, err := monitor.On(path)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(path); err != nil || info.Mode() != fs.ModeSocket|0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("after Close: %v", err)
		}
	}
	stop.Store(true)
	watching.Wait()
}

// A socket on which nobody listens is replaced, and nothing else is.
func TestWhatIsInTheWay(t *testing.T) {
	testutil.NoLeaks(t)
	dir := sockets(t)
	path := filepath.Join(dir, "m.sock")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := monitor.On(path); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("while another listens: %v", err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	s, err := monitor.On("unix:" + path)
	if err != nil {
		t.Fatalf("on a stale socket: %v", err)
	}
	if s.Addr() != "unix:"+path || s.URL() != "" {
		t.Errorf("its address is %s, its URL %q", s.Addr(), s.URL())
	}
	if _, err := monitor.On(path); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("while the first listens: %v", err)
	}
	// Somebody puts a file of its own there: that stays.
	if err := errors.Join(os.Remove(path), os.WriteFile(path, []byte("mine"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if _, err := monitor.On(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("on a file: %v", err)
	}
	if text, err := os.ReadFile(path); string(text) != "mine" {
		t.Errorf("the file: %q, %v", text, err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := monitor.On(link); !errors.Is(err, fs.ErrExist) {
		t.Errorf("on a symbolic link: %v", err)
	}
	for addr, want := range map[string]string{
		"unix:":                            "empty",
		"unix:@monitor":                    "abstract",
		"unix:\x00monitor":                 "abstract",
		"/tmp/" + strings.Repeat("x", 200): "at most",
		filepath.Join(dir, "no", "m"):      "no such file",
		"monitor":                          "neither a path nor host:port",
		"":                                 "neither a path nor host:port",
	} {
		if s, err := monitor.On(addr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", addr, err)
			if err == nil {
				s.Close()
			}
		}
	}
	s, err = monitor.On(filepath.Join(dir, "%p.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if want := fmt.Sprintf("unix:%s/%d.sock", dir, os.Getpid()); s.Addr() != want {
		t.Errorf("its address is %s, want %s", s.Addr(), want)
	}
}

// Of several that find the same stale socket, one gets the path, and it works.
func TestManyFindAStaleSocket(t *testing.T) {
	testutil.NoLeaks(t)
	path := filepath.Join(sockets(t), "m.sock")
	for range testutil.Times(200) {
		stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		stale.SetUnlinkOnClose(false)
		stale.Close()
		var servers [4]*monitor.Server
		var errs [len(servers)]error
		var starting sync.WaitGroup
		for i := range servers {
			starting.Go(func() {
				servers[i], errs[i] = monitor.On(path)
			})
		}
		starting.Wait()
		won := 0
		for i, s := range servers {
			switch {
			case s != nil:
				won++
			case !errors.Is(errs[i], syscall.EADDRINUSE) || !strings.Contains(errs[i].Error(), "listen unix "):
				t.Errorf("one that lost: %v", errs[i])
			}
		}
		if won != 1 {
			t.Errorf("%d have got the path", won)
		}
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Errorf("nobody listens: %v", err)
		} else {
			conn.Close()
		}
		for _, s := range servers {
			if s != nil {
				s.Close()
			}
		}
	}
}

// What is reached from other machines is refused, by the address that it really is.
func TestLoopbackOnly(t *testing.T) {
	testutil.NoLeaks(t)
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0"} {
		s, err := monitor.On(addr)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "reached from other machines") {
			t.Errorf("%s: %v", addr, err)
		}
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		ip := a.(*net.IPNet).IP
		if ip.IsLoopback() || ip.To4() == nil {
			continue
		}
		if s, err := monitor.On(net.JoinHostPort(ip.String(), "0")); err == nil || !strings.Contains(err.Error(), "reached from other machines") {
			t.Errorf("%s: %v", ip, err)
			if err == nil {
				s.Close()
			}
		}
	}
	for _, addr := range []string{"127.0.0.1:0", "[::ffff:127.0.0.1]:0", "localhost:0", "LocalHost:0"} {
		s, err := monitor.On(addr)
		if err != nil {
			t.Errorf("%s: %v", addr, err)
			continue
		}
		if at, err := netip.ParseAddrPort(s.Addr()); err != nil || !at.Addr().Unmap().IsLoopback() || at.Port() == 0 {
			t.Errorf("%s: it listens on %s", addr, s.Addr())
		}
		if again, err := monitor.On(s.Addr()); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%s a second time: %v", s.Addr(), err)
			if err == nil {
				again.Close()
			}
		}
		s.Close()
	}
}

// The name localhost stands for both addresses, with one port.
func TestLocalhost(t *testing.T) {
	testutil.NeedIPv6(t)
	testutil.NoLeaks(t)
	s, err := monitor.On("localhost:0", monitor.Token(token))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, port, _ := net.SplitHostPort(s.Addr())
	for _, host := range []string{"127.0.0.1", "::1"} {
		if status, _, _ := do(t, net.JoinHostPort(host, port), request{path: "/api/tasks", header: withToken}); status != 200 {
			t.Errorf("%s: %d", host, status)
		}
	}
}
