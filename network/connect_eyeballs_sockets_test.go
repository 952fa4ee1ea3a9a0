package network_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// The same with sockets: what matters here is that none is left.

// samePort listens on the port that first's address has, on another host. If another program
// has the port there, it tries again with another address of first's.
func samePort(t *testing.T, host string, first func() string) (addr string, second net.Listener, conns <-chan net.Conn) {
	t.Helper()
	for range 100 {
		addr = first()
		second, err := net.Listen("tcp", byName(host, addr))
		if err == nil {
			return addr, second, acceptingOn(t, second)
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
	}
	t.Fatalf("no port is free on %s and on %s", host, addr)
	return "", nil, nil
}

// byName is a name's address with addr's port.
func byName(name, addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return net.JoinHostPort(name, port)
}

// connecting lists this machine's sockets that have sent their SYN to addr, an IPv4 one,
// from the system's table. One that changes while it is read may leave some out.
func connecting(t *testing.T, addr string) (found []string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return nil
	}
	table, err := os.Open("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	to := netip.MustParseAddrPort(addr)
	ip := to.Addr().As4()
	want := fmt.Sprintf("%02X%02X%02X%02X:%04X", ip[3], ip[2], ip[1], ip[0], to.Port())
	const synSent = "02"
	for lines := bufio.NewScanner(table); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 3 && fields[2] == want && fields[3] == synSent {
			found = append(found, lines.Text())
		}
	}
	return found
}

func TestBlackHole(t *testing.T) {
	testutil.NoLeaks(t)
	mute, second, conns := samePort(t, "127.0.0.2", func() string { return testutil.Mute(t) })
	addr := second.Addr().String()
	config := &network.ConnectConfig{
		Resolver:     &hosts{v4: reply{addrs: "127.0.0.1 127.0.0.2"}},
		AttemptDelay: 100 * time.Millisecond,
	}
	before := len(testutil.Descriptors(os.Getpid()))
	began := time.Now()
	var tried []string
	var mu sync.Mutex
	conn, err := network.OpenWith(t.Context(), byName("host", mute), config,
		func(ctx context.Context, to netip.AddrPort, config *network.ConnectConfig) (network.Conn, error) {
			mu.Lock()
			tried = append(tried, to.String())
			if len(tried) == 2 && runtime.GOOS == "linux" && !testutil.Eventually(func() bool { return len(connecting(t, mute)) > 0 }) {
				t.Error("the first attempt had ended before the second began")
			}
			mu.Unlock()
			return network.Attempt(ctx, to, config)
		})
	took := time.Since(began)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	testutil.Receive(t, "connection", conns).Close()
	if got := strings.Join(tried, " "); got != mute+" "+addr {
		t.Errorf("%s have been tried", got)
	}
	// A generous bound: an attempt that is not answered takes two minutes.
	if took < config.AttemptDelay || took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	testutil.NoMoreDescriptors(t, before+1)
	if !testutil.Eventually(func() bool { return len(connecting(t, mute)) == 0 }) {
		t.Errorf("sockets still connect: %q", connecting(t, mute))
	}
}

// An IPv6 listener and an IPv4 one: IPv6 is taken; and IPv4, if nobody listens there.
func TestBothFamilies(t *testing.T) {
	testutil.NeedIPv6(t)
	testutil.NoLeaks(t)
	both := &network.ConnectConfig{Resolver: &hosts{v6: reply{addrs: "::1"}, v4: reply{addrs: "127.0.0.1"}}}
	testutil.Await(t, "a port that no other program listens on in the other family", func() bool {
		var conns <-chan net.Conn
		addr, second, conns6 := samePort(t, "::1", func() (addr string) { addr, conns = accepting(t, "127.0.0.1:0"); return addr })
		conn := open(t, byName("host", addr), both)
		if got, want := conn.RemoteAddr().String(), second.Addr().String(); got != want {
			t.Errorf("it connected with %s, want %s", got, want)
		}
		testutil.Receive(t, "connection", conns6).Close()

		second.Close()
		conn = open(t, byName("host", addr), both)
		if got := conn.RemoteAddr().String(); got == second.Addr().String() {
			return false // where nobody of ours listens
		} else if got != addr {
			t.Errorf("it connected with %s, want %s", got, addr)
		}
		testutil.Receive(t, "connection", conns).Close()
		return true
	})
}

