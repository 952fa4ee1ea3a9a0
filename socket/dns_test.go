package socket_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

var ctx = context.Background()

// names are those of the tests. The addresses are for documents, RFC 5737 and 3849.
var names = map[string]record{
	"both.test":                {addrs: []string{"192.0.2.1", "2001:db8::1"}},
	"several.test":             {addrs: []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}},
	"six.test":                 {addrs: []string{"2001:db8::1"}},
	"empty.test":               {},
	"alias.test":               {alias: "several.test"},
	"silent.test":              {silent: true},
	"host.test":                {addrs: []string{"192.0.2.9"}},
	reverse("192.0.2.9"):       {names: []string{"short", "host.test", "other.test"}},
	reverse("192.0.2.1"):       {names: []string{"several.test"}},
	reverse("192.0.2.99"):      {silent: true},
	reverse("192.0.2.98"):      {names: []string{"dotless"}},
	"unnamed.test":             {addrs: []string{"192.0.2.77"}},
	"elsewhere.test":           {addrs: []string{"192.0.2.98"}},
	"nobody-knows-whence.test": {addrs: []string{"192.0.2.99"}},
}

// ways writes what GetAddrInfo found as one line.
func ways(found []socket.AddrInfo) string {
	var all []string
	for _, f := range found {
		way := fmt.Sprintf("%s %s %d", f.Addr.Network(), f.Addr, f.Protocol)
		if f.CanonicalName != "" {
			way += " (" + f.CanonicalName + ")"
		}
		all = append(all, way)
	}
	return strings.Join(all, ", ")
}

func TestGetAddrInfo(t *testing.T) {
	server := useNames(t, names)
	stream := socket.AddrInfoHints{Type: socket.SOCK_STREAM}
	with := func(h socket.AddrInfoHints, f func(h *socket.AddrInfoHints)) *socket.AddrInfoHints {
		f(&h)
		return &h
	}
	for _, c := range []struct {
		host, service string
		hints         *socket.AddrInfoHints
		want          string
	}{
		// Numbers, for which nobody is asked. The same as getaddrinfo(3) has.
		{"127.0.0.1", "80", nil, "tcp 127.0.0.1:80 6, udp 127.0.0.1:80 17, ip 127.0.0.1 0"},
		{"127.0.0.1", "", nil, "tcp 127.0.0.1:0 6, udp 127.0.0.1:0 17, ip 127.0.0.1 0"},
		{"::1", "80", &stream, "tcp [::1]:80 6"},
		{"::ffff:192.0.2.1", "80", &stream, "tcp 192.0.2.1:80 6"},
		{"", "80", &stream, "tcp [::1]:80 6, tcp 127.0.0.1:80 6"},
		{"", "80", with(stream, func(h *socket.AddrInfoHints) { h.Passive = true }), "tcp 0.0.0.0:80 6, tcp [::]:80 6"},
		{"", "80", with(stream, func(h *socket.AddrInfoHints) { h.Passive, h.Family = true, socket.AF_INET6 }), "tcp [::]:80 6"},
		{"127.0.0.1", "80", with(stream, func(h *socket.AddrInfoHints) { h.Passive = true }), "tcp 127.0.0.1:80 6"},
		{"127.0.0.1", "80", &socket.AddrInfoHints{Protocol: syscall.IPPROTO_UDP}, "udp 127.0.0.1:80 17"},
		{"127.0.0.1", "", &socket.AddrInfoHints{Type: syscall.SOCK_RAW, Protocol: syscall.IPPROTO_ICMP}, "ip 127.0.0.1 1"},
		{"127.0.0.1", "", &socket.AddrInfoHints{Protocol: syscall.IPPROTO_ICMP}, "ip 127.0.0.1 1"},
		{"127.0.0.1", "80", with(stream, func(h *socket.AddrInfoHints) { h.CanonicalName = true }), "tcp 127.0.0.1:80 6 (127.0.0.1)"},
		{"127.0.0.1", "80", with(stream, func(h *socket.AddrInfoHints) { h.NumericHost, h.NumericService = true, true }), "tcp 127.0.0.1:80 6"},

		// Names of services.
		{"127.0.0.1", "http", &stream, "tcp 127.0.0.1:80 6"},
		{"127.0.0.1", "domain", nil, "tcp 127.0.0.1:53 6, udp 127.0.0.1:53 17"},

		// Names of hosts.
		{"several.test", "80", &stream, "tcp 192.0.2.1:80 6, tcp 192.0.2.2:80 6, tcp 192.0.2.3:80 6"},
		{"both.test", "80", with(stream, func(h *socket.AddrInfoHints) { h.Family = socket.AF_INET }), "tcp 192.0.2.1:80 6"},
		{"both.test", "80", with(stream, func(h *socket.AddrInfoHints) { h.Family = socket.AF_INET6 }), "tcp [2001:db8::1]:80 6"},
		{"six.test", "", &stream, "tcp [2001:db8::1]:0 6"},
		{"six.test", "", with(stream, func(h *socket.AddrInfoHints) { h.Resolver = server.Resolver }), "tcp [2001:db8::1]:0 6"},
		{"alias.test", "80", with(stream, func(h *socket.AddrInfoHints) { h.CanonicalName = true }), "tcp 192.0.2.1:80 6 (several.test), tcp 192.0.2.2:80 6, tcp 192.0.2.3:80 6"},
	} {
		found, err := socket.GetAddrInfo(ctx, c.host, c.service, c.hints)
		if err != nil || ways(found) != c.want {
			t.Errorf("%q, %q, %+v: %s, %v, want %s", c.host, c.service, c.hints, ways(found), err, c.want)
		}
		for _, f := range found {
			if is6 := strings.Contains(c.want, "[") && strings.Contains(f.Addr.String(), "["); is6 && f.Family != socket.AF_INET6 {
				t.Errorf("%s has the family %d", f.Addr, f.Family)
			}
		}
	}
	both, err := socket.GetAddrInfo(ctx, "both.test", "80", &stream)
	check(t, err)
	if len(both) != 2 || both[0].Family == both[1].Family { // which is the first depends on this machine's routes
		t.Errorf("%s", ways(both))
	}
}

