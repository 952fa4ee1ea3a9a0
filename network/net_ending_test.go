package network_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// The adapters in the tables of endings: what ctx bounds ends with ctx's error.
func init() { blockings = append(blockings, adapters...) }

type beginning = func(t *testing.T) (op func(ctx context.Context) error, waiting func(task *curio.Task[struct{}]) bool, addr string)

var adapters = []blocking{
	{"NetConn reads", onNetConn("READ_WAIT", func(conn net.Conn) error {
		_, err := conn.Read(make([]byte, 1))
		return err
	})},
	{"NetConn writes", onNetConn("WRITE_WAIT", func(conn net.Conn) error {
		_, err := io.Copy(conn, zeros{})
		return err
	})},
	{"NetListener accepts", func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
		listener := listen(t, "127.0.0.1:0", nil)
		return func(ctx context.Context) error {
			_, err := network.NetListener(ctx, listener).Accept()
			return err
		}, inState("ACCEPT_WAIT"), listener.LocalAddr().String()
	}},
	{"DialContext connects", func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
		addr := testutil.Mute(t)
		return func(ctx context.Context) error {
			_, err := network.DialContext(ctx, "tcp4", addr)
			return err
		}, inState("CONNECT_WAIT"), addr
	}},
	{"FromConn receives", onForeign("READ_WAIT", func(ctx context.Context, conn network.Conn) error {
		_, err := conn.Recv(ctx, make([]byte, 1))
		return err
	})},
	{"FromListener accepts", onForeignListener(func(l net.Listener) net.Listener { return l })},
	{"FromListener accepts without deadlines", onForeignListener(func(l net.Listener) net.Listener {
		return tls.NewListener(l, new(tls.Config))
	})},
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(buf []byte) (int, error) { return len(buf), nil }

func onNetConn(state string, op func(conn net.Conn) error) beginning {
	return func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
		listener := listen(t, "127.0.0.1:0", nil)
		theirs := testutil.Dial(t, listener.LocalAddr().String())
		conn, err := listener.Accept(t.Context())
		must(t, err)
		closeAtEnd(t, conn)
		return func(ctx context.Context) error { return op(network.NetConn(ctx, conn)) }, inState(state), theirs.LocalAddr().String()
	}
}

func onForeign(state string, op func(ctx context.Context, conn network.Conn) error) beginning {
	return func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
		listener := listen(t, "127.0.0.1:0", nil)
		theirs := testutil.Dial(t, listener.LocalAddr().String())
		conn := network.FromConn(theirs)
		return func(ctx context.Context) error { return op(ctx, conn) }, inState(state), theirs.LocalAddr().String()
	}
}

func onForeignListener(wrap func(net.Listener) net.Listener) beginning {
	return func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
		theirs, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		listener := network.FromListener(wrap(theirs), nil)
		closeAtEnd(t, listener)
		return func(ctx context.Context) error {
			_, err := listener.Accept(ctx)
			return err
		}, inState("ACCEPT_WAIT"), theirs.Addr().String()
	}
}

// A client and a server that know nothing of contexts, cancelled at each of their waits.
func TestEverywhereNetConn(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		l, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
		if err != nil {
			return err
		}
		defer l.Close()
		server := curio.Go(ctx, func(ctx context.Context) error {
			conn, err := network.NetListener(ctx, l).Accept()
			if err != nil {
				return err
			}
			defer conn.Close()
			_, err = io.Copy(conn, conn)
			return err
		}, curio.ReportCrash(false))
		err = greetNet(ctx, l.LocalAddr().String())
		stopped := curio.DisableCancellation(ctx, func(ctx context.Context) error {
			_, err := server.Cancel(ctx)
			return err
		})
		if cancelled := curio.CheckCancellation(ctx); cancelled != nil && err != nil {
			err = cancelled // or the server was first
		}
		return errors.Join(err, stopped)
	})
}

func greetNet(ctx context.Context, addr string) error {
	c, err := network.OpenConnection(ctx, addr, nil)
	if err != nil {
		return err
	}
	conn := network.NetConn(ctx, c)
	defer conn.Close()
	if _, err := conn.Write([]byte("hello")); err != nil {
		return err
	}
	back := make([]byte, 5)
	if _, err := io.ReadFull(conn, back); err != nil || string(back) != "hello" {
		return fmt.Errorf("%q came back, %w", back, err)
	}
	return nil
}

// A server on somebody else's listener, and a client on somebody else's connection.
func TestEverywhereForeign(t *testing.T) {
	for _, name := range []string{"with deadlines", "without"} {
		t.Run(name, func(t *testing.T) {
			curiotest.CancelEverywhere(t, func(ctx context.Context) error {
				theirs, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				if name == "without" {
					theirs = struct{ net.Listener }{theirs}
				}
				listener := network.FromListener(theirs, nil)
				server := curio.Go(ctx, func(ctx context.Context) error {
					return network.RunServer(ctx, listener, echo)
				}, curio.Name("server"))
				err = greetForeign(ctx, theirs.Addr().String())
				stopped := curio.DisableCancellation(ctx, func(ctx context.Context) error {
					_, err := server.Cancel(ctx)
					return err
				})
				if cancelled := curio.CheckCancellation(ctx); cancelled != nil && err != nil {
					err = cancelled
				}
				return errors.Join(err, stopped)
			})
		})
	}
}

func greetForeign(ctx context.Context, addr string) error {
	theirs, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	conn := network.FromConn(theirs)
	defer conn.Close()
	if _, err := conn.SendAll(ctx, []byte("hello")); err != nil {
		return err
	}
	if err := conn.WaitRead(ctx); err != nil {
		return err
	}
	_, err = conn.Recv(ctx, make([]byte, 5))
	return err
}
