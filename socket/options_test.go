package socket_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/socket"
)

// datagram makes a socket for datagrams.
func datagram(t testing.TB, family int) *socket.Socket {
	t.Helper()
	s, err := socket.OpenAny(family, syscall.SOCK_DGRAM, 0)
	check(t, err)
	return closing(t, s)
}

// get is o.Get on a socket that has the option.
func get[T any](t testing.TB, o interface {
	Get(s *socket.Socket) (T, error)
}, s *socket.Socket,
) T {
	t.Helper()
	v, err := o.Get(s)
	if err != nil {
		t.Errorf("%v: %v", o, err)
	}
	return v
}

// holds sets each of the values, and expects to get it back.
func holds[T comparable](t *testing.T, s *socket.Socket, o socket.Option[T], values ...T) {
	t.Helper()
	for _, v := range values {
		err := o.Set(s, v)
		if errors.Is(err, syscall.EPERM) {
			t.Skipf("%v is for those with more rights: %v", o, err)
		}
		if err != nil {
			t.Errorf("%v to %v: %v", o, v, err)
			continue
		}
		if got := get[T](t, o, s); got != v {
			t.Errorf("%v is %v, want %v", o, got, v)
		}
	}
}

// Options of every system: what is set is what one gets.
func TestOptionsHold(t *testing.T) {
	tcp := func(t *testing.T) *socket.Socket { return open(t, socket.AF_INET) }
	udp := func(t *testing.T) *socket.Socket { return datagram(t, socket.AF_INET) }
	for name, test := range map[string]func(t *testing.T){
		"ReuseAddr":         func(t *testing.T) { holds(t, tcp(t), socket.ReuseAddr, true, false, true) },
		"ReusePort":         func(t *testing.T) { holds(t, tcp(t), socket.ReusePort, true, false) },
		"Broadcast":         func(t *testing.T) { holds(t, udp(t), socket.Broadcast, true, false) },
		"KeepAlive":         func(t *testing.T) { holds(t, tcp(t), socket.KeepAlive, true, false) },
		"Linger":            func(t *testing.T) { holds(t, tcp(t), socket.Linger, 3*time.Second, 0, -time.Second) },
		"RecvLowWater":      func(t *testing.T) { holds(t, tcp(t), socket.RecvLowWater, 7, 1) },
		"RecvTimestamp":     func(t *testing.T) { holds(t, udp(t), socket.RecvTimestamp, true, false) },
		"NoDelay":           func(t *testing.T) { holds(t, tcp(t), socket.NoDelay, false, true) },
		"Cork":              func(t *testing.T) { holds(t, tcp(t), socket.Cork, true, false) },
		"MaxSegment":        func(t *testing.T) { check(t, socket.MaxSegment.Set(tcp(t), 1000)) },
		"KeepAliveIdle":     func(t *testing.T) { holds(t, tcp(t), socket.KeepAliveIdle, time.Minute, time.Second) },
		"KeepAliveInterval": func(t *testing.T) { holds(t, tcp(t), socket.KeepAliveInterval, time.Minute) },
		"KeepAliveCount":    func(t *testing.T) { holds(t, tcp(t), socket.KeepAliveCount, 5) },
		"TTL":               func(t *testing.T) { holds(t, tcp(t), socket.TTL, 5, 255) },
		"TTL of IPv6":       func(t *testing.T) { holds(t, open(t, socket.AF_INET6), socket.TTL, 5, 255) },
		"TOS":               func(t *testing.T) { holds(t, udp(t), socket.TOS, 0x10, 0) },
		"TOS of IPv6":       func(t *testing.T) { holds(t, datagram(t, socket.AF_INET6), socket.TOS, 0x10, 0) },
		"V6Only":            func(t *testing.T) { holds(t, open(t, socket.AF_INET6), socket.V6Only, true, false) },
		"MulticastTTL":      func(t *testing.T) { holds(t, udp(t), socket.MulticastTTL, 0, 1, 32) },
		"MulticastLoop":     func(t *testing.T) { holds(t, udp(t), socket.MulticastLoop, false, true) },
		"RecvPacketInfo of IPv6": func(t *testing.T) {
			holds(t, datagram(t, socket.AF_INET6), socket.RecvPacketInfo, true, false)
		},
		"MulticastTTL of IPv6": func(t *testing.T) {
			holds(t, datagram(t, socket.AF_INET6), socket.MulticastTTL, 0, 1, 32)
		},
		"MulticastLoop of IPv6": func(t *testing.T) {
			holds(t, datagram(t, socket.AF_INET6), socket.MulticastLoop, false, true)
		},
	} {
		t.Run(name, test)
	}
}