// What is found can be used as it is.
func TestGetAddrInfoIsForNew(t *testing.T) {
	l := listen(t, socket.AF_INET, localhost, 0)
	_, port, err := net.SplitHostPort(l.LocalAddr().String())
	check(t, err)
	found, err := socket.GetAddrInfo(ctx, "127.0.0.1", port, &socket.AddrInfoHints{Type: socket.SOCK_STREAM})
	check(t, err)
	s, err := socket.New(found[0].Family, found[0].Type, found[0].Protocol)
	check(t, err)
	check(t, closing(t, s).Connect(ctx, found[0].Addr))
}

func TestGetAddrInfoFails(t *testing.T) {
	useNames(t, names)
	for _, c := range []struct {
		host, service string
		hints         *socket.AddrInfoHints
		notFound      bool
		is            error
	}{
		{"nobody.test", "80", nil, true, nil},
		{"empty.test", "80", nil, true, nil},
		{"six.test", "80", &socket.AddrInfoHints{Family: socket.AF_INET}, true, nil},
		{"127.0.0.1", "80", &socket.AddrInfoHints{Family: socket.AF_INET6}, true, nil},
		{"both.test", "80", &socket.AddrInfoHints{NumericHost: true}, true, nil},
		{"127.0.0.1", "http", &socket.AddrInfoHints{NumericService: true}, true, nil},
		{"127.0.0.1", "http", &socket.AddrInfoHints{Type: syscall.SOCK_RAW}, true, nil},
		{"127.0.0.1", "no such service", nil, false, nil},
		{"127.0.0.1", "65536", nil, false, nil},
		{"127.0.0.1", "-1", nil, false, nil},
		{"", "", nil, true, nil},
		{"127.0.0.1", "80", &socket.AddrInfoHints{Family: socket.AF_UNIX}, false, syscall.EAFNOSUPPORT},
		{"127.0.0.1", "80", &socket.AddrInfoHints{Type: 12345}, false, syscall.ESOCKTNOSUPPORT},
		{"127.0.0.1", "80", &socket.AddrInfoHints{Type: socket.SOCK_STREAM, Protocol: syscall.IPPROTO_UDP}, false, syscall.ESOCKTNOSUPPORT},
	} {
		found, err := socket.GetAddrInfo(ctx, c.host, c.service, c.hints)
		var wrapped *net.OpError
		if found != nil || !errors.As(err, &wrapped) || wrapped.Op != "getaddrinfo" || wrapped.Net == "" || !strings.Contains(err.Error(), c.host) {
			t.Errorf("%q, %q: %s, %v", c.host, c.service, ways(found), err)
		}
		var dns *net.DNSError
		if c.notFound && (!errors.As(err, &dns) || !dns.IsNotFound) {
			t.Errorf("%q, %q: %v is not that it was not found", c.host, c.service, err)
		}
		if c.is != nil {
			want(t, err, c.is)
		}
		if errors.Is(err, wait.ErrCancelled) || wrapped != nil && wrapped.Timeout() {
			t.Errorf("%v looks like a cancellation", err)
		}
	}
}

