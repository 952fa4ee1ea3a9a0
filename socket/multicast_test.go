package socket_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/socket"
)

// interfaceWith is an interface that is up and has all of the flags.
func interfaceWith(t testing.TB, flags net.Flags) *net.Interface {
	t.Helper()
	all, err := net.Interfaces()
	check(t, err)
	for _, ifi := range all {
		if flags |= net.FlagUp; ifi.Flags&flags == flags {
			return &ifi
		}
	}
	t.Skipf("there is no interface that is %v", flags)
	return nil
}

func loopback(t testing.TB) *net.Interface {
	t.Helper()
	return interfaceWith(t, net.FlagLoopback)
}

var (
	group4 = netip.MustParseAddr("239.255.43.21")
	group6 = netip.MustParseAddr("ff02::4321")
	home   = netip.MustParseAddr("127.0.0.1")
)

// raw is an address for package syscall.
func raw(addr netip.Addr, port, zone int) syscall.Sockaddr {
	if addr.Is4() {
		return &syscall.SockaddrInet4{Addr: addr.As4(), Port: port}
	}
	return &syscall.SockaddrInet6{Addr: addr.As16(), Port: port, ZoneId: uint32(zone)}
}

// member makes a socket bound to some port of all addresses.
func member(t testing.TB, family int) (s *socket.Socket, port int) {
	t.Helper()
	s = datagram(t, family)
	if family == socket.AF_INET {
		check(t, syscall.Bind(s.FD(), &syscall.SockaddrInet4{}))
	} else {
		check(t, syscall.Bind(s.FD(), &syscall.SockaddrInet6{}))
	}
	sa, err := syscall.Getsockname(s.FD())
	check(t, err)
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		port = sa.Port
	case *syscall.SockaddrInet6:
		port = sa.Port
	}
	return s, port
}

// says sends text to an address.
func says(t testing.TB, s *socket.Socket, to syscall.Sockaddr, text string) {
	t.Helper()
	check(t, syscall.Connect(s.FD(), to))
	_, err := s.Send(context.Background(), []byte(text))
	check(t, err)
}

// hears expects to receive text next.
func hears(t testing.TB, s *socket.Socket, text string) {
	t.Helper()
	buf := make([]byte, 100)
	_, join := in(t, func(ctx context.Context) error {
		n, err := s.Recv(ctx, buf)
		buf = buf[:n]
		return err
	})
	check(t, join())
	if string(buf) != text {
		t.Errorf("received %q, want %q", buf, text)
	}
}

// What is sent to a group reaches its members, as long as they are.
func TestMulticast(t *testing.T) {
	lo := loopback(t)
	receiver, port := member(t, socket.AF_INET)
	sender := datagram(t, socket.AF_INET)
	check(t, sender.SetMulticastInterface(lo))
	says(t, sender, raw(group4, port, 0), "to nobody")
	check(t, receiver.JoinGroup(group4, lo))
	says(t, sender, raw(group4, port, 0), "to the group")
	hears(t, receiver, "to the group")
	want(t, receiver.JoinGroup(group4, lo), syscall.EADDRINUSE)
	check(t, receiver.LeaveGroup(group4, lo))
	says(t, sender, raw(group4, port, 0), "to nobody again")
	says(t, sender, raw(home, port, 0), "to one")
	hears(t, receiver, "to one")
	want(t, receiver.LeaveGroup(group4, lo), syscall.EADDRNOTAVAIL)
}

// A socket for both families can be in groups of both.
func TestMulticastToBothFamilies(t *testing.T) {
	if !hasIPv6() {
		t.Skip("there is no IPv6 here")
	}
	lo := loopback(t)
	receiver := datagram(t, socket.AF_INET6)
	check(t, socket.V6Only.Set(receiver, false))
	check(t, syscall.Bind(receiver.FD(), &syscall.SockaddrInet6{}))
	sa, err := syscall.Getsockname(receiver.FD())
	check(t, err)
	port := sa.(*syscall.SockaddrInet6).Port
	check(t, receiver.JoinGroup(group4, lo))
	sender := datagram(t, socket.AF_INET)
	check(t, sender.SetMulticastInterface(lo))
	says(t, sender, raw(group4, port, 0), "to IPv4")
	hears(t, receiver, "to IPv4")
	check(t, receiver.LeaveGroup(netip.AddrFrom16(group4.As16()), lo)) // a mapped address is the same
	says(t, sender, raw(group4, port, 0), "to nobody")
	says(t, sender, raw(home, port, 0), "to one")
	hears(t, receiver, "to one")
}

// Several members of one machine hear the same.
func TestMulticastToSeveral(t *testing.T) {
	lo := loopback(t)
	first, port := member(t, socket.AF_INET)
	second := datagram(t, socket.AF_INET)
	check(t, first.Close())
	first = datagram(t, socket.AF_INET)
	for _, s := range []*socket.Socket{first, second} {
		check(t, socket.ReuseAddr.Set(s, true))
		check(t, syscall.Bind(s.FD(), raw(group4, port, 0)))
		check(t, s.JoinGroup(group4, lo))
	}
	sender := datagram(t, socket.AF_INET)
	check(t, sender.SetMulticastInterface(lo))
	says(t, sender, raw(group4, port, 0), "to both")
	hears(t, first, "to both")
	hears(t, second, "to both")
}