// Two attempts succeed, and only then does either say so: one of the sockets is returned,
// and the other is closed by then.
func TestTwoConnectionsInTheSameMoment(t *testing.T) {
	testutil.NoLeaks(t)
	var conns1 <-chan net.Conn
	first, second, conns2 := samePort(t, "127.0.0.2", func() (addr string) { addr, conns1 = accepting(t, "127.0.0.1:0"); return addr })
	config := &network.ConnectConfig{
		Resolver:     &hosts{v4: reply{addrs: "127.0.0.1 127.0.0.2"}},
		AttemptDelay: 1, // as short as can be
	}
	for range 20 {
		before := len(testutil.Descriptors(os.Getpid()))
		meeting := curio.NewBarrier(2)
		conn, err := network.OpenWith(t.Context(), byName("host", first), config,
			func(ctx context.Context, to netip.AddrPort, config *network.ConnectConfig) (network.Conn, error) {
				conn, err := network.Attempt(ctx, to, config)
				_ = curio.DisableCancellation(ctx, func(ctx context.Context) error {
					_, err := meeting.Wait(ctx)
					return err
				})
				return conn, err
			})
		if err != nil {
			t.Fatal(err)
		}
		testutil.NoMoreDescriptors(t, before+1+2) // and the two that have been accepted
		won, lost := testutil.Receive(t, "connection", conns1), testutil.Receive(t, "connection", conns2)
		if conn.RemoteAddr().String() == second.Addr().String() {
			won, lost = lost, won
		}
		atEnd(t, lost)
		if _, err := conn.SendAll(t.Context(), []byte("x")); err != nil {
			t.Error(err)
		}
		if n, err := won.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("the winner: %d, %v", n, err)
		}
		won.Close()
		lost.Close()
		conn.Close()
	}
}

// A cancellation against a connection that comes about, a thousand times in a long run: either there is
// a connection or an error, and never a socket that is nobody's.
func TestCancelAgainstSuccess(t *testing.T) {
	s := newServer(t)
	first := discarding(t, "tcp", "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(first)
	discarding(t, "tcp", "127.0.0.2:"+port)
	before := len(testutil.Descriptors(os.Getpid()))
	opened, cancelled := 0, 0
	for round := range testutil.Times(1000) {
		config := &network.ConnectConfig{
			Resolver:     &hosts{v4: reply{addrs: "127.0.0.1 127.0.0.2"}},
			AttemptDelay: 1,
		}
		// It is cancelled about when an attempt begins, or about when one has succeeded.
		trying, connected := make(chan struct{}, 2), make(chan struct{}, 2)
		var conn network.Conn
		task := s.spawn(func(ctx context.Context) (err error) {
			conn, err = network.OpenWith(ctx, "host:"+port, config,
				func(ctx context.Context, to netip.AddrPort, config *network.ConnectConfig) (network.Conn, error) {
					trying <- struct{}{}
					defer func() { connected <- struct{}{} }()
					return network.Attempt(ctx, to, config)
				})
			return err
		})
		if round%2 == 0 {
			testutil.Receive(t, "attempt", trying)
		} else {
			testutil.Receive(t, "end of an attempt", connected)
		}
		for range round % 10 {
			runtime.Gosched()
		}
		task.CancelNow()
		err := end(t, task)
		switch {
		case err == nil && conn != nil:
			opened++
			conn.Close()
		case errors.Is(err, curio.ErrTaskCancelled) && conn == nil:
			cancelled++
		default:
			t.Fatalf("%v, %v", conn, err)
		}
		if round%100 == 99 {
			testutil.NoMoreDescriptors(t, before)
		}
		s.Task = task
	}
	t.Logf("%d times opened, %d times cancelled", opened, cancelled)
	if opened == 0 || cancelled == 0 {
		t.Errorf("%d times opened, %d times cancelled: there was no race", opened, cancelled)
	}
}

// discarding listens on addr, and closes what connects.
func discarding(t *testing.T, kind, addr string) string {
	t.Helper()
	listener, err := net.Listen(kind, addr)
	if err != nil {
		t.Fatal(err)
	}
	var accepts sync.WaitGroup
	accepts.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	})
	t.Cleanup(func() {
		listener.Close()
		accepts.Wait()
	})
	return listener.Addr().String()
}

