package channel_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// behaviours H15, traps 85: Connect waits for the other side to come up, whatever is missing.
func TestConnectBeforeListen(t *testing.T) {
	dir := t.TempDir()
	gone := filepath.Join(dir, "gone")
	crashed, err := net.ListenUnix("unix", &net.UnixAddr{Name: gone, Net: "unix"})
	check(t, err)
	crashed.SetUnlinkOnClose(false)
	check(t, crashed.Close())
	free, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	check(t, free.Close())
	for name, where := range map[string][2]string{
		"no file": {"unix", filepath.Join(dir, "s")}, "nobody listens": {"unix", gone}, "refused": {"tcp", free.Addr().String()},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := curiotest.NoLeaks(t)
			var client *channel.Conn
			o, join := in(t, func(ctx context.Context) (err error) {
				client, err = channel.Connect(ctx, where[0], where[1], withKey)
				return err
			})
			awaitIn(t, o, "TIME_SLEEP")
			l, err := channel.Listen(ctx, where[0], where[1], withKey)
			check(t, err)
			defer l.Close()
			server, err := l.Accept(background)
			check(t, err)
			check(t, join())
			talks(t, client, server)
			client.Close()
			server.Close()
		})
	}
}

// If ctx is done before the other side is up, the error is ctx's error, and says what was wrong.
func TestConnectGivesUp(t *testing.T) {
	testutil.NoLeaks(t)
	refusing := testutil.Refusing(t)
	for name, test := range map[string]struct {
		where [2]string
		is    error
	}{
		"refused": {[2]string{"tcp", refusing}, syscall.ECONNREFUSED},
		"no file": {[2]string{"unix", filepath.Join(t.TempDir(), "s")}, syscall.ENOENT},
	} {
		t.Run(name, func(t *testing.T) {
			err := curio.Run(background, func(ctx context.Context) error {
				return curio.TimeoutAfter(ctx, 50*time.Millisecond, func(ctx context.Context) error {
					_, err := channel.Connect(ctx, test.where[0], test.where[1], nil)
					if !errors.Is(err, test.is) {
						t.Errorf("%v does not say why", err)
					}
					if e, ok := err.(net.Error); !ok || !e.Timeout() || !strings.Contains(err.Error(), test.where[1]) {
						t.Errorf("%v is no timeout, or does not say where", err)
					}
					return err
				})
			})
			want(t, err, curio.ErrTaskTimeout)
			o, join := in(t, func(ctx context.Context) error {
				_, err := channel.Connect(ctx, test.where[0], test.where[1], nil)
				return err
			})
			awaitIn(t, o, "TIME_SLEEP")
			cancel(o)
			err = join()
			want(t, err, wait.ErrTaskCancelled, test.is)
			if e := err.(net.Error); e.Timeout() {
				t.Errorf("%v is a timeout", err)
			}
		})
	}
}

// A context that is done during an attempt that fails is what the error is about, too.
func TestConnectGivesUpDuringAnAttempt(t *testing.T) {
	var ctx context.Context
	var stop context.CancelFunc
	config := &channel.Config{Client: &network.ConnectConfig{Control: func(string, string, syscall.RawConn) error {
		stop()
		return syscall.ECONNREFUSED
	}}}
	for _, where := range [][2]string{{"tcp", "127.0.0.1:1"}, {"unix", filepath.Join(t.TempDir(), "s")}} {
		ctx, stop = context.WithCancel(background)
		defer stop()
		_, err := channel.Connect(ctx, where[0], where[1], config)
		want(t, err, curio.ErrCancelled, context.Canceled, syscall.ECONNREFUSED)
	}
}

// The pauses become longer, up to a second: in a minute there are not many attempts.
func TestConnectBacksOff(t *testing.T) {
	attempts := 0
	fake := &network.ConnectConfig{Control: func(string, string, syscall.RawConn) error {
		attempts++
		return syscall.ECONNREFUSED
	}}
	bubble(t, func(ctx context.Context) {
		_, err := channel.Connect(ctx, "tcp", "127.0.0.1:1", &channel.Config{Client: fake})
		want(t, err, curio.ErrTaskTimeout, syscall.ECONNREFUSED)
	})
	// 10, 20, 40 … 640 ms make 1.27 s, and then a second each.
	if attempts < 60 || attempts > 70 {
		t.Errorf("%d attempts in a minute", attempts)
	}
}

