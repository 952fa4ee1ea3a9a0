package socket_test

import (
	"context"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/socket"
)

// settings are the options that are set on TCP connections here.
type settings struct {
	noDelay, keepAlive bool
	idle, interval     time.Duration
	count              int
}

var ours = settings{true, true, 15 * time.Second, 15 * time.Second, 9}

func settingsOf(t testing.TB, s *socket.Socket) settings {
	t.Helper()
	return settings{
		get[bool](t, socket.NoDelay, s), get[bool](t, socket.KeepAlive, s),
		get[time.Duration](t, socket.KeepAliveIdle, s), get[time.Duration](t, socket.KeepAliveInterval, s),
		get[int](t, socket.KeepAliveCount, s),
	}
}

// rawTCP returns the descriptor of a TCP socket as another program would make it, bound to
// a port.
func rawTCP(t testing.TB, listening bool) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	check(t, err)
	check(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	if listening {
		check(t, syscall.Listen(fd, 10))
	}
	return fd
}

// Any TCP socket that comes from elsewhere gets our settings, and so do the connections
// that it accepts.
func TestAdoptedSettings(t *testing.T) {
	testutil.NoLeaks(t)
	ctx := context.Background()
	accepted := func(l *socket.Socket) *socket.Socket {
		t.Helper()
		_, server := connectedTo(t, l, socket.AF_INET)
		return server
	}
	fromFD, err := socket.FromFD(rawTCP(t, true))
	check(t, err)
	closing(t, fromFD)
	theirs, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer theirs.Close()
	fromListener, err := socket.FromConn(theirs.(*net.TCPListener))
	check(t, err)
	closing(t, fromListener)
	file := os.NewFile(uintptr(rawTCP(t, true)), "")
	defer file.Close()
	fromFile, err := socket.FromConn(file)
	check(t, err)
	closing(t, fromFile)
	for name, l := range map[string]*socket.Socket{"FromFD": fromFD, "FromConn": fromListener, "FromConn of a file": fromFile} {
		for what, s := range map[string]*socket.Socket{"listener": l, "accepted": accepted(l)} {
			if got := settingsOf(t, s); got != ours {
				t.Errorf("%s, %s: %+v", name, what, got)
			}
		}
	}
	connecting, err := socket.FromFD(rawTCP(t, false))
	check(t, err)
	closing(t, connecting)
	check(t, connecting.Connect(ctx, fromFD.LocalAddr()))
	if got := settingsOf(t, connecting); got != ours {
		t.Errorf("connection: %+v", got)
	}
}

// Chosen settings stay: the times of keep-alive, and all settings of a connection of
// package net or of a Socket. Sockets that are not TCP sockets are left alone.
func TestAdoptedSettingsStay(t *testing.T) {
	testutil.NoLeaks(t)
	a, _ := tcpPair(t)
	check(t, socket.KeepAlive.Set(a, true))
	check(t, socket.KeepAliveIdle.Set(a, time.Minute))
	fd, err := a.Detach()
	check(t, err)
	s, err := socket.FromFD(fd)
	check(t, err)
	closing(t, s)
	if got := settingsOf(t, s); !got.keepAlive || got.idle != time.Minute || got.interval == ours.interval {
		t.Errorf("%+v", got)
	}
	check(t, socket.NoDelay.Set(s, false))
	check(t, socket.KeepAlive.Set(s, false))
	twin, err := socket.FromConn(s)
	check(t, err)
	closing(t, twin)
	_, client, _ := dialled(t, "tcp", "127.0.0.1:0")
	check(t, client.(*net.TCPConn).SetNoDelay(false))
	check(t, client.(*net.TCPConn).SetKeepAlive(false))
	theirs, err := socket.FromConn(client.(*net.TCPConn))
	check(t, err)
	closing(t, theirs)
	for _, s := range []*socket.Socket{twin, theirs} {
		if got := settingsOf(t, s); got.noDelay || got.keepAlive {
			t.Errorf("%+v", got)
		}
	}
	u, _ := unixPair(t)
	fd, err = u.Detach()
	check(t, err)
	s, err = socket.FromFD(fd)
	check(t, err)
	closing(t, s)
	if get[bool](t, socket.KeepAlive, s) {
		t.Error("a Unix socket has it")
	}
}

