package channel_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/channel"
)

// sides runs both sides of handshakes and returns their errors.
func sides(run ...func(ctx context.Context) error) (errs []error) {
	errs = make([]error, len(run))
	err := curio.Run(background, func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
			for i, f := range run {
				g.Go(func(ctx context.Context) error { errs[i] = f(ctx); return nil })
			}
			return nil
		})
	})
	return append(errs, err)
}

// shake does both sides of a handshake. If one fails, the other one is cancelled.
func shake(client, listener *wire) (clientErr, listenerErr error) {
	_ = curio.Run(background, func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			g.Go(func(ctx context.Context) error { clientErr = connects(client)(ctx); return clientErr })
			g.Go(func(ctx context.Context) error { listenerErr = serves(listener)(ctx); return listenerErr })
			return nil
		})
	})
	return clientErr, listenerErr
}

func serves(w *wire) func(context.Context) error {
	return func(ctx context.Context) error { return channel.HandshakeServe(ctx, w, secret, false) }
}

func connects(w *wire) func(context.Context) error {
	return func(ctx context.Context) error { return channel.HandshakeConnect(ctx, w, secret, false) }
}

// passes passes everything on from one connection to another, as somebody without the key may do, until
// either side is refused.
func passes(a, b *wire) func(context.Context) error {
	return func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
			for _, way := range [][2]*wire{{a, b}, {b, a}} {
				g.Go(func(ctx context.Context) error {
					for {
						frame, err := way[0].Recv(ctx, 256)
						if err != nil {
							return err
						}
						if err := way[1].Send(ctx, frame); err != nil {
							return err
						}
					}
				})
			}
			return nil
		})
	}
}

// traps 9: somebody without the key, to whom a client of this process has connected, cannot use it to get
// into a listener of this process.
func TestRelayedChallenge(t *testing.T) {
	client, falseListener := newWires(onLoopback(40000, 666))
	falseClient, listener := newWires(onLoopback(40001, 25000))
	err := curio.Run(background, func(ctx context.Context) error {
		between := curio.Go(ctx, passes(falseListener, falseClient), curio.ReportCrash(false))
		serving := curio.Go(ctx, serves(listener), curio.ReportCrash(false))
		err := connects(client)(ctx)
		refused(t, err, "this process has sent to somebody else", secret)
		if len(client.sent) != 0 {
			t.Errorf("the client sends %q", client.sent)
		}
		serving.Cancel(ctx)
		between.Cancel(ctx)
		return nil
	})
	check(t, err)
	settled(t)
}

// Nor can it have one client answer what another one asks.
func TestReflectedChallenge(t *testing.T) {
	first, falseFirst := newWires(onLoopback(40000, 666))
	second, falseSecond := newWires(onLoopback(40001, 666))
	err := curio.Run(background, func(ctx context.Context) error {
		asking := curio.Go(ctx, connects(first), curio.ReportCrash(false))
		// The first answers something harmless, is welcome, and asks.
		for _, frame := range []string{challenge + "{sha256}" + up(40), welcome} {
			if err := falseFirst.Send(ctx, []byte(frame)); err != nil {
				return err
			}
			if _, err := falseFirst.Recv(ctx, 256); err != nil {
				return err
			}
		}
		asked := first.sent[1]
		if !strings.HasPrefix(asked, challenge) {
			return fmt.Errorf("the first sends %q", asked)
		}
		// The second is asked the same.
		if err := falseSecond.Send(ctx, []byte(asked)); err != nil {
			return err
		}
		refused(t, connects(second)(ctx), "this process has sent to somebody else", secret)
		if len(second.sent) > 0 {
			t.Errorf("the second sends %q", second.sent)
		}
		if err := falseFirst.Send(ctx, []byte("{sha256}"+up(32))); err != nil {
			return err
		}
		_, err := asking.Join(ctx)
		refused(t, err, "another key", secret)
		return nil
	})
	check(t, err)
	settled(t)
}

