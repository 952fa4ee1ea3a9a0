package socket_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/socket"
)

func TestAddresses(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		family int
		addr   net.Addr
	}{
		"IPv4":             {socket.AF_INET, localhost},
		"IPv4, four bytes": {socket.AF_INET, &net.TCPAddr{IP: localhost.IP.To4()}},
		"IPv4, all":        {socket.AF_INET, &net.TCPAddr{}},
		"IPv6":             {socket.AF_INET6, &net.TCPAddr{IP: net.IPv6loopback}},
		"IPv6, all":        {socket.AF_INET6, &net.TCPAddr{}},
		"mapped IPv4":      {socket.AF_INET6, localhost},
		"path":             {socket.AF_UNIX, &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"}},
		"abstract":         {socket.AF_UNIX, &net.UnixAddr{Name: fmt.Sprintf("@curio-test-%d", os.Getpid())}},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "abstract" && runtime.GOOS != "linux" {
				t.Skip("abstract names are Linux's")
			}
			if c.family == socket.AF_INET6 && !hasIPv6() {
				t.Skip("there is no IPv6 here")
			}
			l := listen(t, c.family, c.addr, 0)
			client, server := connectedTo(t, l, c.family)
			if got, want := client.RemoteAddr().String(), server.LocalAddr().String(); got != want {
				t.Errorf("the client is connected to %s, the server is %s", got, want)
			}
			if got, want := server.RemoteAddr(), client.LocalAddr(); c.family != socket.AF_UNIX && got.String() != want.String() {
				t.Errorf("the server is connected to %s, the client is %s", got, want)
			}
			if c.family == socket.AF_UNIX {
				if got, want := client.RemoteAddr().String(), c.addr.String(); got != want {
					t.Errorf("connected to %s, want %s", got, want)
				}
			}
			for _, s := range []*socket.Socket{client, server, l} {
				text := s.String()
				if !strings.HasPrefix(text, s.LocalAddr().Network()+" ") || !strings.Contains(text, s.LocalAddr().String()) {
					t.Errorf("shown as %q", text)
				}
			}
		})
	}
}

func hasIPv6() bool {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err == nil {
		l.Close()
	}
	return err == nil
}

// A socket knows its addresses at any time, and nil where there is none.
func TestAddressesBefore(t *testing.T) {
	s := open(t, socket.AF_INET)
	if s.RemoteAddr() != nil {
		t.Errorf("connected to %v", s.RemoteAddr())
	}
	if a := s.LocalAddr(); a == nil || a.String() != "0.0.0.0:0" {
		t.Errorf("bound to %v", a)
	}
	check(t, s.Bind(localhost))
	if a := s.LocalAddr().(*net.TCPAddr); !a.IP.Equal(localhost.IP) || a.Port == 0 {
		t.Errorf("bound to %v", a)
	}
	known := s.LocalAddr()
	check(t, s.Close())
	if s.LocalAddr() != known {
		t.Errorf("after Close %v", s.LocalAddr())
	}
	if a := open(t, socket.AF_INET); a.Close() != nil || a.LocalAddr().String() != "0.0.0.0:0" || a.String() != "tcp 0.0.0.0:0" {
		t.Errorf("after Close %v, %q", a.LocalAddr(), a)
	}
}

// A connection from an address of the client's choice.
func TestSourceAddress(t *testing.T) {
	l := listen(t, socket.AF_INET, localhost, 0)
	s := open(t, socket.AF_INET)
	check(t, s.Bind(localhost))
	from := s.LocalAddr().String()
	check(t, s.Connect(context.Background(), l.LocalAddr()))
	server, err := l.Accept(context.Background())
	check(t, err)
	defer server.Close()
	if server.RemoteAddr().String() != from {
		t.Errorf("comes from %v, want %s", server.RemoteAddr(), from)
	}
}

type otherAddr struct{}

func (otherAddr) Network() string { return "other" }
func (otherAddr) String() string  { return "somewhere" }