func TestGetNameInfo(t *testing.T) {
	server := useNames(t, names)
	host9, host77 := net.IPv4(192, 0, 2, 9), net.IPv4(192, 0, 2, 77)
	for _, c := range []struct {
		addr  net.Addr
		hints *socket.NameInfoHints
		want  string
	}{
		{&net.TCPAddr{IP: host9, Port: 80}, nil, "short http"},
		{&net.TCPAddr{IP: host9, Port: 80}, &socket.NameInfoHints{Resolver: server.Resolver}, "short http"},
		{&net.UDPAddr{IP: host9, Port: 69}, nil, "short tftp"},
		{&net.TCPAddr{IP: host9, Port: 54321}, nil, "short 54321"},
		{&net.IPAddr{IP: host9}, nil, "short "},
		{&net.TCPAddr{IP: host9, Port: 80}, &socket.NameInfoHints{NumericHost: true}, "192.0.2.9 http"},
		{&net.TCPAddr{IP: host9, Port: 80}, &socket.NameInfoHints{NumericService: true}, "short 80"},
		{&net.TCPAddr{IP: host77, Port: 80}, nil, "192.0.2.77 http"},
		{&net.TCPAddr{IP: net.IPv6loopback, Zone: "x"}, &socket.NameInfoHints{NumericHost: true}, "::1%x 0"},
	} {
		host, service, err := socket.GetNameInfo(ctx, c.addr, c.hints)
		if got := host + " " + service; err != nil || got != c.want {
			t.Errorf("%v, %+v: %q, %v, want %q", c.addr, c.hints, got, err, c.want)
		}
	}
	var noAddr *net.TCPAddr
	for addr, hints := range map[net.Addr]*socket.NameInfoHints{
		&net.TCPAddr{IP: host77, Port: 80}: {NameRequired: true},
		nil:                                nil,
		noAddr:                             nil,
		&net.UDPAddr{}:                     nil,
		&net.UnixAddr{Name: "x"}:           nil,
	} {
		host, service, err := socket.GetNameInfo(ctx, addr, hints)
		var wrapped *net.OpError
		if host != "" || service != "" || !errors.As(err, &wrapped) || wrapped.Op != "getnameinfo" {
			t.Errorf("%v: %q, %q, %v", addr, host, service, err)
		}
	}
}

func TestParseServices(t *testing.T) {
	got := socket.ParseServices("# some\nhttp 80/tcp www # web\nwww-alt\t80/tcp\ntftp 69/udp\n\nbroken\n#ssh 22/tcp\nlast 1/tcp")
	if text := fmt.Sprint(got); text != "map[1/tcp:last 69/udp:tftp 80/tcp:http]" {
		t.Error(text)
	}
}

