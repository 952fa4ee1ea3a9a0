package network_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// accepting listens with package net and hands over what connects.
func accepting(t *testing.T, addr string) (string, <-chan net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String(), acceptingOn(t, listener)
}

// acceptingOn returns what connects with listener, which is closed at the end of the test.
func acceptingOn(t *testing.T, listener net.Listener) <-chan net.Conn {
	conns := make(chan net.Conn)
	var accepts sync.WaitGroup
	accepts.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns <- conn
		}
	})
	t.Cleanup(func() {
		listener.Close()
		accepts.Wait()
	})
	return conns
}

// open is OpenConnection in no task. The socket is closed at the end of the test.
func open(t *testing.T, addr string, config *network.ConnectConfig) network.Conn {
	t.Helper()
	conn, err := network.OpenConnection(context.Background(), addr, config)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, conn)
	return conn
}

func TestOpenConnection(t *testing.T) {
	testutil.NoLeaks(t)
	addr, conns := accepting(t, "127.0.0.1:0")
	conn := open(t, addr, nil)
	peer := testutil.Receive(t, "connection", conns)
	defer peer.Close()
	if local, remote := conn.LocalAddr().String(), conn.RemoteAddr().String(); remote != addr || local != peer.RemoteAddr().String() {
		t.Errorf("%s -> %s, want %s -> %s", local, remote, peer.RemoteAddr(), addr)
	}
	if _, err := conn.SendAll(t.Context(), []byte("x")); err != nil {
		t.Error(err)
	}
	if n, err := peer.Read(make([]byte, 2)); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestRefused(t *testing.T) {
	testutil.NoLeaks(t)
	addr := testutil.Refusing(t)
	_, err := network.OpenConnection(t.Context(), addr, nil)
	var op *net.OpError
	if !errors.Is(err, syscall.ECONNREFUSED) || !errors.As(err, &op) || op.Op != "connect" || op.Addr.String() != addr {
		t.Errorf("%#v, want a *net.OpError of connect with %s", err, addr)
	}
}

// The addresses of a name are tried one after the other.
func TestSeveralAddresses(t *testing.T) {
	testutil.NoLeaks(t)
	addr, conns := accepting(t, "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(addr)
	names := useNames(t, map[string][]string{
		"second.invalid": {"127.0.0.2", "127.0.0.1"},
		"none.invalid":   {"127.0.0.2", "127.0.0.3"},
	})
	conn := open(t, "second.invalid:"+port, nil)
	testutil.Receive(t, "connection", conns).Close()
	if got := conn.RemoteAddr().String(); got != addr {
		t.Errorf("connected with %s", got)
	}
	if name := testutil.Receive(t, "question", names.asked); name != "second.invalid" {
		t.Errorf("%s was asked for", name)
	}
	_, err := network.OpenConnection(t.Context(), "none.invalid:"+port, nil)
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatal(err)
	}
	for _, want := range []string{"none.invalid:" + port, "127.0.0.2:" + port, "127.0.0.3:" + port} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
}

func TestLocalhost(t *testing.T) {
	testutil.NoLeaks(t)
	addr, conns := accepting(t, "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(addr)
	conn := open(t, "localhost:"+port, nil)
	testutil.Receive(t, "connection", conns).Close()
	if got := conn.RemoteAddr().String(); got != addr {
		t.Errorf("connected with %s", got)
	}
}

func TestSource(t *testing.T) {
	testutil.NoLeaks(t)
	addr, conns := accepting(t, "127.0.0.1:0")
	for _, source := range []string{"127.0.0.1:0", "127.0.0.9:0", testutil.Refusing(t)} {
		local := netip.MustParseAddrPort(source)
		conn, err := network.OpenConnection(t.Context(), addr, &network.ConnectConfig{Source: local})
		if local.Port() != 0 { // somebody has it
			if !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("from %s: %v, %v", source, conn, err)
			}
			continue
		}
		if errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Logf("%s is no address of this machine", source)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		peer := testutil.Receive(t, "connection", conns)
		if got := peer.RemoteAddr().(*net.TCPAddr).AddrPort(); got.Addr() != local.Addr() {
			t.Errorf("from %s: the peer sees %s", source, got)
		}
		peer.Close()
		conn.Close()
	}
}

// A cancelled attempt ends at once, although it may be about to succeed, and its
// socket is closed.
func TestCancelledAttempt(t *testing.T) {
	s := newServer(t)
	addr := testutil.Mute(t)
	before := len(testutil.Descriptors(os.Getpid()))
	var attempts []*curio.Task[struct{}]
	for range 20 {
		attempts = append(attempts, s.spawn(func(ctx context.Context) error {
			_, err := network.OpenConnection(ctx, addr, nil)
			return err
		}))
	}
	testutil.Await(t, "attempts", func() bool {
		return !slices.ContainsFunc(attempts, func(a *curio.Task[struct{}]) bool { return a.State() != "CONNECT_WAIT" })
	})
	for _, a := range attempts {
		a.CancelNow()
	}
	for _, a := range attempts {
		err := end(t, a)
		is(t, err, taskCancelled...)
		if !strings.Contains(err.Error(), addr) {
			t.Errorf("%q does not name %s", err, addr)
		}
	}
	testutil.NoMoreDescriptors(t, before)
	s.Task = attempts[0]
}

// When time is up no further address is tried, and what the earlier ones said is
// not forgotten.
func TestTimeoutAtSecondAddress(t *testing.T) {
	testutil.NoLeaks(t)
	mute := testutil.Mute(t)
	_, port, _ := net.SplitHostPort(mute)
	useNames(t, map[string][]string{"slow.invalid": {"127.0.0.2", "127.0.0.1", "127.0.0.3"}})
	err := curio.TimeoutAfter(t.Context(), 100*time.Millisecond, func(ctx context.Context) error {
		_, err := network.OpenConnection(ctx, "slow.invalid:"+port, nil)
		return err
	})
	if !errors.Is(err, curio.ErrTaskTimeout) || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v, want a timeout after a refusal", err)
	}
	if strings.Contains(err.Error(), "127.0.0.3") {
		t.Errorf("%v, although time was up before", err)
	}
}
