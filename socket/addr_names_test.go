package socket_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/socket"
)

func onLinux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("such names are Linux's")
	}
}

// unixNames are names of sockets, as they are given and as they are returned; %s stands for
// a text that is unique to this process.
var unixNames = map[string]struct{ name, told string }{
	"path":                        {"%s", "%s"},
	"relative path":               {"./%s", "./%s"},
	"path of all the length":      {"%s" + strings.Repeat("x", 200), "%s" + strings.Repeat("x", 200)}, // truncated below
	"path that begins with an @":  {"./@%s", "./@%s"},
	"abstract":                    {"@%s", "@%s"},
	"abstract with zero bytes":    {"@a\x00b\x00%s", "@a\x00b\x00%s"},
	"abstract, a zero byte first": {"@\x00%s", "@\x00%s"},
	"abstract, a zero byte last":  {"@%s\x00", "@%s\x00"},
	"abstract of all the length":  {"@%s" + strings.Repeat("y", 200), "@%s" + strings.Repeat("y", 200)},
}

const pathLength = len(syscall.RawSockaddrUnix{}.Path)

// The address that a Unix domain socket returns can be used again, to connect and to send a
// datagram. It stays the same, even after the socket has been closed.
func TestUnixNamesThereAndBack(t *testing.T) {
	onLinux(t)
	t.Chdir(t.TempDir())
	for what, c := range unixNames {
		t.Run(what, func(t *testing.T) {
			testutil.NoLeaks(t)
			ctx := context.Background()
			own := fmt.Sprintf("curio-%d", os.Getpid())
			name, told := fmt.Sprintf(c.name, own), fmt.Sprintf(c.told, own)
			name, told = name[:min(len(name), pathLength)], told[:min(len(told), pathLength)]

			l := listen(t, socket.AF_UNIX, unixAddr(name), 0)
			if got := l.LocalAddr(); got.String() != told || got.Network() != "unix" {
				t.Fatalf("it is told as %q, want %q", got, told)
			}
			client := open(t, socket.AF_UNIX)
			check(t, client.Connect(ctx, l.LocalAddr()))
			server, err := l.Accept(ctx)
			check(t, err)
			closing(t, server)
			for _, got := range []net.Addr{client.RemoteAddr(), server.LocalAddr()} {
				if got.String() != told {
					t.Errorf("it is told as %q, want %q", got, told)
				}
			}
			check(t, server.Close())
			if a, ok := server.LocalAddr().(*net.UnixAddr); !ok || a.Name != told {
				t.Errorf("after Close it is %v", server.LocalAddr())
			}
			check(t, client.Close())
			check(t, l.Close())
			if name[0] != '@' {
				check(t, os.Remove(name)) // it has made this file, and no other
			}

			a, b := openOf(t, socket.AF_UNIX, socket.SOCK_DGRAM), openOf(t, socket.AF_UNIX, socket.SOCK_DGRAM)
			check(t, a.Bind(unixAddr(name)))
			check(t, b.Bind(unixAddr("")))
			_, err = b.SendTo(ctx, []byte("x"), 0, a.LocalAddr())
			check(t, err)
			_, from, err := a.RecvFrom(ctx, make([]byte, 9), 0)
			check(t, err)
			_, err = a.SendMsg(ctx, &socket.Message{Addr: from, Buffers: [][]byte{[]byte("y")}}, 0)
			check(t, err)
			m := socket.Message{Buffers: [][]byte{make([]byte, 9)}}
			_, err = b.RecvMsg(ctx, &m, 0)
			check(t, err)
			if m.Addr.String() != told || from.String() != b.LocalAddr().String() {
				t.Errorf("from %q and %q", m.Addr, from)
			}
			if name[0] != '@' {
				check(t, os.Remove(name))
			}
		})
	}
	if left, err := filepath.Glob("*"); len(left) > 0 || err != nil {
		t.Errorf("files of other names: %q, %v", left, err)
	}
}

// A socket without a name differs from one with an empty name, and their addresses differ,
// too.
func TestNoNameAndEmptyName(t *testing.T) {
	onLinux(t)
	a, b := unixPair(t)
	for _, s := range []*socket.Socket{a, b} {
		if s.LocalAddr().String() != "" || s.RemoteAddr().String() != "" || s.String() != "unix ->" {
			t.Errorf("%q, %q, %q", s.LocalAddr(), s.RemoteAddr(), s)
		}
	}
	want(t, open(t, socket.AF_UNIX).Connect(context.Background(), a.LocalAddr()), syscall.EINVAL)
	empty := openOf(t, socket.AF_UNIX, socket.SOCK_DGRAM)
	check(t, empty.Bind(unixAddr("@")))
	if got := empty.LocalAddr().String(); got != "@" {
		t.Errorf("%q", got)
	}
	auto := openOf(t, socket.AF_UNIX, socket.SOCK_DGRAM)
	check(t, auto.Bind(unixAddr("")))
	first := auto.LocalAddr()
	if name := first.String(); len(name) != 6 || name[0] != '@' {
		t.Errorf("%q", name)
	}
	check(t, auto.Close())
	again := openOf(t, socket.AF_UNIX, socket.SOCK_DGRAM)
	check(t, again.Bind(first))
	if again.LocalAddr().String() != first.String() {
		t.Errorf("%q, want %q", again.LocalAddr(), first)
	}
}

