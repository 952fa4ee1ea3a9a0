package network_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// listenFails calls ListenTCP, and TCPServer with the same address, which must
// return the same error.
func listenFails(t *testing.T, addr string) error {
	t.Helper()
	listener, err := network.ListenTCP(t.Context(), addr, nil)
	if err == nil {
		listener.Close()
		t.Fatalf("listening on %s succeeds", addr)
	}
	var op *net.OpError
	if !errors.As(err, &op) || op.Addr == nil {
		t.Errorf("%#v is not a *net.OpError with an address", err)
	}
	ofServer := network.TCPServer(t.Context(), addr, echo, nil)
	if ofServer == nil || ofServer.Error() != err.Error() {
		t.Errorf("TCPServer: %v; ListenTCP: %v", ofServer, err)
	}
	return err
}

func TestAddressInUse(t *testing.T) {
	testutil.NoLeaks(t)
	addr := listen(t, "127.0.0.1:0", nil).LocalAddr().String()
	err := listenFails(t, addr)
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), addr) {
		t.Errorf("%v, want EADDRINUSE and %s", err, addr)
	}
}

// A port that is taken on the side of IPv6 is taken, and not served on the side of
// IPv4 alone.
func TestEmptyHostWithThePortInUse(t *testing.T) {
	testutil.NeedIPv6(t)
	testutil.NoLeaks(t)
	for _, host := range []string{"[::1]", "127.0.0.1"} {
		taken, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(taken.Addr().String())
		if err := listenFails(t, ":"+port); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("port in use at %s: %v", host, err)
		}
		taken.Close()
	}
}

func TestBadAddresses(t *testing.T) {
	testutil.NoLeaks(t)
	useNames(t, nil)
	for _, test := range []struct{ addr, says string }{
		{"127.0.0.1", "missing port in address"},
		{"", "missing port in address"},
		{"::1:80", "too many colons"},
		{"127.0.0.1:70000", "invalid port"},
		{"127.0.0.1:-1", "invalid port"},
		{"127.0.0.1:no-such-service", "unknown port"},
		{"no-such-host.invalid:80", "no such host"},
		{"192.0.2.1:0", "cannot assign requested address"}, // not ours
	} {
		t.Run(test.addr, func(t *testing.T) {
			err := listenFails(t, test.addr)
			if text := err.Error(); !strings.Contains(text, test.says) || !strings.Contains(text, test.addr) {
				t.Errorf("%q, want %q and the address", text, test.says)
			}
			if strings.HasPrefix(test.addr, "192.0.2.1") {
				return // it would be looked for outside of this machine
			}
			conn, err := network.OpenConnection(t.Context(), test.addr, nil)
			if err == nil {
				conn.Close()
				t.Fatal("OpenConnection succeeds")
			}
			if text := err.Error(); !strings.Contains(text, test.says) || !strings.Contains(text, test.addr) {
				t.Errorf("OpenConnection: %q, want %q and the address", text, test.says)
			}
		})
	}
}

func TestUnknownHost(t *testing.T) {
	testutil.NoLeaks(t)
	useNames(t, nil)
	_, err := network.OpenConnection(t.Context(), "no-such-host.invalid:80", nil)
	var dns *net.DNSError
	if !errors.As(err, &dns) || !dns.IsNotFound || dns.Name != "no-such-host.invalid" {
		t.Errorf("%v is not a *net.DNSError of the name", err)
	}
}

// A resolver that does not answer is bounded by a timeout, and the error tells what
// it was about.
func TestUnansweredName(t *testing.T) {
	testutil.NoLeaks(t)
	useNames(t, map[string][]string{"silent.invalid": nil})
	err := curio.TimeoutAfter(t.Context(), 50*time.Millisecond, func(ctx context.Context) error {
		_, err := network.OpenConnection(ctx, "silent.invalid:80", nil)
		return err
	})
	is(t, err, taskTimeout...)
	if !strings.Contains(err.Error(), "silent.invalid:80") {
		t.Errorf("%q does not name the host", err)
	}
}

// Of a name's addresses one is listened on, an IPv4 one if there is any.
func TestListenOnName(t *testing.T) {
	testutil.NoLeaks(t)
	useNames(t, map[string][]string{"two.invalid": {"127.0.0.1", "127.0.0.2"}})
	addr := listen(t, "two.invalid:0", nil).LocalAddr().String()
	if !strings.HasPrefix(addr, "127.0.0.1:") {
		t.Errorf("it listens on %s", addr)
	}
}

