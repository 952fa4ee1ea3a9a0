package network_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// socketPath is a path that fits into a socket address.
func socketPath(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "curio")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

func listenUnix(t testing.TB, path string, config *network.ServerConfig) *network.Listener {
	t.Helper()
	listener, err := network.ListenUnix(context.Background(), path, config)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, listener)
	return listener
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// W2 of the original: echo over a Unix socket; and nothing is left of it.
func TestUnixServer(t *testing.T) {
	path := socketPath(t)
	s := newServer(t)
	s.run(func(ctx context.Context) error { return network.UnixServer(ctx, path, echo, nil) })
	testutil.Await(t, "server", func() bool { return s.Task.State() == "ACCEPT_WAIT" })
	for range 3 {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		testutil.EchoTwice(t, conn)
		conn.Close()
	}
	is(t, s.cancel(), taskCancelled...)
	if exists(path) {
		t.Error("its file is left")
	}
}

// W12: a file that a server left behind is no hindrance.
func TestUnixStaleFile(t *testing.T) {
	testutil.NoLeaks(t)
	path := socketPath(t)
	stale(t, path)
	listener := listenUnix(t, path, nil)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if err := listener.Close(); err != nil {
		t.Error(err)
	}
	if exists(path) {
		t.Error("its file is left")
	}
	if err := listener.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the second Close: %v", err)
	}
}

// stale makes a socket file on which nobody listens.
func stale(t testing.TB, path string) {
	t.Helper()
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false)
	old.Close()
}

// What is in use, or no socket, stays as it is.
func TestUnixPathInUse(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, path string){
		"live":     func(t *testing.T, path string) { listenUnix(t, path, nil) },
		"full":     func(t *testing.T, path string) { fill(t, path) },
		"datagram": func(t *testing.T, path string) { datagram(t, path) },
		"file": func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"directory": func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			path := socketPath(t)
			prepare(t, path)
			listener, err := network.ListenUnix(t.Context(), path, nil)
			if err == nil {
				listener.Close()
			}
			var op *net.OpError
			if !errors.Is(err, syscall.EADDRINUSE) || !errors.As(err, &op) || !strings.Contains(err.Error(), path) {
				t.Errorf("%v", err)
			}
			if !exists(path) {
				t.Error("it is gone")
			}
		})
	}
}

// fill makes a listener with a full queue.
func fill(t testing.TB, path string) {
	t.Helper()
	listenUnix(t, path, &network.ServerConfig{Backlog: 1})
	for {
		s, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Close(s) })
		if err := syscall.SetNonblock(s, true); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Connect(s, &syscall.SockaddrUnix{Name: path}); err == syscall.EAGAIN {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func datagram(t testing.TB, path string) {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
}

func TestUnixConfig(t *testing.T) {
	testutil.NoLeaks(t)
	path := socketPath(t)
	listener := listenUnix(t, path, &network.ServerConfig{Mode: 0o640})
	if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// A file that is somebody else's by now is left alone.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	stale(t, path)
	listener.Close()
	if !exists(path) {
		t.Error("it has removed another file")
	}
	if l, err := network.ListenUnix(t.Context(), path, &network.ServerConfig{NoReuseAddr: true}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("%v, %v", l, err)
	}
	if l, err := network.ListenUnix(t.Context(), path, &network.ServerConfig{ReusePort: true}); err == nil || !strings.Contains(err.Error(), "ReusePort") {
		t.Errorf("%v, %v", l, err)
	}
	if l, err := network.ListenUnix(t.Context(), filepath.Join(path+"-no-such-directory", "s"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, %v", l, err)
	}
	long := filepath.Join(filepath.Dir(path), strings.Repeat("x", 200))
	if l, err := network.ListenUnix(t.Context(), long, nil); err == nil || !strings.Contains(err.Error(), "path longer than") {
		t.Errorf("%v, %v", l, err)
	}
}

func TestUnixAbstractName(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there are abstract names on Linux only")
	}
	testutil.NoLeaks(t)
	name := "@curio" + filepath.Base(filepath.Dir(socketPath(t)))
	listener := listenUnix(t, name, nil)
	conn, err := net.Dial("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if _, err := network.ListenUnix(t.Context(), name, nil); !errors.Is(err, syscall.EADDRINUSE) {
		t.Error(err)
	}
	listener.Close()
	listenUnix(t, name, nil)
}

// Of those who find the same stale file, one gets the path, and who has it is never
// pushed out.
func TestUnixStaleFileRace(t *testing.T) {
	testutil.NoLeaks(t)
	for range 100 {
		path := socketPath(t)
		stale(t, path)
		var mu sync.Mutex
		var got []*network.Listener
		err := curio.Group(t.Context(), func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
			for range 8 {
				g.Go(func(ctx context.Context) error {
					listener, err := network.ListenUnix(ctx, path, nil)
					if errors.Is(err, syscall.EADDRINUSE) {
						return nil
					}
					if err == nil {
						mu.Lock()
						defer mu.Unlock()
						got = append(got, listener)
					}
					return err
				})
			}
			return nil
		})
		if err != nil || len(got) != 1 {
			t.Fatalf("%d listen, %v", len(got), err)
		}
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		got[0].Close()
	}
}

// Several kinds of listeners at once; and when one of them fails, all stop.
func TestRunServers(t *testing.T) {
	s := newServer(t)
	tcp, unix := listen(t, "127.0.0.1:0", nil), listenUnix(t, socketPath(t), nil)
	s.run(func(ctx context.Context) error { return network.RunServers(ctx, []*network.Listener{tcp, unix}, echo) })
	for _, l := range []*network.Listener{tcp, unix} {
		conn, err := net.Dial(l.LocalAddr().Network(), l.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		testutil.EchoTwice(t, conn)
		defer conn.Close()
	}
	tcp.Close()
	if err := s.end(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
	if exists(unix.LocalAddr().String()) {
		t.Error("the other one has not stopped")
	}
}

func TestRunServersCancelled(t *testing.T) {
	s := newServer(t)
	tcp, unix := listen(t, "127.0.0.1:0", nil), listenUnix(t, socketPath(t), nil)
	s.run(func(ctx context.Context) error { return network.RunServers(ctx, []*network.Listener{tcp, unix}, echo) })
	testutil.Await(t, "servers", func() bool { return len(s.running()) == 3 })
	is(t, s.cancel(), taskCancelled...)
	refused(t, tcp.LocalAddr().String())
}
