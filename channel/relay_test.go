package channel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// relay listens on loopback, and passes on whatever comes to the listener at address, and back. It has no
// key.
func relay(t testing.TB, at string, header func(from net.Conn) string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	var running sync.WaitGroup
	running.Go(func() { passOn(l, "tcp", at, header) })
	t.Cleanup(func() { l.Close(); running.Wait() })
	return l.Addr().String()
}

// noHeader is for a relay that begins with nothing of its own.
func noHeader(net.Conn) string { return "" }

// passOn passes on what comes to l, after a header of its own, until l is closed.
func passOn(l net.Listener, network, at string, header func(from net.Conn) string) {
	var running sync.WaitGroup
	defer running.Wait()
	for {
		from, err := l.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial(network, at)
		if err != nil {
			from.Close()
			continue
		}
		_, _ = io.WriteString(to, header(from)) // if it fails, so does the rest
		for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
			running.Go(func() {
				_, _ = io.Copy(way[0], struct{ io.Reader }{way[1]}) // not by splice(2), whose pipes stay for a while
				_ = way[0].Close()
				_ = way[1].Close()
			})
		}
	}
}

// connectMain is a client in a process of its own, which says what it gets.
func connectMain() {
	conn, err := channel.Connect(background, "tcp", os.Args[2], keyed(secret))
	if err != nil {
		fmt.Println(err)
		return
	}
	message, err := conn.RecvBytes(background)
	fmt.Printf("%s %v\n", message, err)
	_ = conn.Close()
}

// traps 9, over sockets: a relay that has no key gets into a listener with the help of a client in another
// process, which the protocol cannot prevent. A client in the same process is of no help: the process would have
// to answer its own challenge.
func TestRelay(t *testing.T) {
	testutil.NoLeaks(t)
	l := listening(t, "", keyed(secret))
	between := relay(t, l.LocalAddr().String(), noHeader)

	for range 10 {
		_, err := channel.Connect(patiently(t), "tcp", between, keyed(secret))
		refused(t, err, "this process has sent to somebody else", secret)
	}

	child := testutil.Self(t, "connect", between)
	conn, err := l.Accept(patiently(t)) // none of the ten
	check(t, err)
	check(t, conn.SendBytes(patiently(t), []byte("relayed")))
	if said := child.Line(); said != "relayed <nil>" {
		t.Errorf("the client behind the relay says %q", said)
	}
	child.Wait()
	check(t, conn.Close())
	settled(t)
}

// A relay that the listener takes for a proxy can say that it is nobody: what counts is what the system says.
func TestRelayAsProxy(t *testing.T) {
	testutil.NoLeaks(t)
	config := keyed(secret)
	config.Server = &network.ServerConfig{Proxy: &network.ProxyConfig{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}
	l := listening(t, "", config)
	between := relay(t, l.LocalAddr().String(), func(from net.Conn) string {
		client, _ := from.RemoteAddr().(*net.TCPAddr)
		listener, _ := from.LocalAddr().(*net.TCPAddr)
		return fmt.Sprintf("PROXY TCP4 %v %v %d %d\r\n", client.IP, listener.IP, client.Port, listener.Port)
	})
	conn, err := channel.Connect(patiently(t), "tcp", between, keyed(secret))
	refused(t, err, "this process has sent to somebody else", secret)
	if conn != nil {
		_ = conn.Close()
	}
}

// relayMain is a process that listens on a Unix socket of the same name in another directory, and passes on what
// comes.
func relayMain() {
	dir, at := os.Args[2], os.Args[3]
	if err := os.Chdir(dir); err != nil {
		fmt.Println(err)
		return
	}
	l, err := net.Listen("unix", "socket")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("listening")
	passOn(l, "unix", at, noHeader)
}

// A name in the Unix domain says nothing of the directory that it is in: a relay may have the same one.
func TestRelayOfSameName(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells which process is at the other end")
	}
	ours, theirs := t.TempDir(), t.TempDir()
	t.Chdir(ours)
	l := listening(t, "socket", keyed(secret))
	child := testutil.Self(t, "relay", theirs, filepath.Join(ours, "socket"))
	if said := child.Line(); said != "listening" {
		t.Fatal(said)
	}
	_, err := channel.Connect(patiently(t), "unix", filepath.Join(theirs, "socket"), keyed(secret))
	refused(t, err, "this process has sent to somebody else", secret)
	conn, err := channel.Connect(patiently(t), "unix", filepath.Join(ours, "socket"), keyed(secret))
	check(t, err)
	check(t, conn.Close())
	conn, err = l.Accept(patiently(t))
	check(t, err)
	check(t, conn.Close())
}

