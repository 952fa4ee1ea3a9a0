package socket_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/socket"
)

// Options of Linux: what is set is what one gets.
func TestOptionsHoldOnLinux(t *testing.T) {
	tcp := func(t *testing.T) *socket.Socket { return open(t, socket.AF_INET) }
	udp := func(t *testing.T) *socket.Socket { return datagram(t, socket.AF_INET) }
	udp6 := func(t *testing.T) *socket.Socket { return datagram(t, socket.AF_INET6) }
	for name, test := range map[string]func(t *testing.T){
		"RecvTimestampNS":           func(t *testing.T) { holds(t, udp(t), socket.RecvTimestampNS, true, false) },
		"Priority":                  func(t *testing.T) { holds(t, tcp(t), socket.Priority, 6, 0) },
		"Mark":                      func(t *testing.T) { holds(t, tcp(t), socket.Mark, 42, 1<<32-1, 0) },
		"IncomingCPU":               func(t *testing.T) { holds(t, tcp(t), socket.IncomingCPU, 0) },
		"BusyPoll":                  func(t *testing.T) { holds(t, tcp(t), socket.BusyPoll, 50*time.Microsecond, 0) },
		"QuickAck":                  func(t *testing.T) { holds(t, tcp(t), socket.QuickAck, false, true) },
		"UserTimeout":               func(t *testing.T) { holds(t, tcp(t), socket.UserTimeout, 30*time.Second, 5*time.Millisecond, 0) },
		"DeferAccept":               func(t *testing.T) { holds(t, tcp(t), socket.DeferAccept, time.Second, 3*time.Second, 0) },
		"FastOpen":                  func(t *testing.T) { holds(t, tcp(t), socket.FastOpen, 5) },
		"FastOpenConnect":           func(t *testing.T) { holds(t, tcp(t), socket.FastOpenConnect, true, false) },
		"Congestion":                func(t *testing.T) { holds(t, tcp(t), socket.Congestion, "reno") },
		"RecvPacketInfo":            func(t *testing.T) { holds(t, udp(t), socket.RecvPacketInfo, true, false) },
		"Transparent":               func(t *testing.T) { holds(t, tcp(t), socket.Transparent, true, false) },
		"Transparent of IPv6":       func(t *testing.T) { holds(t, udp6(t), socket.Transparent, true, false) },
		"FreeBind":                  func(t *testing.T) { holds(t, tcp(t), socket.FreeBind, true, false) },
		"FreeBind of IPv6":          func(t *testing.T) { holds(t, udp6(t), socket.FreeBind, true, false) },
		"BindAddressNoPort":         func(t *testing.T) { holds(t, tcp(t), socket.BindAddressNoPort, true, false) },
		"BindAddressNoPort of IPv6": func(t *testing.T) { holds(t, udp6(t), socket.BindAddressNoPort, true, false) },
		"MTUDiscover":               func(t *testing.T) { holds(t, udp(t), socket.MTUDiscover, 0, 1, 2, 3) },
		"MTUDiscover of IPv6": func(t *testing.T) {
			holds(t, udp6(t), socket.MTUDiscover, socket.IP_PMTUDISC_DONT, socket.IP_PMTUDISC_WANT, socket.IP_PMTUDISC_DO, socket.IP_PMTUDISC_PROBE)
		},
		"BindToDevice": func(t *testing.T) { holds(t, udp(t), socket.BindToDevice, loopback(t).Name, "") },
		"PassCredentials": func(t *testing.T) {
			a, _ := unixPair(t)
			holds(t, a, socket.PassCredentials, true, false)
		},
	} {
		t.Run(name, test)
	}
}