// The family decides whose option it is.
func TestOptionsOfTheFamily(t *testing.T) {
	for _, c := range []struct{ family, level, name int }{
		{socket.AF_INET, socket.IPPROTO_IP, syscall.IP_TTL},
		{socket.AF_INET6, socket.IPPROTO_IPV6, syscall.IPV6_UNICAST_HOPS},
	} {
		s := open(t, c.family)
		check(t, socket.TTL.Set(s, 77))
		value, err := s.GetsockoptInt(c.level, c.name)
		check(t, err)
		if value != 77 {
			t.Errorf("family %d: %d", c.family, value)
		}
	}
}

func TestReadOnlyOptions(t *testing.T) {
	tcp, udp := open(t, socket.AF_INET), datagram(t, socket.AF_INET)
	if got := get[int](t, socket.Type, tcp); got != socket.SOCK_STREAM {
		t.Errorf("type %d", got)
	}
	if got := get[int](t, socket.Type, udp); got != syscall.SOCK_DGRAM {
		t.Errorf("type %d", got)
	}
	if get[bool](t, socket.Accepting, tcp) {
		t.Error("it accepts before it listens")
	}
	check(t, tcp.Bind(localhost))
	check(t, tcp.Listen(1))
	if !get[bool](t, socket.Accepting, tcp) {
		t.Error("it does not accept")
	}
}

// What has gone wrong is told once.
func TestPendingError(t *testing.T) {
	client, server := tcpPair(t)
	if err := get[error](t, socket.PendingError, client); err != nil {
		t.Errorf("%v on a connection that works", err)
	}
	check(t, socket.Linger.Set(server, 0))
	check(t, server.Close())
	var first error
	await(t, func() bool { first = get[error](t, socket.PendingError, client); return first != nil })
	if first != syscall.ECONNRESET {
		t.Errorf("%v", first)
	}
	if again := get[error](t, socket.PendingError, client); again != nil {
		t.Errorf("%v a second time", again)
	}
}

// A time that is not a whole number of what the system counts in is not cut to 0.
func TestDurationsAreRoundedUp(t *testing.T) {
	s := open(t, socket.AF_INET)
	for value, want := range map[time.Duration]time.Duration{
		time.Nanosecond:                    time.Second,
		999 * time.Millisecond:             time.Second,
		time.Second:                        time.Second,
		time.Second + time.Nanosecond:      2 * time.Second,
		3*time.Second - 1*time.Millisecond: 3 * time.Second,
	} {
		check(t, socket.KeepAliveIdle.Set(s, value))
		check(t, socket.Linger.Set(s, value))
		if idle, linger := get[time.Duration](t, socket.KeepAliveIdle, s), get[time.Duration](t, socket.Linger, s); idle != want || linger != want {
			t.Errorf("%v is %v and %v, want %v", value, idle, linger, want)
		}
	}
	check(t, socket.Linger.Set(s, -time.Nanosecond))
	if got := get[time.Duration](t, socket.Linger, s); got >= 0 {
		t.Errorf("lingers for %v", got)
	}
}

