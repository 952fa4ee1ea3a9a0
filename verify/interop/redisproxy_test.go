package interop_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/network/proxyproto"
)

// A pool keeps its connection through a proxy, too: one that takes the PROXY header from the
// client, and one from which the connection to the client begins with it.
func TestRedisKeepsItsConnectionWithAProxyHeader(t *testing.T) {
	header, err := proxyproto.Header{
		Source:      &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1},
		Destination: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 2},
	}.AppendBinary(nil)
	must(t, err)
	loopback := &network.ProxyConfig{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	for _, c := range []struct {
		name   string
		config *network.ServerConfig
		first  []byte // what the relay sends to its client before anything else
		greet  func(ctx context.Context, conn network.Conn) (network.Conn, error)
	}{
		{
			"to the server", &network.ServerConfig{Proxy: loopback}, nil,
			func(ctx context.Context, conn network.Conn) (network.Conn, error) {
				_, err := conn.SendAll(ctx, header)
				return conn, err
			},
		},
		{
			"to the client", nil, header,
			func(ctx context.Context, conn network.Conn) (network.Conn, error) {
				_, conn, err := network.ReadProxyHeader(ctx, conn)
				return conn, err
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			testutil.NoLeaks(t)
			redisServer, stop := runRedis(t, c.name, tls.Certificate{})
			defer stop()
			must(t, curio.Run(t.Context(), func(ctx context.Context) error {
				listener, err := network.ListenTCP(ctx, "127.0.0.1:0", c.config)
				if err != nil {
					return err
				}
				var relayed atomic.Int64
				relay := curio.Go(ctx, func(ctx context.Context) error {
					return network.RunServer(ctx, listener, func(ctx context.Context, client network.Conn) error {
						relayed.Add(1)
						if c.config != nil {
							if h, ok := network.ProxyHeaderOf(client); !ok || h.Source.String() != "192.0.2.1:1" {
								t.Errorf("the relay knows of the header %+v", h)
							}
						}
						if _, err := client.SendAll(ctx, c.first); err != nil {
							return err
						}
						return join(ctx, client, redisServer.Addr().String())
					})
				})
				client := redis.NewClient(&redis.Options{
					Addr: listener.LocalAddr().String(),
					Dialer: func(ctx context.Context, _, addr string) (net.Conn, error) {
						conn, err := network.OpenConnection(ctx, addr, nil)
						if err != nil {
							return nil, err
						}
						conn, err = c.greet(ctx, conn)
						return network.NetConn(context.Background(), conn), err
					},
				})
				for range 20 {
					must(t, client.Ping(t.Context()).Err())
				}
				if n := relayed.Load(); n != 1 {
					t.Errorf("20 commands took %d connections", n)
				}
				must(t, client.Close())
				_, err = relay.Cancel(ctx)
				return err
			}))
		})
	}
}

// join forwards between client and the server at addr until one of them has sent all.
func join(ctx context.Context, client network.Conn, addr string) error {
	server, err := network.OpenConnection(ctx, addr, nil)
	if err != nil {
		return err
	}
	defer server.Close()
	return curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[struct{}]) error {
		g.Go(func(ctx context.Context) error { return pump(ctx, client, server) })
		g.Go(func(ctx context.Context) error { return pump(ctx, server, client) })
		return nil
	}, curio.WaitAny)
}

func pump(ctx context.Context, from, to network.Conn) error {
	for buf := make([]byte, 4<<10); ; {
		n, err := from.Recv(ctx, buf)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := to.SendAll(ctx, buf[:n]); err != nil {
			return err
		}
	}
}