// A program that connects to itself does answer its own challenge: over TCP, over a Unix socket, of which
// the client has no name, and over anything else that tells its ends apart.
func TestConnectionToItself(t *testing.T) {
	tcpClient, tcpListener := onLoopback(40000, 25000)
	path := &net.UnixAddr{Net: "unix", Name: "/run/server"}
	for _, test := range []struct {
		name             string
		client, listener net.Addr // at the client's end
		atListener       [2]net.Addr
		direct           bool
	}{
		{"TCP", tcpClient, tcpListener, [2]net.Addr{tcpListener, tcpClient}, true},
		{"IPv4 in IPv6", tcpClient, tcpListener, [2]net.Addr{
			&net.TCPAddr{IP: net.ParseIP("::ffff:127.0.0.1"), Port: 25000}, &net.TCPAddr{IP: net.ParseIP("::ffff:127.0.0.1"), Port: 40000},
		}, true},
		{"Unix", &net.UnixAddr{Net: "unix"}, path, [2]net.Addr{path, &net.UnixAddr{Net: "unix"}}, true},
		{"Unix of package net", nil, path, [2]net.Addr{path, &net.UnixAddr{Net: "unix", Name: "@"}}, true},
		{"another port of the client", tcpClient, tcpListener, [2]net.Addr{tcpListener, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40001}}, false},
		{"another port of the listener", tcpClient, tcpListener, [2]net.Addr{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 25001}, tcpClient}, false},
		{"another address", tcpClient, tcpListener, [2]net.Addr{tcpListener, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2), Port: 40000}}, false},
		{"another path", nil, path, [2]net.Addr{&net.UnixAddr{Net: "unix", Name: "/run/false"}, nil}, false},
		{"another network", nil, path, [2]net.Addr{&net.UnixAddr{Net: "unixpacket", Name: "/run/server"}, nil}, false},
		{"socket pair", &net.UnixAddr{Net: "unix"}, &net.UnixAddr{Net: "unix"}, [2]net.Addr{&net.UnixAddr{Net: "unix"}, &net.UnixAddr{Net: "unix"}}, false},
		{"no addresses", nil, nil, [2]net.Addr{}, false},
		{"another process at the path", nil, path, [2]net.Addr{path, nil}, runtime.GOOS != "linux"},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, listener := newWires(test.client, test.listener)
			listener.local, listener.remote = test.atListener[0], test.atListener[1]
			if strings.HasPrefix(test.name, "another process") {
				client.peer = os.Getppid()
			}
			clientErr, listenerErr := shake(client, listener)
			if test.direct {
				check(t, clientErr)
				check(t, listenerErr)
			} else {
				refused(t, clientErr, "or is this process itself", secret)
			}
			settled(t)
		})
	}
}

// A challenge is remembered from before it is sent until its handshake has ended, however that ends.
func TestChallengeIsSettled(t *testing.T) {
	right := answerTo(sha256.New, "{sha256}", secret)
	asks := challenge + "{sha256}" + up(40)
	for name, frames := range map[string][]any{
		"success": {right, asks, welcome}, "wrong": {"x"}, "cut": {}, "error": {errors.New("reset")}, "malformed": {channel.ErrProtocol},
	} {
		var during []int
		peer := &scripted{frames: frames, sends: func(context.Context, string) error { during = append(during, channel.Issued()); return nil }}
		_ = channel.HandshakeServe(background, peer, secret, false)
		if during[0] != 1 {
			t.Errorf("%s: %d challenges are remembered when it is sent", name, during[0])
		}
		settled(t)
	}
	peer := &scripted{sends: func(context.Context, string) error { panic("no connection") }}
	func() {
		defer func() { _ = recover() }()
		_ = channel.HandshakeServe(background, peer, secret, false)
	}()
	settled(t)
}

// Many at once, in all of which the right ones meet.
func TestManyHandshakes(t *testing.T) {
	var run []func(context.Context) error
	for i := range 200 {
		client, listener := newWires(onLoopback(40000+i, 25000))
		run = append(run, connects(client), serves(listener))
	}
	for i, err := range sides(run...) {
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	settled(t)
}

// What the peer sends is not in any error.
func TestErrorsQuoteNothing(t *testing.T) {
	const marker = "MARKER-OF-THE-PEER"
	for i, frames := range [][]any{
		{marker},
		{challenge + marker},
		{challenge + "{sha256}" + up(40), marker},
		{challenge + "{" + marker + "}" + up(40)},
		{strings.Repeat(marker, 20)},
		{challenge + "{sha256}" + up(40), welcome, marker},
		{challenge + marker + "xx"},
	} {
		for _, run := range []func(context.Context, channel.Frames, string, bool) error{channel.HandshakeServe, channel.HandshakeConnect} {
			err := run(background, &scripted{frames: frames}, secret, false)
			if err == nil || strings.Contains(fmt.Sprintf("%+v %#v", err, err), "MARKER") {
				t.Errorf("%d: %v", i, err)
			}
		}
	}
}