// Only what comes from the source.
func TestMulticastFromASource(t *testing.T) {
	lo := loopback(t)
	receiver, port := member(t, socket.AF_INET)
	source := netip.MustParseAddr("127.0.0.2")
	from := func(addr netip.Addr) *socket.Socket {
		s := datagram(t, socket.AF_INET)
		check(t, syscall.Bind(s.FD(), raw(addr, 0, 0)))
		check(t, s.SetMulticastInterface(lo))
		return s
	}
	other, sender := from(home), from(source)
	check(t, receiver.JoinSourceGroup(group4, source, lo))
	says(t, other, raw(group4, port, 0), "from another")
	says(t, sender, raw(group4, port, 0), "from the source")
	hears(t, receiver, "from the source")
	check(t, receiver.LeaveSourceGroup(group4, source, lo))
	says(t, sender, raw(group4, port, 0), "to nobody")
	says(t, sender, raw(home, port, 0), "to one")
	hears(t, receiver, "to one")
	want(t, receiver.LeaveSourceGroup(group4, source, lo), syscall.EINVAL)
}

// IPv6 has no groups on the loopback interface. With a hop limit of 0 nothing leaves this
// machine through another one.
func TestMulticastOfIPv6(t *testing.T) {
	ifi := interfaceWith(t, net.FlagMulticast)
	receiver, port := member(t, socket.AF_INET6)
	sender := datagram(t, socket.AF_INET6)
	check(t, sender.SetMulticastInterface(ifi))
	check(t, socket.MulticastTTL.Set(sender, 0))
	to := raw(group6, port, ifi.Index)
	if err := syscall.Connect(sender.FD(), to); err != nil {
		t.Skipf("no IPv6 on %s: %v", ifi.Name, err)
	}
	check(t, receiver.JoinGroup(group6, ifi))
	says(t, sender, to, "to the group")
	hears(t, receiver, "to the group")

	check(t, socket.MulticastLoop.Set(sender, false))
	says(t, sender, to, "not to this machine")
	check(t, socket.MulticastLoop.Set(sender, true))
	says(t, sender, to, "to the group again")
	hears(t, receiver, "to the group again")

	check(t, receiver.LeaveGroup(group6, ifi))
	says(t, sender, to, "to nobody")
	check(t, receiver.JoinGroup(group6.WithZone(ifi.Name), nil)) // the zone is the interface
	says(t, sender, to, "to the zone")
	hears(t, receiver, "to the zone")
	check(t, receiver.LeaveGroup(group6.WithZone(ifi.Name), nil))

	addrs, err := ifi.Addrs()
	check(t, err)
	for _, a := range addrs {
		source := netip.MustParsePrefix(a.String()).Addr()
		if source.Is6() && source.IsLinkLocalUnicast() {
			check(t, receiver.JoinSourceGroup(group6, source, ifi))
			says(t, sender, to, "from the source")
			hears(t, receiver, "from the source")
			check(t, receiver.LeaveSourceGroup(group6, source, ifi))
		}
	}
}

func TestMulticastInterface(t *testing.T) {
	lo := loopback(t)
	for _, family := range []int{socket.AF_INET, socket.AF_INET6} {
		s := datagram(t, family)
		for _, ifi := range []*net.Interface{nil, lo, nil} {
			check(t, s.SetMulticastInterface(ifi))
			got, err := s.MulticastInterface()
			check(t, err)
			if (got == nil) != (ifi == nil) || got != nil && got.Name != ifi.Name {
				t.Errorf("%+v, want %+v", got, ifi)
			}
		}
		err := s.SetMulticastInterface(&net.Interface{Index: 1 << 30})
		if err == nil || !strings.Contains(err.Error(), "MULTICAST_IF") {
			t.Errorf("an interface that is not there: %v", err)
		}
	}
}

func TestMulticastRefuses(t *testing.T) {
	s4, s6 := datagram(t, socket.AF_INET), datagram(t, socket.AF_INET6)
	u, _ := unixPair(t)
	for text, err := range map[string]error{
		"not a multicast address":    s4.JoinGroup(home, nil),
		"another family":             u.JoinGroup(group4, nil),
		"not an IPv4 address":        s4.JoinGroup(group6, nil),
		"not a source for the group": s4.JoinSourceGroup(group4, netip.Addr{}, nil),
		"group 239.255.43.21":        s4.JoinSourceGroup(group4, group4, nil),
		"group ff02::4321":           s6.JoinSourceGroup(group6, home, nil),
		"unknown zone":               s6.JoinGroup(group6.WithZone("no such zone"), nil),
	} {
		var wrapped *net.OpError
		var address *net.AddrError
		if !errors.As(err, &wrapped) || wrapped.Op != "join" || !errors.As(err, &address) || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := s4.JoinGroup(netip.Addr{}, nil); err == nil {
		t.Error("no address is taken for a group")
	}
	want(t, s4.JoinGroup(group4, &net.Interface{Index: 1 << 30}), syscall.ENODEV)

	closed := datagram(t, socket.AF_INET)
	check(t, closed.Close())
	for s, target := range map[*socket.Socket]error{nil: syscall.EINVAL, {}: syscall.EINVAL, closed: net.ErrClosed} {
		_, get := s.MulticastInterface()
		for _, err := range []error{
			get, s.JoinGroup(group4, nil), s.LeaveGroup(group4, nil), s.JoinSourceGroup(group4, home, nil),
			s.LeaveSourceGroup(group4, home, nil), s.SetMulticastInterface(nil),
		} {
			want(t, err, target)
		}
	}
}