func TestReadOnlyOptionsOfLinux(t *testing.T) {
	for _, c := range []struct{ family, typ, protocol int }{
		{socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP},
		{socket.AF_INET6, syscall.SOCK_DGRAM, syscall.IPPROTO_UDP},
	} {
		s, err := socket.OpenAny(c.family, c.typ, 0)
		check(t, err)
		closing(t, s)
		got := []int{get[int](t, socket.Domain, s), get[int](t, socket.Type, s), get[int](t, socket.Protocol, s)}
		if want := []int{c.family, c.typ, c.protocol}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

// loopbackMTU is what gets through to this machine: no more than a packet's length can say.
func loopbackMTU(t *testing.T) int { return min(loopback(t).MTU, 0xffff) }

func TestMTU(t *testing.T) {
	s := open(t, socket.AF_INET)
	_, err := socket.MTU.Get(s)
	want(t, err, syscall.ENOTCONN)
	a, _ := tcpPair(t)
	if got := get[int](t, socket.MTU, a); got != loopbackMTU(t) {
		t.Errorf("%d, want %d", got, loopbackMTU(t))
	}
}

func TestPeerCredentials(t *testing.T) {
	a, _ := unixPair(t)
	if got, want := get[socket.Credentials](t, socket.PeerCredentials, a), (socket.Credentials{PID: os.Getpid(), UID: os.Getuid(), GID: os.Getgid()}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestTCPInfo(t *testing.T) {
	a, b := tcpPair(t)
	l := listen(t, socket.AF_INET, localhost, 0)
	if state := get[socket.TCPInfo](t, socket.Info, l).State; state != "LISTEN" {
		t.Errorf("a listener is %s", state)
	}
	if state := get[socket.TCPInfo](t, socket.Info, open(t, socket.AF_INET)).State; state != "CLOSED" {
		t.Errorf("a new socket is %s", state)
	}
	const size = 10_000
	_, err := a.SendAll(context.Background(), make([]byte, size))
	check(t, err)
	drain(t, b, size)
	var info socket.TCPInfo
	await(t, func() bool { info = get[socket.TCPInfo](t, socket.Info, a); return info.BytesAcked >= size })
	if info.State != "ESTABLISHED" || info.RTT <= 0 || info.RTT > time.Minute || info.RTO < info.RTT || info.MinRTT <= 0 ||
		info.SendMSS < 100 || info.PathMTU != loopbackMTU(t) || info.CongestionWindow < 1 || info.Unacked != 0 || info.NotSent != 0 {
		t.Errorf("%+v", info)
	}
	if got := get[socket.TCPInfo](t, socket.Info, b).BytesReceived; got != size {
		t.Errorf("%d bytes received", got)
	}
	check(t, b.Close())
	await(t, func() bool { return get[socket.TCPInfo](t, socket.Info, a).State == "CLOSE-WAIT" })

	// Nobody receives, and there is more than fits.
	c, _ := tcpPair(t)
	o, join := in(t, func(ctx context.Context) error { _, err := c.SendAll(ctx, make([]byte, 64<<20)); return err })
	await(t, parked(o))
	await(t, func() bool { return get[socket.TCPInfo](t, socket.Info, c).NotSent > 0 })
	cancel(o)
	if err := join(); err == nil {
		t.Error("64 MiB have gone into the buffers")
	}
}

// Whoever connects and says nothing is not there to be accepted.
func TestDeferAccept(t *testing.T) {
	l := open(t, socket.AF_INET)
	check(t, socket.DeferAccept.Set(l, 10*time.Second))
	check(t, l.Bind(localhost))
	check(t, l.Listen(0))
	client := open(t, socket.AF_INET)
	check(t, client.Connect(context.Background(), l.LocalAddr()))
	if _, _, err := syscall.Accept4(l.FD(), syscall.SOCK_CLOEXEC); err != syscall.EAGAIN {
		t.Errorf("%v, want nobody", err)
	}
	_, err := client.SendAll(context.Background(), []byte("x"))
	check(t, err)
	server, err := l.Accept(context.Background())
	check(t, err)
	check(t, server.Close())
}

// An address that is nobody's can be bound to.
func TestFreeBind(t *testing.T) {
	nobody := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 200)} // RFC 5737
	s := open(t, socket.AF_INET)
	want(t, s.Bind(nobody), syscall.EADDRNOTAVAIL)
	check(t, socket.FreeBind.Set(s, true))
	check(t, s.Bind(nobody))
}

// The port is chosen by Connect.
func TestBindAddressNoPort(t *testing.T) {
	l := listen(t, socket.AF_INET, localhost, 0)
	s := open(t, socket.AF_INET)
	check(t, socket.BindAddressNoPort.Set(s, true))
	check(t, s.Bind(localhost))
	if addr := s.LocalAddr().String(); addr != "127.0.0.1:0" {
		t.Errorf("bound to %s", addr)
	}
	check(t, s.Connect(context.Background(), l.LocalAddr()))
	if addr := s.LocalAddr().(*net.TCPAddr); addr.Port == 0 {
		t.Errorf("connected from %s", addr)
	}
}

func TestNoSuchName(t *testing.T) {
	s := open(t, socket.AF_INET)
	want(t, socket.BindToDevice.Set(s, "no-such-device"), syscall.ENODEV)
	want(t, socket.BindToDevice.Set(s, "a name that is longer than any"), syscall.EINVAL)
	want(t, socket.BindToDevice.Set(s, strings.Repeat("x", 15)), syscall.ENODEV)
	want(t, socket.BindToDevice.Set(s, strings.Repeat("x", 16)), syscall.EINVAL)
	want(t, socket.Congestion.Set(s, "no-such-thing"), syscall.ENOENT)
	if got := get[string](t, socket.Congestion, s); got == "" {
		t.Error("it has no algorithm")
	}
}

func TestLinuxOptionsInPython(t *testing.T) {
	testutil.Need(t, "python3")
	s := open(t, socket.AF_INET)
	check(t, errors.Join(
		socket.UserTimeout.Set(s, 1234*time.Millisecond), socket.KeepAliveIdle.Set(s, 99*time.Second),
		socket.Priority.Set(s, 5), socket.Congestion.Set(s, "reno"), socket.DeferAccept.Set(s, time.Second),
		socket.BindToDevice.Set(s, loopback(t).Name),
	))
	got := inPython(t, s,
		"s.getsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT)", "s.getsockopt(IPPROTO_TCP, TCP_KEEPIDLE)",
		"s.getsockopt(SOL_SOCKET, SO_PRIORITY)", "s.getsockopt(IPPROTO_TCP, TCP_CONGESTION, 16).rstrip(b'\\0').decode()",
		"s.getsockopt(IPPROTO_TCP, TCP_DEFER_ACCEPT)",
		"s.getsockopt(SOL_SOCKET, SO_BINDTODEVICE, 16).rstrip(b'\\0').decode()",
		"s.getsockopt(SOL_SOCKET, SO_DOMAIN)", "s.getsockopt(SOL_SOCKET, SO_PROTOCOL)",
	)
	wanted := []string{
		"1234", "99", "5", "reno", "1", loopback(t).Name,
		fmt.Sprint(get[int](t, socket.Domain, s)), fmt.Sprint(get[int](t, socket.Protocol, s)),
	}
	if fmt.Sprint(got) != fmt.Sprint(wanted) {
		t.Errorf("python3 says %v, want %v", got, wanted)
	}
}

// The newer numbers of the kernel's timeouts are refused like the old ones.
func TestNewKernelTimeoutsAreRefused(t *testing.T) {
	s := open(t, socket.AF_INET)
	for _, name := range []int{66, 67} {
		want(t, s.SetsockoptBytes(socket.SOL_SOCKET, name, make([]byte, 16)), errors.ErrUnsupported)
	}
}