// What does not fit into the system's value is refused, and not cut to something else.
func TestOptionsRefuse(t *testing.T) {
	s := open(t, socket.AF_INET)
	refused := map[string]error{
		"TCP_KEEPINTV": socket.KeepAliveInterval.Set(s, math.MaxInt64),
		"SO_LINGER":    socket.Linger.Set(s, math.MaxInt64),
		"TCP_KEEPCNT":  socket.KeepAliveCount.Set(s, -1),
		"TCP_KEEP":     socket.KeepAliveIdle.Set(s, -time.Second),
	}
	if most := math.MaxInt32; most < math.MaxInt { // an int is larger than a C int
		refused["SO_RCVBUF"] = socket.RecvBufferSize.Set(s, most+1)
		refused["SO_SNDBUF"] = socket.SendBufferSize.Set(s, -most-2)
	}
	for name, err := range refused {
		want(t, err, syscall.EINVAL)
		var wrapped *net.OpError
		if !errors.As(err, &wrapped) || wrapped.Op != "setsockopt" || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An option that there is not names itself, on the way in and out.
func TestOptionsThatAreMissing(t *testing.T) {
	s := open(t, socket.AF_INET)
	u, _ := unixPair(t)
	_, none := socket.Option[int]{}.Get(s)
	_, absent := socket.Absent.Get(s)
	_, other := socket.V6Only.Get(s)
	_, unix := socket.NoDelay.Get(u)
	for name, err := range map[string]error{
		"zero value":   none,
		"the zero":     socket.Option[int]{}.Set(s, 1),
		"SO_ABSENT: ":  absent,
		"SO_ABSENT":    socket.Absent.Set(s, 1),
		"IPV6_V6ONLY:": other,
		"IPV6_V6ONLY":  socket.V6Only.Set(s, true),
		"TCP_NODELAY:": unix,
		"IP_TTL":       socket.TTL.Set(u, 1),
	} {
		want(t, err, errors.ErrUnsupported)
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q: %v", name, err)
		}
	}
	want(t, absent, syscall.ENOPROTOOPT)
	if err := socket.RecvBufferSize.Set(s, math.MaxInt); errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v is about the value, and not the option", err)
	}
}

func TestOptionsOfNoSocket(t *testing.T) {
	closed := open(t, socket.AF_INET)
	check(t, closed.Close())
	for s, target := range map[*socket.Socket]error{nil: syscall.EINVAL, {}: syscall.EINVAL, closed: net.ErrClosed} {
		_, get := socket.TTL.Get(s)
		_, typ := socket.Type.Get(s)
		_, bytes := s.GetsockoptBytes(socket.SOL_SOCKET, syscall.SO_TYPE, make([]byte, 4))
		for _, err := range []error{
			get, typ, bytes, socket.TTL.Set(s, 1), socket.Absent.Set(s, 1),
			s.SetsockoptBytes(socket.SOL_SOCKET, syscall.SO_KEEPALIVE, make([]byte, 4)),
			s.SetsockoptInt(socket.SOL_SOCKET, syscall.SO_RCVTIMEO, 1),
		} {
			want(t, err, target)
		}
	}
}

func TestOptionString(t *testing.T) {
	for o, want := range map[fmt.Stringer]string{
		socket.ReuseAddr: "SO_REUSEADDR", socket.Type: "SO_TYPE", socket.TTL: "IP_TTL/IPV6_UNICAST_HOPS",
	} {
		if o.String() != want {
			t.Errorf("%q, want %q", o, want)
		}
	}
}

// The same by number and byte by byte.
func TestSockoptBytes(t *testing.T) {
	s := open(t, socket.AF_INET)
	check(t, socket.Linger.Set(s, 5*time.Second))
	buf := make([]byte, 100)
	n, err := s.GetsockoptBytes(socket.SOL_SOCKET, syscall.SO_LINGER, buf)
	check(t, err)
	if n != 8 {
		t.Errorf("%d bytes: %v", n, buf[:n])
	}
	other := open(t, socket.AF_INET)
	check(t, other.SetsockoptBytes(socket.SOL_SOCKET, syscall.SO_LINGER, buf[:n]))
	if got := get[time.Duration](t, socket.Linger, other); got != 5*time.Second {
		t.Errorf("%v", got)
	}
	want(t, s.SetsockoptBytes(socket.SOL_SOCKET, syscall.SO_LINGER, nil), syscall.EINVAL)
	n, err = s.GetsockoptBytes(socket.SOL_SOCKET, syscall.SO_TYPE, nil)
	check(t, err)
	if n != 0 {
		t.Errorf("%d bytes in no buffer", n)
	}
	_, err = s.GetsockoptBytes(socket.SOL_SOCKET, 12345, buf)
	want(t, err, syscall.ENOPROTOOPT)
}