// Names that the system would take for others are refused everywhere, and no file is made.
func TestNamesWithZeroBytes(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx := context.Background()
	for _, name := range []string{"a\x00b", "a\x00", "\x00a", "\x00", "./@a\x00b", strings.Repeat("a", pathLength-1) + "\x00"} {
		stream, gram := open(t, socket.AF_UNIX), openOf(t, socket.AF_UNIX, socket.SOCK_DGRAM)
		gramTo := &net.UnixAddr{Name: name, Net: "unixgram"}
		message := socket.Message{Addr: gramTo}
		for what, err := range map[string]error{
			"Bind":      stream.Bind(unixAddr(name)),
			"Connect":   stream.Connect(ctx, unixAddr(name)),
			"SendTo":    second(gram.SendTo(ctx, []byte("x"), 0, gramTo)),
			"SendMsg":   second(gram.SendMsg(ctx, &message, 0)),
			"SendMMsg":  second(gram.SendMMsg(ctx, []socket.Message{message}, 0)),
			"Bind gram": gram.Bind(gramTo),
		} {
			if err == nil || !strings.Contains(err.Error(), "zero byte") {
				t.Errorf("%s of %q: %v", what, name, err)
			}
		}
	}
	if left, _ := filepath.Glob("*"); len(left) > 0 {
		t.Errorf("there are files: %q", left)
	}
	for what, err := range map[string]error{
		"GetAddrInfo host":    second(socket.GetAddrInfo(ctx, "localhost\x00x", "80", nil)),
		"GetAddrInfo service": second(socket.GetAddrInfo(ctx, "127.0.0.1", "http\x00x", nil)),
		"GetAddrInfo number":  second(socket.GetAddrInfo(ctx, "127.0.0.1", "80\x00", &socket.AddrInfoHints{NumericService: true})),
		"GetAddrInfo zone":    second(socket.GetAddrInfo(ctx, "fe80::1%lo\x00x", "80", nil)),
		"GetHostByName":       second(socket.GetHostByName(ctx, "localhost\x00")),
		"GetHostByNameEx":     second(socket.GetHostByNameEx(ctx, "local\x00host")),
		"GetFQDN":             second(socket.GetFQDN(ctx, "localhost\x00")),
		"GetHostByAddr":       second(socket.GetHostByAddr(ctx, netip.MustParseAddr("fe80::1%lo\x00"))),
	} {
		if err == nil || !strings.Contains(err.Error(), "zero byte") {
			t.Errorf("%s: %v", what, err)
		}
	}
	s := openOf(t, socket.AF_INET6, socket.SOCK_DGRAM)
	group := netip.MustParseAddr("ff02::4321%lo\x00")
	for what, err := range map[string]error{
		"BindAddrPort":   s.BindAddrPort(netip.MustParseAddrPort("[fe80::1%lo\x00]:0")),
		"Connect":        s.Connect(ctx, &net.UDPAddr{IP: net.IPv6loopback, Port: 9, Zone: "lo\x00x"}),
		"SendToAddrPort": second(s.SendToAddrPort(ctx, []byte("x"), 0, netip.MustParseAddrPort("[fe80::1%lo\x00]:9"))),
		"JoinGroup":      s.JoinGroup(group, nil),
	} {
		if err == nil || !strings.Contains(err.Error(), "unknown zone") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if runtime.GOOS == "linux" {
		want(t, socket.BindToDevice.Set(s, "lo\x00x"), syscall.EINVAL)
		want(t, socket.Congestion.Set(open(t, socket.AF_INET), "cubic\x00x"), syscall.EINVAL)
	}
}

func second[T any](_ T, err error) error { return err }

// Internet addresses are returned in a form that can be bound again, even after Close.
func TestInternetAddressesThereAndBack(t *testing.T) {
	for what, c := range map[string]struct {
		family, typ int
		addr        net.Addr
	}{
		"IPv4":               {socket.AF_INET, socket.SOCK_STREAM, localhost},
		"IPv4, all":          {socket.AF_INET, socket.SOCK_STREAM, &net.TCPAddr{}},
		"IPv6":               {socket.AF_INET6, socket.SOCK_STREAM, &net.TCPAddr{IP: net.IPv6loopback}},
		"IPv6, all":          {socket.AF_INET6, socket.SOCK_STREAM, &net.TCPAddr{}},
		"mapped":             {socket.AF_INET6, socket.SOCK_STREAM, localhost},
		"mapped, all":        {socket.AF_INET6, socket.SOCK_STREAM, &net.TCPAddr{IP: net.IPv4zero}},
		"UDP":                {socket.AF_INET, socket.SOCK_DGRAM, &net.UDPAddr{IP: localhost.IP}},
		"UDP, all":           {socket.AF_INET6, socket.SOCK_DGRAM, &net.UDPAddr{}},
		"UDP, mapped":        {socket.AF_INET6, socket.SOCK_DGRAM, &net.UDPAddr{IP: localhost.IP}},
		"raw":                {socket.AF_INET, socket.SOCK_RAW, &net.IPAddr{IP: localhost.IP}},
		"raw IPv6":           {socket.AF_INET6, socket.SOCK_RAW, &net.IPAddr{IP: net.IPv6loopback}},
		"raw, all addresses": {socket.AF_INET, socket.SOCK_RAW, &net.IPAddr{}},
	} {
		t.Run(what, func(t *testing.T) {
			if c.family == socket.AF_INET6 && !hasIPv6() {
				t.Skip("there is no IPv6 here")
			}
			proto := 0
			if c.typ == socket.SOCK_RAW {
				proto = 253 // for experiments, RFC 3692
			}
			bound := func(addr net.Addr) (*socket.Socket, error) {
				s, err := socket.New(c.family, c.typ, proto)
				if err != nil {
					t.Skip(err) // raw sockets need a privilege
				}
				closing(t, s)
				return s, s.Bind(addr)
			}
			var s, again *socket.Socket
			var told net.Addr
			testutil.Await(t, "a port that nobody else takes meanwhile", func() bool {
				var err error
				s, err = bound(c.addr)
				check(t, err)
				told = s.LocalAddr()
				check(t, s.Close())
				again, err = bound(told)
				if !errors.Is(err, syscall.EADDRINUSE) {
					check(t, err)
				}
				return err == nil
			})
			if fmt.Sprintf("%#v", again.LocalAddr()) != fmt.Sprintf("%#v", told) || s.LocalAddr() != told {
				t.Errorf("%#v, %#v, want %#v", again.LocalAddr(), s.LocalAddr(), told)
			}
		})
	}
}

// A closed socket returns its addresses even if nobody has asked for them before, and so
// does an adopted connection that the peer has reset.
func TestAddressesAfterClose(t *testing.T) {
	a, b := tcpPair(t)
	client, server := a.LocalAddrPort(), b.LocalAddrPort()
	c, d := tcpPair(t)
	for _, s := range []*socket.Socket{c, d} {
		check(t, s.Close())
		if !s.LocalAddrPort().IsValid() || !s.RemoteAddrPort().IsValid() || !strings.Contains(s.String(), "->127.0.0.1") {
			t.Errorf("%v", s)
		}
	}
	fd, err := b.Detach()
	check(t, err)
	if b.LocalAddrPort() != server || b.RemoteAddrPort() != client {
		t.Errorf("%v after Detach", b)
	}
	b, err = socket.FromFD(fd)
	check(t, err)
	closing(t, b)
	check(t, socket.Linger.Set(a, 0))
	check(t, a.Close()) // a reset
	_, err = b.Recv(context.Background(), make([]byte, 1))
	want(t, err, syscall.ECONNRESET)
	if b.LocalAddrPort() != server || b.RemoteAddrPort() != client {
		t.Errorf("%v after a reset", b)
	}
}

// A relative path is returned as it was given: it is relative to the working directory at
// that time.
func TestRelativePathAfterChdir(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	t.Chdir(first)
	l := listen(t, socket.AF_UNIX, unixAddr("s"), 0)
	t.Chdir(second)
	if got := l.LocalAddr().String(); got != "s" {
		t.Errorf("%q", got)
	}
	want(t, open(t, socket.AF_UNIX).Connect(context.Background(), l.LocalAddr()), syscall.ENOENT)
	t.Chdir(first)
	check(t, open(t, socket.AF_UNIX).Connect(context.Background(), l.LocalAddr()))
}

// Python and this package give a socket the same name, whatever bytes it contains.
func TestNamesInPython(t *testing.T) {
	testutil.Need(t, "python3")
	onLinux(t)
	s := openOf(t, socket.AF_UNIX, socket.SOCK_DGRAM)
	name := fmt.Sprintf("a\x00b-%d\x00", os.Getpid())
	check(t, s.Bind(unixAddr("@"+name)))
	got := inPython(t, s, "s.getsockname()[1:-1].hex()", "s.getsockname()[0], s.getsockname()[-1]",
		"globals().update(o=socket(AF_UNIX, SOCK_DGRAM)) or o.bind(b'\\0other\\0name'+s.getsockname()) or o.sendto(b'x', s.getsockname())")
	if want := []string{fmt.Sprintf("%x", name[:len(name)-1]), "(0, 0)", "1"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	_, from, err := s.RecvFrom(context.Background(), make([]byte, 9), 0)
	check(t, err)
	if want := "@other\x00name\x00" + name; from.String() != want {
		t.Errorf("%q, want %q", from, want)
	}
}