// A program connects to itself, whatever the listener's address is: 0.0.0.0, both kinds of IP, and a path.
func TestConnectToItself(t *testing.T) {
	testutil.NoLeaks(t)
	for _, test := range []struct{ network, address, host string }{
		{"tcp", "127.0.0.1:0", ""},
		{"tcp", "0.0.0.0:0", "127.0.0.1"},
		{"tcp", ":0", "127.0.0.1"}, // which the listener may see as an IPv6 address
		{"tcp", ":0", "::1"},
		{"unix", filepath.Join(t.TempDir(), "socket"), ""},
		{"unix", "socket-of-test", ""},
	} {
		t.Run(test.network+" "+filepath.Base(test.address)+" "+test.host, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if test.host == "::1" {
				probe, err := net.Listen("tcp", "[::1]:0")
				if err != nil {
					t.Skipf("there is no IPv6 here: %v", err)
				}
				probe.Close()
			}
			kernel := curio.NewKernel()
			check(t, kernel.Run(background, func(ctx context.Context) error {
				l, err := channel.Listen(ctx, test.network, test.address, keyed(secret))
				if err != nil {
					return err
				}
				defer l.Close()
				at := l.LocalAddr().String()
				if _, port, err := net.SplitHostPort(at); err == nil && test.host != "" {
					at = net.JoinHostPort(test.host, port)
				}
				client, err := channel.Connect(ctx, test.network, at, keyed(secret))
				if err != nil {
					return err
				}
				defer client.Close()
				conn, err := l.Accept(ctx)
				if err != nil {
					return err
				}
				return conn.Close()
			}))
			check(t, kernel.Shutdown(patiently(t)))
		})
	}
	settled(t)
}

// The two ends of a socket pair have no addresses, so it is not seen that they belong together.
func TestSocketPairWithItself(t *testing.T) {
	a, b, err := socket.SocketPair(socket.SOCK_STREAM)
	check(t, err)
	errs := sides(func(ctx context.Context) error {
		_, err := channel.Server(ctx, a, keyed(secret))
		return err
	}, func(ctx context.Context) error {
		_, err := channel.Client(ctx, b, keyed(secret))
		return err
	})
	refused(t, errs[1], "or is this process itself", secret)
	if !errors.Is(errs[0], io.ErrUnexpectedEOF) && !errors.Is(errs[0], syscall.ECONNRESET) {
		t.Errorf("the listener's side: %v", errs[0])
	}
	settled(t)
}

// A client that is refused leaves nothing behind, and Accept returns none of those.
func TestAcceptReturnsNoGuess(t *testing.T) {
	testutil.NoLeaks(t)
	l := listening(t, "", keyed(secret))
	at := l.LocalAddr().String()
	for i := range testutil.Times(1000) {
		_, err := channel.Connect(patiently(t), "tcp", at, keyed(fmt.Sprint("guess ", i)))
		refused(t, err, "the peer refuses our answer", secret, "guess")
	}
	client, err := channel.Connect(patiently(t), "tcp", at, keyed(secret))
	check(t, err)
	conn, err := l.Accept(patiently(t))
	check(t, err)
	if conn.RemoteAddr().String() != client.LocalAddr().String() {
		t.Errorf("Accept returns %v, want %v", conn.RemoteAddr(), client.LocalAddr())
	}
	check(t, conn.Close())
	check(t, client.Close())
	settled(t)
}

// Both sides of a handshake over sockets, cancelled at each wait.
func TestHandshakeEverywhere(t *testing.T) {
	for name, clientKey := range map[string]string{"right key": secret, "wrong key": "guess"} {
		t.Run(name, func(t *testing.T) {
			curiotest.CancelEverywhere(t, func(whole context.Context) error {
				l, err := network.ListenTCP(whole, "127.0.0.1:0", nil)
				if err != nil {
					return err
				}
				defer l.Close()
				return shakeHands(whole, l, clientKey)
			})
			settled(t)
		})
	}
}

func shakeHands(whole context.Context, l *network.Listener, clientKey string) error {
	return curio.Group(whole, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		// If all are cancelled, one side may see first that the other has gone.
		side := func(make func(ctx context.Context) (*channel.Conn, error)) {
			g.Go(func(ctx context.Context) error {
				conn, err := make(ctx)
				if err == nil {
					err = conn.Close()
				}
				if cancelled := curio.CheckCancellation(whole); err != nil && cancelled != nil {
					return cancelled
				}
				if errors.Is(err, channel.ErrRefused) && clientKey != secret {
					return nil
				}
				return err
			})
		}
		side(func(ctx context.Context) (*channel.Conn, error) {
			return channel.Connect(ctx, "tcp", l.LocalAddr().String(), keyed(clientKey))
		})
		side(func(ctx context.Context) (*channel.Conn, error) {
			below, err := l.Accept(ctx)
			if err != nil {
				return nil, err
			}
			return channel.Server(ctx, below, keyed(secret))
		})
		return nil
	})
}