func TestBadAddresses(t *testing.T) {
	v4 := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}
	v6 := &net.TCPAddr{IP: net.IPv6loopback, Port: 80}
	path := &net.UnixAddr{Name: "/tmp/s", Net: "unix"}
	for _, c := range []struct {
		family int
		addr   net.Addr
		text   string
	}{
		{socket.AF_INET, nil, "missing address"},
		{socket.AF_INET, (*net.TCPAddr)(nil), "missing address"},
		{socket.AF_UNIX, (*net.UnixAddr)(nil), "missing address"},
		{socket.AF_INET, otherAddr{}, "socket_test.otherAddr"},
		{socket.AF_INET, &net.UDPAddr{}, "*net.UDPAddr"},
		{socket.AF_INET, (*net.UDPAddr)(nil), "missing address"},
		{socket.AF_INET, (*net.IPAddr)(nil), "missing address"},
		{socket.AF_INET, &net.IPAddr{}, "*net.IPAddr"},
		{socket.AF_UNIX, &net.UDPAddr{}, "another family"},
		{socket.AF_INET, v6, "IPv4"},
		{socket.AF_INET, path, "another family"},
		{socket.AF_INET6, path, "another family"},
		{socket.AF_UNIX, v4, "another family"},
		{socket.AF_INET, &net.TCPAddr{Port: 65536}, "port"},
		{socket.AF_INET, &net.TCPAddr{Port: -1}, "port"},
		{socket.AF_INET6, &net.TCPAddr{IP: net.IP{1, 2, 3}}, "not an IP address"},
		{socket.AF_INET6, &net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "no such zone"}, "zone"},
		{socket.AF_UNIX, &net.UnixAddr{Name: "/tmp/s", Net: "unixgram"}, "unixgram"},
		{socket.AF_UNIX, &net.UnixAddr{Name: "/tmp/" + strings.Repeat("x", 200)}, "longer than"},
	} {
		if c.family == socket.AF_INET6 && !hasIPv6() {
			continue
		}
		s := open(t, c.family)
		for op, err := range map[string]error{"bind": s.Bind(c.addr), "connect": s.Connect(context.Background(), c.addr)} {
			var address *net.AddrError
			if !errors.As(err, &address) || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), op) {
				t.Errorf("%s, %T %v: %v, want something about %q", op, c.addr, c.addr, err, c.text)
			}
		}
		check(t, s.Close())
	}
}

func TestZones(t *testing.T) {
	if !hasIPv6() {
		t.Skip("there is no IPv6 here")
	}
	loopback, err := net.InterfaceByIndex(1)
	if err != nil {
		t.Skip("no interface has the number 1")
	}
	for _, zone := range []string{loopback.Name, "1"} {
		s := open(t, socket.AF_INET6)
		// Link-local, on an interface that has no such address: what matters is
		// that the zone is understood.
		err := s.Bind(&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: zone})
		if !errors.Is(err, syscall.EADDRNOTAVAIL) && err != nil {
			t.Errorf("zone %s: %v", zone, err)
		}
	}
}

func TestErrnos(t *testing.T) {
	ctx := &newTask(t).Scope
	l := listen(t, socket.AF_INET, localhost, 0)
	want(t, open(t, socket.AF_INET).Bind(l.LocalAddr()), syscall.EADDRINUSE)

	nobody := open(t, socket.AF_INET)
	check(t, nobody.Bind(localhost))
	err := open(t, socket.AF_INET).Connect(ctx, nobody.LocalAddr())
	want(t, err, syscall.ECONNREFUSED)
	if text := err.Error(); text != "connect tcp "+nobody.LocalAddr().String()+": connect: connection refused" {
		t.Errorf("%q", text)
	}
	want(t, open(t, socket.AF_UNIX).Connect(ctx, &net.UnixAddr{Name: filepath.Join(t.TempDir(), "none")}), syscall.ENOENT)

	_, err = open(t, socket.AF_INET).Recv(ctx, make([]byte, 1))
	want(t, err, syscall.ENOTCONN)
	_, err = open(t, socket.AF_INET).Accept(ctx)
	want(t, err, syscall.EINVAL)
	want(t, l.Shutdown(99), syscall.EINVAL)
}