func TestIPv6(t *testing.T) {
	testutil.NeedIPv6(t)
	s := newServer(t)
	listener := listen(t, "[::1]:0", nil)
	s.run(func(ctx context.Context) error { return network.RunServer(ctx, listener, echo) })
	addr := listener.LocalAddr().String()
	if !strings.HasPrefix(addr, "[::1]:") {
		t.Errorf("it listens on %s", addr)
	}
	testutil.EchoTwice(t, testutil.Dial(t, addr))
	conn, err := network.OpenConnection(t.Context(), addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := conn.RemoteAddr().String(); got != addr {
		t.Errorf("connected with %s", got)
	}
	conn.Close()
}

// An empty host stands for all addresses, of both families. Peers of IPv4 are shown
// as such.
func TestEmptyHost(t *testing.T) {
	testutil.NeedIPv6(t)
	s := newServer(t)
	listener := listen(t, ":0", nil)
	peers := make(chan string, 1)
	s.run(func(ctx context.Context) error {
		return network.RunServer(ctx, listener, func(_ context.Context, conn network.Conn) error {
			peers <- conn.RemoteAddr().String()
			return nil
		})
	})
	_, port, _ := net.SplitHostPort(listener.LocalAddr().String())
	for _, host := range []string{"127.0.0.1", "::1"} {
		conn := testutil.Dial(t, net.JoinHostPort(host, port))
		if peer := testutil.Receive(t, "peer", peers); peer != conn.LocalAddr().String() {
			t.Errorf("the server sees %s, the client is %s", peer, conn.LocalAddr())
		}
		atEnd(t, conn)
	}
	conn, err := network.OpenConnection(t.Context(), ":"+port, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if peer := testutil.Receive(t, "peer", peers); peer != conn.LocalAddr().String() {
		t.Errorf("the server sees %s, the client is %s", peer, conn.LocalAddr())
	}
}

func TestReusePort(t *testing.T) {
	s := newServer(t)
	config := &network.ServerConfig{ReusePort: true}
	first := listen(t, "127.0.0.1:0", config)
	addr := first.LocalAddr().String()
	second := listen(t, addr, config)
	var served [2]atomic.Int32
	var tasks [2]*curio.Task[struct{}]
	for i, listener := range []*network.Listener{first, second} {
		tasks[i] = s.spawn(func(ctx context.Context) error {
			return network.RunServer(ctx, listener, func(context.Context, network.Conn) error {
				served[i].Add(1)
				return nil
			})
		})
	}
	const n = 100
	for range n {
		conn := testutil.Dial(t, addr)
		atEnd(t, conn)
		conn.Close()
	}
	a, b := served[0].Load(), served[1].Load()
	t.Logf("%d and %d", a, b)
	if a+b != n {
		t.Errorf("%d and %d connections were served, of %d", a, b, n)
	}
	// The other one serves on when one has been cancelled.
	tasks[0].CancelNow()
	is(t, end(t, tasks[0]), taskCancelled...)
	atEnd(t, testutil.Dial(t, addr))
	if served[1].Load() != b+1 {
		t.Error("the second server has not served")
	}
}

// Without ReusePort in both it is refused.
func TestReusePortNeedsBoth(t *testing.T) {
	testutil.NoLeaks(t)
	addr := listen(t, "127.0.0.1:0", &network.ServerConfig{ReusePort: true}).LocalAddr().String()
	if err := listenFails(t, addr); !errors.Is(err, syscall.EADDRINUSE) {
		t.Error(err)
	}
}

// So many wait to be accepted, or one more; the next is not answered.
func TestBacklog(t *testing.T) {
	testutil.NoLeaks(t)
	const backlog = 5
	addr := listen(t, "127.0.0.1:0", &network.ServerConfig{Backlog: backlog}).LocalAddr().String()
	waiting := 0
	for ; waiting <= 2*backlog; waiting++ {
		conn, err := net.DialTimeout("tcp", addr, 200*time.Millisecond)
		if err != nil {
			break
		}
		defer conn.Close()
	}
	if waiting < backlog || waiting > backlog+1 {
		t.Errorf("%d connections wait with a backlog of %d", waiting, backlog)
	}
}

// Nobody is turned away for a while by default.
func TestDefaultBacklog(t *testing.T) {
	testutil.NoLeaks(t)
	addr := listen(t, "127.0.0.1:0", nil).LocalAddr().String()
	for range 120 {
		testutil.Dial(t, addr)
	}
}

// A restarted server gets its port back although connections of the former one
// have not run out.
func TestPortAfterRestart(t *testing.T) {
	s := serve(t, func(context.Context, network.Conn) error { return nil })
	atEnd(t, testutil.Dial(t, s.Addr)) // the server was first to close: TIME_WAIT
	is(t, s.cancel(), taskCancelled...)
	listen(t, s.Addr, nil)
}