// A fixed port of ours is shared by several attempts, and cannot be shared with somebody
// else's.
func TestSourcePortOfSeveralAttempts(t *testing.T) {
	testutil.NoLeaks(t)
	mute, _, conns := samePort(t, "127.0.0.2", func() string { return testutil.Mute(t) })
	port := netip.MustParseAddrPort(testutil.Refusing(t)).Port()
	config := &network.ConnectConfig{
		// Refusing has the port on 127.0.0.1, so that nobody else gets it.
		Source:       netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), port),
		Resolver:     &hosts{v4: reply{addrs: "127.0.0.1 127.0.0.2"}},
		AttemptDelay: 20 * time.Millisecond,
	}
	conn, err := network.OpenConnection(t.Context(), byName("host", mute), config)
	if errors.Is(err, syscall.EADDRNOTAVAIL) && runtime.GOOS != "linux" {
		t.Skip("127.0.0.9 is no address of this machine")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	peer := testutil.Receive(t, "connection", conns)
	defer peer.Close()
	if got := peer.RemoteAddr().String(); got != config.Source.String() {
		t.Errorf("the peer sees %s, want %s", got, config.Source)
	}
}

// A source that is a port and no address goes with both families.
func TestSourceIsAPort(t *testing.T) {
	testutil.NeedIPv6(t)
	testutil.NoLeaks(t)
	for _, host := range []string{"127.0.0.1", "::1"} {
		addr, conns := accepting(t, net.JoinHostPort(host, "0"))
		var conn network.Conn
		var port uint16
		testutil.Await(t, "a free port", func() bool { // which somebody else may take meanwhile
			free, err := net.Listen("tcp", ":0")
			if err != nil {
				t.Fatal(err)
			}
			port = free.Addr().(*net.TCPAddr).AddrPort().Port()
			free.Close()
			conn, err = network.OpenConnection(t.Context(), addr, &network.ConnectConfig{
				Source: netip.AddrPortFrom(netip.Addr{}, port),
			})
			if err != nil && !errors.Is(err, syscall.EADDRINUSE) {
				t.Fatal(err)
			}
			return err == nil
		})
		peer := testutil.Receive(t, "connection", conns)
		if got := peer.RemoteAddr().(*net.TCPAddr).AddrPort().Port(); got != port {
			t.Errorf("the peer sees port %d, want %d", got, port)
		}
		conn.Close()
		peer.Close()
	}
}

func TestSourceOfAnotherFamily(t *testing.T) {
	testutil.NoLeaks(t)
	for source, addr := range map[string]string{"[::1]:0": "127.0.0.1:80", "127.0.0.1:0": "[::1]:80"} {
		config := &network.ConnectConfig{Source: netip.MustParseAddrPort(source)}
		_, err := network.OpenConnection(t.Context(), addr, config)
		checkOpening(t, err, addr, []string{"address, for the source " + config.Source.Addr().String()})
		if _, ok := errors.AsType[*net.AddrError](err); !ok {
			t.Errorf("%v is no *net.AddrError", err)
		}
	}
}

// Cancelled at each wait: refused, black-holed and connected.
func TestEverywhereSeveralAddresses(t *testing.T) {
	mute := testutil.Mute(t)
	discarding(t, "tcp", byName("127.0.0.3", mute))
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		conn, err := network.OpenConnection(ctx, byName("host", mute), &network.ConnectConfig{
			Resolver:     &hosts{v4: reply{addrs: "127.0.0.2 127.0.0.1 127.0.0.3"}},
			AttemptDelay: 1,
		})
		if err != nil {
			return err
		}
		return conn.Close()
	})
}