// What does not pass is not tried again.
func TestConnectFails(t *testing.T) {
	for name, test := range map[string]error{"permission": syscall.EACCES, "not permitted": syscall.EPERM, "no such protocol": syscall.EPROTOTYPE} {
		t.Run(name, func(t *testing.T) {
			attempts := 0
			fake := &network.ConnectConfig{Control: func(string, string, syscall.RawConn) error { attempts++; return test }}
			for _, where := range [][2]string{{"tcp", "127.0.0.1:1"}, {"unix", filepath.Join(t.TempDir(), "s")}} {
				attempts = 0
				_, err := channel.Connect(background, where[0], where[1], &channel.Config{Client: fake})
				want(t, err, test)
				if attempts != 1 {
					t.Errorf("%d attempts", attempts)
				}
			}
		})
	}
	_, err := channel.Connect(background, "tcp", "127.0.0.1", nil)
	if err == nil || !strings.Contains(err.Error(), "missing port") {
		t.Error(err)
	}
	for _, where := range [][2]string{{"unix", ""}, {"tcp", "127.0.0.1:0"}, {"tcp", "[::1]:00"}, {"tcp", ":"}} {
		_, err = channel.Connect(background, where[0], where[1], nil)
		want(t, err, syscall.EINVAL)
	}
}

// Without permission to write the file nobody may connect: another user may not, unless told otherwise, and root always may.
func TestConnectWithoutPermission(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	check(t, errors.Join(os.Chmod(filepath.Dir(dir), 0o711), os.Chmod(dir, 0o711)))
	path := filepath.Join(dir, "s")
	l, err := channel.Listen(background, "unix", path, nil)
	check(t, err)
	defer l.Close()
	if os.Getuid() != 0 {
		check(t, os.Chmod(path, 0o400))
		_, err = channel.Connect(background, "unix", path, nil)
		want(t, err, syscall.EACCES)
		return
	}
	testutil.NeedReachable(t, dir)
	program := "/proc/self/exe" // which another user may run as well, wherever it is
	command := exec.Command(program, "stranger", path)
	r, w, err := os.Pipe() // the lifeline
	check(t, err)
	defer r.Close()
	defer w.Close()
	command.ExtraFiles = []*os.File{r}
	command.Env = append(os.Environ(), "CURIO_TEST_CHILD=1")
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := command.CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Skipf("no child of another user: %v", err)
	}
	if err != nil || string(out) != "true\n" {
		t.Errorf("%v, it printed %q", err, out)
	}
}

// strangerMain connects, and prints whether that is not permitted.
func strangerMain() {
	_, err := channel.Connect(background, "unix", os.Args[2], nil)
	fmt.Println(errors.Is(err, syscall.EACCES))
}

// traps 85: a Unix socket that has too many connections to accept is waited for.
func TestConnectWithFullBacklog(t *testing.T) {
	testutil.NoLeaks(t)
	path := filepath.Join(t.TempDir(), "s")
	s, err := socket.New(socket.AF_UNIX, socket.SOCK_STREAM, 0)
	check(t, err)
	defer s.Close()
	check(t, s.Bind(&net.UnixAddr{Name: path, Net: "unix"}))
	check(t, s.Listen(1))
	connected := make(chan *channel.Conn, 100)
	defer func() {
		for len(connected) > 0 {
			(<-connected).Close()
		}
	}()
	var waiting func() error
	for n := 1; waiting == nil; n++ {
		if n == cap(connected) {
			if runtime.GOOS == "linux" {
				t.Fatal("a listener with a backlog of 1 takes any number of connections")
			}
			t.Skip("this system takes any number of connections")
		}
		o, join := in(t, func(ctx context.Context) error {
			c, err := channel.Connect(ctx, "unix", path, nil)
			if err == nil {
				connected <- c
			}
			return err
		})
		testutil.Await(t, "a connection, or a wait for one", func() bool {
			s, parked := o.Parked()
			full := parked && (s.Op == "TIME_SLEEP" || s.Op == "CONNECT_WAIT")
			if full {
				waiting = join
			}
			return full || len(connected) == n
		})
	}
	accepted, err := s.Accept(background)
	check(t, err)
	accepted.Close()
	check(t, waiting())
}