func TestGetHostByName(t *testing.T) {
	useNames(t, names)
	for name, want := range map[string]string{
		"several.test": "192.0.2.1", "alias.test": "192.0.2.1", "both.test": "192.0.2.1", "127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1",
	} {
		if got, err := socket.GetHostByName(ctx, name); err != nil || got.String() != want {
			t.Errorf("%s: %v, %v, want %s", name, got, err, want)
		}
	}
	for _, name := range []string{"nobody.test", "empty.test", "six.test", "::1", ""} {
		got, err := socket.GetHostByName(ctx, name)
		var dns *net.DNSError
		if got.IsValid() || !errors.As(err, &dns) || !dns.IsNotFound {
			t.Errorf("%q: %v, %v", name, got, err)
		}
	}
}

func TestGetHostByNameEx(t *testing.T) {
	useNames(t, names)
	for name, want := range map[string]string{
		"alias.test":   "{several.test [alias.test] [192.0.2.1 192.0.2.2 192.0.2.3]}",
		"several.test": "{several.test [] [192.0.2.1 192.0.2.2 192.0.2.3]}",
		"six.test":     "{six.test [] [2001:db8::1]}",
		"192.0.2.5":    "{192.0.2.5 [] [192.0.2.5]}",
	} {
		if got, err := socket.GetHostByNameEx(ctx, name); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v, %v, want %s", name, got, err, want)
		}
	}
	_, err := socket.GetHostByNameEx(ctx, "nobody.test")
	var dns *net.DNSError
	if !errors.As(err, &dns) || !dns.IsNotFound {
		t.Errorf("%v", err)
	}
}

func TestGetHostByAddr(t *testing.T) {
	useNames(t, names)
	got, err := socket.GetHostByAddr(ctx, netip.MustParseAddr("192.0.2.9"))
	if text := fmt.Sprint(got); err != nil || text != "{short [host.test other.test] [192.0.2.9]}" {
		t.Errorf("%s, %v", text, err)
	}
	_, err = socket.GetHostByAddr(ctx, netip.MustParseAddr("192.0.2.77"))
	var dns *net.DNSError
	if !errors.As(err, &dns) || !dns.IsNotFound {
		t.Errorf("%v", err)
	}
	_, err = socket.GetHostByAddr(ctx, netip.Addr{})
	var address *net.AddrError
	if !errors.As(err, &address) {
		t.Errorf("%v", err)
	}
}

func TestGetFQDN(t *testing.T) {
	useNames(t, names)
	for name, want := range map[string]string{
		"host.test":      "host.test",    // the first with a dot of the names of its address
		"192.0.2.9":      "host.test",    // the same by the address
		"several.test":   "several.test", // the only name
		"elsewhere.test": "dotless",      // the only name has no dot
		"unnamed.test":   "unnamed.test", // its address has no name
		"nobody.test":    "nobody.test",  // it has no address
	} {
		if got, err := socket.GetFQDN(ctx, name); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	if got, err := socket.GetFQDN(ctx, ""); err != nil || got == "" {
		t.Errorf("this machine is %q, %v", got, err)
	}
}

// lookups are all that ask somebody, and what they are shown to wait for.
var lookups = []struct {
	name, object string
	run          func(ctx context.Context) error
}{
	{"GetAddrInfo", "silent.test:80", func(ctx context.Context) error {
		found, err := socket.GetAddrInfo(ctx, "silent.test", "80", nil)
		return moved(len(found), 0, err)
	}},
	{"GetNameInfo", "192.0.2.99:80", func(ctx context.Context) error {
		host, service, err := socket.GetNameInfo(ctx, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 99), Port: 80}, nil)
		return moved(len(host+service), 0, err)
	}},
	{"GetHostByName", "silent.test", func(ctx context.Context) error {
		_, err := socket.GetHostByName(ctx, "silent.test")
		return err
	}},
	{"GetHostByNameEx", "silent.test", func(ctx context.Context) error {
		found, err := socket.GetHostByNameEx(ctx, "silent.test")
		return moved(len(found.Addrs), 0, err)
	}},
	{"GetHostByAddr", "192.0.2.99", func(ctx context.Context) error {
		found, err := socket.GetHostByAddr(ctx, netip.MustParseAddr("192.0.2.99"))
		return moved(len(found.Addrs), 0, err)
	}},
	{"GetFQDN", "nobody-knows-whence.test", func(ctx context.Context) error {
		name, err := socket.GetFQDN(ctx, "nobody-knows-whence.test")
		return moved(len(name), 0, err)
	}},
}

