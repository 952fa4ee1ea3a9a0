package socket_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

func TestNewRefuses(t *testing.T) {
	for _, c := range [][2]int{
		{socket.AF_INET, 12345},
		{socket.AF_INET, socket.SOCK_SEQPACKET},
		{socket.AF_INET6, socket.SOCK_SEQPACKET},
		{socket.AF_UNIX, socket.SOCK_RAW},
	} {
		_, err := socket.New(c[0], c[1], 0)
		want(t, err, syscall.ESOCKTNOSUPPORT)
	}
	_, _, err := socket.SocketPair(socket.SOCK_RAW)
	want(t, err, syscall.ESOCKTNOSUPPORT)
	_, err = socket.New(12345, socket.SOCK_STREAM, 0)
	want(t, err, syscall.EAFNOSUPPORT)
	_, err = socket.New(socket.AF_INET, socket.SOCK_STREAM, 12345)
	var wrapped *net.OpError
	if !errors.As(err, &wrapped) || wrapped.Op != "socket" {
		t.Errorf("%v", err)
	}
}

// calls are all methods that return an error.
func calls(s *socket.Socket) map[string]error {
	ctx := context.Background()
	_, recv := s.Recv(ctx, make([]byte, 1))
	_, send := s.Send(ctx, make([]byte, 1))
	_, sendAll := s.SendAll(ctx, make([]byte, 1))
	_, accept := s.Accept(ctx)
	_, recvFlags := s.RecvFlags(ctx, make([]byte, 1), 0)
	_, sendFlags := s.SendFlags(ctx, make([]byte, 1), 0)
	_, _, recvFrom := s.RecvFrom(ctx, make([]byte, 1), 0)
	_, _, recvFromAddrPort := s.RecvFromAddrPort(ctx, make([]byte, 1), 0)
	_, sendTo := s.SendTo(ctx, make([]byte, 1), 0, localhost)
	_, sendToAddrPort := s.SendToAddrPort(ctx, make([]byte, 1), 0, anyPort)
	message := func() *socket.Message { return &socket.Message{Buffers: [][]byte{{0}}, AddrPort: anyPort} }
	_, recvMsg := s.RecvMsg(ctx, message(), 0)
	_, sendMsg := s.SendMsg(ctx, message(), 0)
	_, sendMsgAll := s.SendMsgAll(ctx, message(), 0)
	_, _, recvFDs := s.RecvFDs(ctx, make([]byte, 1), 1)
	_, sendFDs := s.SendFDs(ctx, make([]byte, 1), 0)
	_, getsockopt := s.GetsockoptInt(socket.SOL_SOCKET, syscall.SO_TYPE)
	return map[string]error{
		"recv": recv, "send": send, "sendall": sendAll, "accept": accept, "getsockopt": getsockopt,
		"recv flags": recvFlags, "send flags": sendFlags, "recvfrom": recvFrom, "sendto": sendTo,
		"recvfrom addrport": recvFromAddrPort, "sendto addrport": sendToAddrPort,
		"recvmsg": recvMsg, "sendmsg": sendMsg, "sendmsg all": sendMsgAll, "recv fds": recvFDs, "send fds": sendFDs,
		"bind addrport": s.BindAddrPort(anyPort), "connect addrport": s.ConnectAddrPort(ctx, anyPort),
		"bind": s.Bind(localhost), "listen": s.Listen(1), "connect": s.Connect(ctx, localhost),
		"wait": s.WaitRead(ctx), "wait to write": s.WaitWrite(ctx),
		"shutdown": s.Shutdown(socket.ShutRD), "setsockopt": socket.NoDelay.Set(s, true), "close": s.Close(),
	}
}

func TestZeroValue(t *testing.T) {
	for _, s := range []*socket.Socket{nil, {}} {
		for name, err := range calls(s) {
			if !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "not made by New") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if s.LocalAddr() != nil || s.RemoteAddr() != nil || s.FD() != -1 || s.String() != "no socket" {
			t.Errorf("%v, %v, %d, %q", s.LocalAddr(), s.RemoteAddr(), s.FD(), s)
		}
	}
}

func TestAfterClose(t *testing.T) {
	s := open(t, socket.AF_INET)
	check(t, s.Close())
	for name, err := range calls(s) {
		want(t, err, net.ErrClosed)
		if text := err.Error(); !strings.Contains(text, "tcp") {
			t.Errorf("%s: %q", name, text)
		}
	}
}

func TestNilContext(t *testing.T) {
	a, _ := unixPair(t)
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "nil context") {
			t.Errorf("panic %q", text)
		}
	}()
	var none context.Context
	a.Recv(none, make([]byte, 1))
}