// A handshake that fails is not tried again, and leaves nothing open: whether the listener closes the connection or resets
// it, and in the authentication or in TLS.
func TestConnectHandshakeFails(t *testing.T) {
	secured := &channel.Config{Client: &network.ConnectConfig{TLS: &tls.Config{InsecureSkipVerify: true}}}
	for name, test := range map[string]struct {
		config *channel.Config
		reset  bool
	}{"key": {withKey, false}, "TLS": {secured, false}, "TLS, reset": {secured, true}} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			check(t, err)
			defer l.Close()
			accepted := make(chan error, 1)
			n := 0
			go func() {
				for ; ; n++ {
					c, err := l.Accept()
					if err != nil {
						accepted <- nil
						return
					}
					if test.reset {
						_, _ = c.Read(make([]byte, 1)) // a reset before that is one of connect(2)
						_ = c.(*net.TCPConn).SetLinger(0)
					}
					c.Close()
				}
			}()
			_, err = channel.Connect(patiently(t), "tcp", l.Addr().String(), test.config)
			isNot(t, err, nil, io.EOF, curio.ErrCancelled, network.ErrHandshakeTimeout)
			check(t, l.Close())
			if check(t, testutil.Receive(t, "end", accepted)); n != 1 {
				t.Errorf("%d attempts", n)
			}
		})
	}
}

// traps 82: a key on one side only. The client with one waits no longer than its HandshakeTimeout.
func TestKeyOnOneSide(t *testing.T) {
	ctx := curiotest.NoLeaks(t)
	open, addr := listen(t, ctx, nil)
	_, err := channel.Connect(background, "tcp", addr, &channel.Config{Key: []byte("secret"), HandshakeTimeout: 10 * time.Millisecond})
	want(t, err, network.ErrHandshakeTimeout)
	c, err := open.Accept(background)
	check(t, err)
	c.Close()
	check(t, open.Close())
	_, addr = listen(t, ctx, withKey)
	c, err = channel.Connect(background, "tcp", addr, nil)
	check(t, err)
	_, err = c.RecvBytes(background)
	want(t, err, channel.ErrKeyWanted)
	c.Close()
}

// A half-open peer is noticed by keep-alive, which is set on both sides.
func TestKeepAlive(t *testing.T) {
	ctx := curiotest.NoLeaks(t)
	keep := network.KeepAliveConfig{Idle: 7 * time.Second}
	config := &channel.Config{Server: &network.ServerConfig{KeepAlive: keep}, Client: &network.ConnectConfig{KeepAlive: keep}}
	for _, config := range []*channel.Config{nil, config} {
		l, _ := listen(t, ctx, config)
		client, server := meets(t, l, config)
		for _, c := range []*channel.Conn{client, server} {
			s := network.SocketOf(c.Transport().(network.Conn))
			on, err := socket.KeepAlive.Get(s)
			check(t, err)
			if !on {
				t.Error("no keep-alive")
			}
			if config == nil || runtime.GOOS != "linux" {
				continue
			}
			if idle, err := socket.KeepAliveIdle.Get(s); err != nil || idle != 7*time.Second {
				t.Errorf("%v, %v", idle, err)
			}
		}
		l.Close()
	}
}

// bubble calls fn in a task for a minute that takes no time.
func bubble(t *testing.T, fn func(ctx context.Context)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		_ = curio.Run(background, func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, time.Minute, func(ctx context.Context) error {
				fn(ctx)
				return nil
			})
		})
	})
}