// nobodyAsks waits until the resolver has given up too, which keeps the context so long.
func nobodyAsks(t *testing.T) {
	t.Helper()
	await(t, func() bool { return !strings.Contains(string(stacks()), "socket.answer[") })
}

// Each lookup × each way to end it: the error is the scope's, in one that says what was
// asked for, and nothing is left.
func TestLookupEndings(t *testing.T) {
	endings := map[string]struct {
		end       func(t *testing.T, run func(ctx context.Context) error) error
		is, isNot error
	}{
		"cancelled before": {func(t *testing.T, run func(context.Context) error) error {
			o := newTask(t)
			cancel(o)
			return run(&o.Scope)
		}, wait.ErrTaskCancelled, context.DeadlineExceeded},
		"cancelled": {func(t *testing.T, run func(context.Context) error) error {
			o, join := in(t, run)
			await(t, parked(o))
			cancel(o)
			return join()
		}, wait.ErrTaskCancelled, context.DeadlineExceeded},
		"timeout": {func(t *testing.T, run func(context.Context) error) error {
			s := wait.NewTimeout(&newTask(t).Scope, wait.After(10*time.Millisecond))
			defer s.Close()
			return run(s)
		}, wait.ErrTaskTimeout, context.Canceled},
		"outer timeout": {func(t *testing.T, run func(context.Context) error) error {
			outer := wait.NewTimeout(&newTask(t).Scope, wait.After(10*time.Millisecond))
			defer outer.Close()
			inner := wait.NewTimeout(outer, wait.After(time.Hour))
			defer inner.Close()
			return run(inner)
		}, wait.ErrTimeoutCancellation, wait.ErrTaskTimeout},
		"foreign cancel": {func(t *testing.T, run func(context.Context) error) error {
			ctx, stop := context.WithCancel(&newTask(t).Scope)
			defer stop()
			_, join := in(t, func(context.Context) error { return run(ctx) })
			stop()
			return join()
		}, wait.ErrCancelled, context.DeadlineExceeded},
		"foreign timeout": {func(_ *testing.T, run func(context.Context) error) error {
			ctx, stop := context.WithTimeout(context.Background(), 10*time.Millisecond)
			defer stop()
			return run(ctx)
		}, wait.ErrCancelled, context.Canceled},
	}
	for _, l := range lookups {
		for name, e := range endings {
			t.Run(l.name+"/"+name, func(t *testing.T) {
				useNames(t, names)
				err := e.end(t, l.run)
				nobodyAsks(t)
				want(t, err, e.is)
				want(t, err, wait.ErrCancelled)
				if errors.Is(err, e.isNot) {
					t.Errorf("%v is %v", err, e.isNot)
				}
				var wrapped *net.OpError
				if !errors.As(err, &wrapped) || !strings.EqualFold(wrapped.Op, strings.TrimSuffix(l.name, "Ex")) ||
					!strings.Contains(err.Error(), l.object) || wrapped.Timeout() != errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%v", err)
				}
			})
		}
	}
}

// Whoever looks sees that the task waits, and for what.
func TestLookupIsShown(t *testing.T) {
	server := useNames(t, names)
	for _, l := range lookups {
		o, join := in(t, l.run)
		await(t, func() bool { return parked(o)() && len(server.asked) > 0 })
		shown, _ := o.Parked()
		if got := fmt.Sprint(shown.Op, " ", shown.Object); got != "DNS_WAIT "+l.object {
			t.Errorf("%s is in %s", l.name, got)
		}
		cancel(o)
		want(t, join(), wait.ErrTaskCancelled)
		nobodyAsks(t)
	}
}