// N24: the kernel's timeouts do nothing here. Who sets them is told what to do.
func TestKernelTimeoutsAreRefused(t *testing.T) {
	s := open(t, socket.AF_INET)
	for option, name := range map[string]int{"SO_RCVTIMEO": syscall.SO_RCVTIMEO, "SO_SNDTIMEO": syscall.SO_SNDTIMEO} {
		for _, err := range []error{
			s.SetsockoptInt(socket.SOL_SOCKET, name, 1),
			s.SetsockoptBytes(socket.SOL_SOCKET, name, make([]byte, 16)),
		} {
			want(t, err, errors.ErrUnsupported)
			if text := err.Error(); !strings.Contains(text, option) || !strings.Contains(text, "curio.WithTimeout") {
				t.Errorf("%s: %v", option, err)
			}
		}
		n, err := s.GetsockoptBytes(socket.SOL_SOCKET, name, make([]byte, 16)) // reading them does no harm
		check(t, err)
		if n != 16 {
			t.Errorf("%d bytes", n)
		}
	}
	check(t, s.SetsockoptInt(socket.IPPROTO_IP, syscall.IP_TTL, 5)) // the number alone does not matter
}

// inPython evaluates expressions about the socket s in another program that shares it, and
// returns their values. After that, the socket is good for nothing except its options. The
// test needs python3.
func inPython(t *testing.T, s *socket.Socket, expressions ...string) []string {
	t.Helper()
	fd, err := syscall.Dup(s.FD())
	check(t, err)
	shared := os.NewFile(uintptr(fd), "")
	defer shared.Close()
	script := "import sys, struct\nfrom socket import *\ns = socket(fileno=3)\nfor e in sys.argv[1:]: print(eval(e))\n"
	cmd := testutil.Command(t, "python3", append([]string{"-c", script}, expressions...)...)
	cmd.ExtraFiles = []*os.File{shared}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// Another program sees what we have set, and we see what it has set.
func TestOptionsInPython(t *testing.T) {
	testutil.Need(t, "python3")
	s := open(t, socket.AF_INET)
	check(t, errors.Join(
		socket.RecvBufferSize.Set(s, 40_000), socket.KeepAlive.Set(s, true), socket.KeepAliveInterval.Set(s, 17*time.Second),
		socket.KeepAliveCount.Set(s, 4), socket.TTL.Set(s, 33), socket.TOS.Set(s, 0x10), socket.Linger.Set(s, 9*time.Second),
		socket.NoDelay.Set(s, false),
	))
	got := inPython(t, s,
		"s.getsockopt(SOL_SOCKET, SO_RCVBUF)", "s.getsockopt(SOL_SOCKET, SO_KEEPALIVE) != 0",
		"s.getsockopt(IPPROTO_TCP, TCP_KEEPINTVL)", "s.getsockopt(IPPROTO_TCP, TCP_KEEPCNT)",
		"s.getsockopt(IPPROTO_IP, IP_TTL)", "s.getsockopt(IPPROTO_IP, IP_TOS)",
		"struct.unpack('ii', s.getsockopt(SOL_SOCKET, SO_LINGER, 8))", "s.getsockopt(IPPROTO_TCP, TCP_NODELAY)",
		"s.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack('ii', 1, 6))", "s.setsockopt(IPPROTO_IP, IP_TTL, 44)",
		"s.setsockopt(SOL_SOCKET, SO_SNDBUF, 50000)", "s.getsockopt(SOL_SOCKET, SO_SNDBUF)",
	)
	wanted := []string{
		fmt.Sprint(get[int](t, socket.RecvBufferSize, s)), "True", "17", "4", "33", "16", "(1, 9)", "0",
		"None", "None", "None", fmt.Sprint(get[int](t, socket.SendBufferSize, s)),
	}
	if fmt.Sprint(got) != fmt.Sprint(wanted) {
		t.Errorf("python3 says %v, want %v", got, wanted)
	}
	if linger, ttl := get[time.Duration](t, socket.Linger, s), get[int](t, socket.TTL, s); linger != 6*time.Second || ttl != 44 {
		t.Errorf("after python3 they are %v and %d", linger, ttl)
	}
}

// A receiver wakes when there is as much as it wants, and not before.
func TestRecvLowWater(t *testing.T) {
	a, b := tcpPair(t)
	check(t, socket.RecvLowWater.Set(b, 4))
	got := 0
	o, join := in(t, func(ctx context.Context) error {
		err := b.WaitRead(ctx)
		n, _ := syscall.Read(b.FD(), make([]byte, 10))
		got = n
		return err
	})
	await(t, parked(o))
	for _, part := range []string{"ab", "cd"} {
		_, err := a.SendAll(context.Background(), []byte(part))
		check(t, err)
	}
	check(t, join())
	if got != 4 {
		t.Errorf("woken with %d bytes", got)
	}
}
