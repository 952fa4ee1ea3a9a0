package network_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/network"
)

// What curiotest.CancelEverywhere promises its users, it is to find of this package too:
// servers and clients that are cancelled at each of their waits. There is real I/O in
// them, so there are no bubbles, and nothing sleeps.

// served runs clients while handler serves them, stops the server, and says what was
// wrong. If all is cancelled, a client may see first that the server has gone: that it was
// cancelled is what counts.
func served(ctx context.Context, handler network.Handler, clients func(ctx context.Context, addr string) error) error {
	return servedWith(ctx, nil, handler, clients)
}

func servedWith(ctx context.Context, config *network.ServerConfig, handler network.Handler, clients func(ctx context.Context, addr string) error) error {
	listener, err := network.ListenTCP(ctx, "127.0.0.1:0", config)
	if err != nil {
		return err
	}
	return servedOn(ctx, listener, handler, clients)
}

func servedOn(ctx context.Context, listener *network.Listener, handler network.Handler, clients func(ctx context.Context, addr string) error) error {
	server := curio.Go(ctx, func(ctx context.Context) error {
		return network.RunServer(ctx, listener, handler)
	}, curio.Name("server"))
	err := clients(ctx, listener.LocalAddr().String())
	if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
		err = cancelled
	}
	stopped := curio.DisableCancellation(ctx, func(ctx context.Context) error {
		if _, err := server.Cancel(ctx); err != nil {
			return err
		}
		if err := server.Err(); !errors.Is(err, curio.ErrTaskCancelled) {
			return fmt.Errorf("the server ended with %w", err)
		}
		return nil
	})
	if listener.Close() == nil {
		return errors.New("the server has not closed its listener")
	}
	return errors.Join(err, stopped)
}

// greets says hello to an echo server on addr, and listens.
func greets(addr string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		conn, err := network.OpenConnection(ctx, addr, nil)
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.SendAll(ctx, []byte("hello")); err != nil {
			return err
		}
		if err := conn.CloseWrite(ctx); err != nil {
			return err
		}
		var got []byte
		for buf := make([]byte, 5); ; {
			n, err := conn.Recv(ctx, buf)
			got = append(got, buf[:n]...)
			switch {
			case err == io.EOF && string(got) == "hello":
				return nil
			case err != nil:
				return fmt.Errorf("after %q: %w", got, err)
			}
		}
	}
}

// together runs clients as tasks of a group.
func together(ctx context.Context, clients ...func(ctx context.Context) error) error {
	return curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[struct{}]) error {
		for _, client := range clients {
			g.Go(client)
		}
		return nil
	})
}

func TestEverywhereServer(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		return served(ctx, echo, func(ctx context.Context, addr string) error {
			return together(ctx, greets(addr), greets(addr))
		})
	})
}

// With all that a config can do: a client that waits for a place, handlers that wait until
// the server stops, bounds that are never reached.
func TestEverywhereServerWithLimits(t *testing.T) {
	config := &network.ServerConfig{MaxConnections: 1, Grace: time.Minute, IdleTimeout: time.Minute, Lifetime: time.Minute}
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		return servedWith(ctx, config, requests, func(ctx context.Context, addr string) error {
			return together(ctx, greets(addr), greets(addr))
		})
	})
}

// A server that is stopped while connections are open, with handlers that hold something
// and need a shield to say good-bye.
func TestEverywhereServerStopsWhileServing(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		seats := curio.NewSemaphore(1)
		handler := func(ctx context.Context, conn network.Conn) error {
			if err := seats.Acquire(ctx); err != nil {
				return err
			}
			defer seats.Release(ctx)
			if _, err := conn.SendAll(ctx, []byte("+")); err != nil {
				return err
			}
			_, err := conn.Recv(ctx, make([]byte, 1)) // nothing comes
			_ = curio.DisableCancellation(ctx, func(ctx context.Context) error {
				_, err := conn.SendAll(ctx, []byte("-"))
				return err // the client may have gone
			})
			if err == io.EOF {
				return nil
			}
			return err
		}
		return served(ctx, handler, func(ctx context.Context, addr string) error {
			for range 2 { // the second one gets its seat when the first has gone
				conn, err := network.OpenConnection(ctx, addr, nil)
				if err != nil {
					return err
				}
				defer conn.Close()
				if err := conn.WaitRead(ctx); err != nil {
					return err
				}
				if err := conn.Close(); err != nil {
					return err
				}
			}
			idle, err := network.OpenConnection(ctx, addr, nil)
			if err != nil {
				return err
			}
			defer idle.Close()
			return idle.WaitRead(ctx)
		})
	})
}

// A server that nobody talks to, of the kind that says nothing of its port.
func TestEverywhereTCPServer(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		server := curio.Go(ctx, func(ctx context.Context) error {
			return network.TCPServer(ctx, "127.0.0.1:0", echo, nil)
		})
		if err := curio.Sleep(ctx, 0); err != nil {
			return err
		}
		_, err := server.Cancel(ctx)
		return err
	})
}

// By name, and from a given address.
func TestEverywhereOpenConnection(t *testing.T) {
	if _, err := net.LookupHost("localhost"); err != nil {
		t.Skipf("localhost has no address here: %v", err)
	}
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		return served(ctx, echo, func(ctx context.Context, addr string) error {
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				return err
			}
			conn, err := network.OpenConnection(ctx, net.JoinHostPort("localhost", port), &network.ConnectConfig{
				Source: netip.MustParseAddrPort("127.0.0.1:0"),
			})
			if err != nil {
				return err
			}
			return conn.Close()
		})
	})
}

func TestEverywhereOpenUnixConnection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	discarding(t, "unix", path)
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		conn, err := network.OpenUnixConnection(ctx, path, nil)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// Nobody listens: that is an error, and no socket is left open.
func TestEverywhereRefused(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
		if err != nil {
			return err
		}
		addr := listener.LocalAddr().String()
		if err := listener.Close(); err != nil {
			return err
		}
		conn, err := network.OpenConnection(ctx, addr, nil)
		if err == nil {
			conn.Close()
			return errors.New("somebody listens on the port")
		}
		if errors.Is(err, curio.ErrCancelled) {
			return err
		}
		return nil
	})
}