// Nobody is asked for numbers, nor by one who was cancelled before.
func TestNobodyIsAsked(t *testing.T) {
	server := useNames(t, names)
	numeric := &socket.NameInfoHints{NumericHost: true}
	calls := []func(ctx context.Context) error{
		func(ctx context.Context) error { _, err := socket.GetAddrInfo(ctx, "::1", "80", nil); return err },
		func(ctx context.Context) error { _, err := socket.GetHostByName(ctx, "127.0.0.1"); return err },
		func(ctx context.Context) error { _, err := socket.GetHostByNameEx(ctx, "::1"); return err },
		func(ctx context.Context) error { _, _, err := socket.GetNameInfo(ctx, localhost, numeric); return err },
	}
	for _, call := range calls {
		o, join := in(t, call)
		check(t, join())
		if n := o.Cycles(); n != 0 {
			t.Errorf("it has waited %d times", n)
		}
	}
	ended, stop := context.WithCancel(ctx)
	stop()
	for _, call := range calls {
		want(t, call(ended), context.Canceled)
	}
	for _, l := range lookups {
		want(t, l.run(ended), context.Canceled)
	}
	if len(server.asked) > 0 {
		t.Errorf("asked for %s", <-server.asked)
	}
}

// The caller goes at once, even if the resolver takes no notice of its context. What is left
// behind goes with the resolver.
func TestDeafResolver(t *testing.T) {
	for name, run := range map[string]func(ctx context.Context, r *net.Resolver) error{
		"forward": func(ctx context.Context, r *net.Resolver) error {
			_, err := socket.GetAddrInfo(ctx, "silent.test", "80", &socket.AddrInfoHints{Resolver: r})
			return err
		},
		"reverse": func(ctx context.Context, r *net.Resolver) error {
			_, _, err := socket.GetNameInfo(ctx, &net.IPAddr{IP: net.IPv4(192, 0, 2, 99)}, &socket.NameInfoHints{Resolver: r})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			dialled, release := make(chan struct{}, 10), make(chan struct{})
			deaf := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
				dialled <- struct{}{}
				<-release
				return nil, errors.New("released")
			}}
			o, join := in(t, func(ctx context.Context) error { return run(ctx, deaf) })
			await(t, func() bool { return len(dialled) > 0 })
			cancel(o)
			want(t, join(), wait.ErrTaskCancelled)
			close(release)
			nobodyAsks(t)
		})
	}
}

// An answer that comes in the moment of the cancellation is either returned or not; the
// error is never the resolver's.
func TestLookupRace(t *testing.T) {
	server := useNames(t, names)
	answered, cancelled := 0, 0
	for i := range 2000 {
		var got netip.Addr
		over := make(chan struct{})
		o, join := in(t, func(ctx context.Context) (err error) {
			defer close(over)
			got, err = socket.GetHostByName(ctx, "several.test")
			return err
		})
		_, cancels := in(t, func(context.Context) error {
			select {
			case <-server.asked:
			case <-over: // it has shared the answer to the one before
			}
			for began := time.Now(); time.Since(began) < time.Duration(i%200)*time.Microsecond; runtime.Gosched() {
			}
			cancel(o)
			return nil
		})
		err := join()
		check(t, cancels())
		if err == nil {
			answered++
		} else {
			cancelled++
			want(t, err, wait.ErrTaskCancelled)
		}
		if got.IsValid() != (err == nil) {
			t.Fatalf("%v, %v", got, err)
		}
	}
	t.Logf("%d answered, %d cancelled", answered, cancelled)
}

func TestEverywhereLookups(t *testing.T) {
	useNames(t, names)
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		found, err := socket.GetAddrInfo(ctx, "several.test", "80", nil)
		if err != nil {
			return err
		}
		if len(found) != 9 {
			return fmt.Errorf("%s", ways(found))
		}
		host, service, err := socket.GetNameInfo(ctx, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 80}, nil)
		if err != nil {
			return err
		}
		if host+service != "shorthttp" {
			return fmt.Errorf("%s, %s", host, service)
		}
		if _, err := socket.GetHostByName(ctx, "several.test"); err != nil {
			return err
		}
		if _, err := socket.GetHostByNameEx(ctx, "alias.test"); err != nil {
			return err
		}
		entry, err := socket.GetHostByAddr(ctx, netip.MustParseAddr("192.0.2.9"))
		if err != nil {
			return err
		}
		if !slices.Contains(entry.Aliases, "host.test") {
			return fmt.Errorf("%v", entry)
		}
		_, err = socket.GetFQDN(ctx, "host.test")
		return err
	})
}