// A listener that another program has made and passed on.
func TestListenerOfPython(t *testing.T) {
	testutil.Need(t, "python3")
	testutil.NoLeaks(t)
	a, b := unixPair(t)
	file, err := b.File()
	check(t, err)
	cmd := testutil.Command(t, "python3", "-c", `
import socket, array
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()
c = socket.socket(fileno=3)
c.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [s.fileno()]))])
`)
	cmd.ExtraFiles = []*os.File{file}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	check(t, file.Close())
	_, fds, err := a.RecvFDs(context.Background(), make([]byte, 1), 1)
	check(t, err)
	l, err := socket.FromFD(fds[0])
	check(t, err)
	closing(t, l)
	client, server := connectedTo(t, l, socket.AF_INET)
	exchange(t, client, server)
	if got := settingsOf(t, server); got != ours {
		t.Errorf("%+v", got)
	}
}

// A number that does not fit into a C int is not taken for another one.
func TestNumbersThatAreNoInt(t *testing.T) {
	if strconv.IntSize == 32 {
		t.Skip("all numbers are")
	}
	huge := func(n int) int { return n + 1<<(strconv.IntSize/2) } // equals n if it is truncated to a C int
	a, b := tcpPair(t)
	ctx, buf := context.Background(), make([]byte, 4)
	for what, err := range map[string]error{
		"value":         a.SetsockoptInt(socket.SOL_SOCKET, syscall.SO_KEEPALIVE, huge(1)),
		"name":          a.SetsockoptInt(socket.SOL_SOCKET, huge(syscall.SO_KEEPALIVE), 1),
		"level":         a.SetsockoptInt(huge(socket.SOL_SOCKET), syscall.SO_KEEPALIVE, 1),
		"refused":       a.SetsockoptInt(socket.SOL_SOCKET, huge(syscall.SO_RCVTIMEO), 1),
		"bytes":         a.SetsockoptBytes(huge(socket.SOL_SOCKET), syscall.SO_KEEPALIVE, []byte{1, 0, 0, 0}),
		"get":           second(a.GetsockoptInt(huge(socket.SOL_SOCKET), syscall.SO_KEEPALIVE)),
		"get bytes":     second(a.GetsockoptBytes(socket.SOL_SOCKET, huge(syscall.SO_KEEPALIVE), buf)),
		"shutdown":      a.Shutdown(huge(socket.ShutWR)),
		"recv flags":    second(a.RecvFlags(ctx, buf, huge(socket.MSG_DONTWAIT))),
		"send flags":    second(a.SendFlags(ctx, buf, huge(socket.MSG_DONTWAIT))),
		"batch flags":   second(udp(t).RecvMMsg(ctx, []socket.Message{roomFor()}, huge(socket.MSG_DONTWAIT))),
		"group":         udp(t).JoinGroup(group4, &net.Interface{Index: huge(1)}),
		"multicast":     udp(t).SetMulticastInterface(&net.Interface{Index: huge(1)}),
		"less than one": udp(t).SetMulticastInterface(&net.Interface{Index: -1}),
		"protocol":      second(socket.New(socket.AF_INET, socket.SOCK_STREAM, huge(0))),
		"descriptor":    second(socket.FromFD(huge(a.FD()))),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if get[bool](t, socket.KeepAlive, a) {
		t.Error("something has been set")
	}
	u, _ := unixPair(t)
	want(t, second(u.SendFDs(ctx, []byte("x"), huge(a.FD()))), syscall.EBADF)
	l := open(t, socket.AF_INET)
	check(t, l.Bind(localhost))
	check(t, l.Listen(huge(0))) // as many as the system allows, not 0
	client, server := connectedTo(t, l, socket.AF_INET)
	exchange(t, client, server)
	exchange(t, a, b)
	if !strings.HasPrefix(a.String(), "tcp ") {
		t.Error(a)
	}
}