func TestDerivedContexts(t *testing.T) {
	a, b := unixPair(t)
	type key struct{}
	recv := func(ctx context.Context) error {
		_, err := a.Recv(context.WithValue(ctx, key{}, 1), make([]byte, 1))
		return err
	}
	o, join := in(t, recv)
	await(t, parked(o))
	cancel(o)
	want(t, join(), wait.ErrTaskCancelled)
	_, err := b.Send(context.WithoutCancel(&o.Scope), []byte("x"))
	check(t, err)
	_, join = in(t, recv)
	check(t, join())
}

// What a watcher is shown.
func TestShown(t *testing.T) {
	l := listen(t, socket.AF_INET, localhost, 0)
	o, join := in(t, func(ctx context.Context) error { _, err := l.Accept(ctx); return err })
	await(t, parked(o))
	shown, _ := o.Parked()
	text, ok := shown.Object.(interface{ String() string })
	if shown.Op != "ACCEPT_WAIT" || !ok || text.String() != "tcp "+l.LocalAddr().String() {
		t.Errorf("%+v", shown)
	}
	cancel(o)
	want(t, join(), wait.ErrTaskCancelled)
}

func TestOptions(t *testing.T) {
	s := open(t, socket.AF_INET)
	get := func(level, name int) int {
		t.Helper()
		value, err := s.GetsockoptInt(level, name)
		check(t, err)
		return value
	}
	if get(socket.IPPROTO_TCP, syscall.TCP_NODELAY) == 0 {
		t.Error("TCP_NODELAY is off from the beginning")
	}
	for _, c := range []struct {
		option      socket.Option[bool]
		level, name int
	}{
		{socket.NoDelay, socket.IPPROTO_TCP, syscall.TCP_NODELAY},
		{socket.ReuseAddr, socket.SOL_SOCKET, syscall.SO_REUSEADDR},
		{socket.KeepAlive, socket.SOL_SOCKET, syscall.SO_KEEPALIVE},
	} {
		for _, on := range []bool{true, false, true} {
			check(t, c.option.Set(s, on))
			if got := get(c.level, c.name) != 0; got != on {
				t.Errorf("option %d: %v, want %v", c.name, got, on)
			}
		}
	}
	check(t, socket.RecvBufferSize.Set(s, 32<<10))
	check(t, socket.SendBufferSize.Set(s, 32<<10))
	if r, w := get(socket.SOL_SOCKET, syscall.SO_RCVBUF), get(socket.SOL_SOCKET, syscall.SO_SNDBUF); r < 32<<10 || w < 32<<10 {
		t.Errorf("buffers of %d and %d", r, w)
	}
	for _, seconds := range []time.Duration{-1, 0, 3 * time.Second} {
		check(t, socket.Linger.Set(s, seconds))
	}
	want(t, socket.V6Only.Set(s, true), syscall.ENOPROTOOPT)
	want(t, s.SetsockoptInt(socket.SOL_SOCKET, 12345, 1), syscall.ENOPROTOOPT)
}

// An accepted connection has the listener's TCP_NODELAY.
func TestNoDelayIsInherited(t *testing.T) {
	for _, on := range []bool{true, false} {
		l := listen(t, socket.AF_INET, localhost, 0)
		check(t, socket.NoDelay.Set(l, on))
		_, server := connectedTo(t, l, socket.AF_INET)
		value, err := server.GetsockoptInt(socket.IPPROTO_TCP, syscall.TCP_NODELAY)
		check(t, err)
		if (value != 0) != on {
			t.Errorf("%d, and the listener %v", value, on)
		}
	}
}

func TestReusePort(t *testing.T) {
	first := open(t, socket.AF_INET)
	check(t, socket.ReusePort.Set(first, true))
	check(t, first.Bind(localhost))
	check(t, first.Listen(0))
	second := open(t, socket.AF_INET)
	check(t, socket.ReusePort.Set(second, true))
	check(t, second.Bind(first.LocalAddr()))
	check(t, second.Listen(0))
}

func TestV6Only(t *testing.T) {
	if !hasIPv6() {
		t.Skip("there is no IPv6 here")
	}
	l := open(t, socket.AF_INET6)
	check(t, socket.V6Only.Set(l, false))
	check(t, l.Bind(&net.TCPAddr{}))
	check(t, l.Listen(0))
	port := l.LocalAddr().(*net.TCPAddr).Port
	s := open(t, socket.AF_INET)
	check(t, s.Connect(context.Background(), &net.TCPAddr{IP: localhost.IP, Port: port}))
	server, err := l.Accept(context.Background())
	check(t, err)
	if got, want := server.RemoteAddr().String(), s.LocalAddr().String(); got != want {
		t.Errorf("comes from %s, want %s", got, want)
	}
	check(t, server.Close())
}
