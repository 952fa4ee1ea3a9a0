package interop_test

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// A pool asks each idle connection whether it is still alive, through its descriptor, and
// opens another one if it is not: so twenty commands go over one connection if the answer is
// right.
func TestRedisKeepsItsConnection(t *testing.T) {
	certificate, roots := testutil.Certificate(t, "localhost")
	secure := &network.ConnectConfig{TLS: &tls.Config{RootCAs: roots, ServerName: "localhost"}}
	for name, dial := range map[string]func(ctx context.Context, addr string) (net.Conn, error){
		"net": func(ctx context.Context, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		},
		"DialContext": func(ctx context.Context, addr string) (net.Conn, error) {
			return network.DialContext(ctx, "tcp", addr)
		},
		"NetConn": func(ctx context.Context, addr string) (net.Conn, error) {
			conn, err := network.OpenConnection(ctx, addr, nil)
			if err != nil {
				return nil, err
			}
			return network.NetConn(context.Background(), conn), nil
		},
		"TLS": func(ctx context.Context, addr string) (net.Conn, error) {
			conn, err := network.OpenConnection(ctx, addr, secure)
			if err != nil {
				return nil, err
			}
			return network.NetConn(context.Background(), conn), nil
		},
		"package tls above DialContext": func(ctx context.Context, addr string) (net.Conn, error) {
			conn, err := network.DialContext(ctx, "tcp", addr)
			if err != nil {
				return nil, err
			}
			return tls.Client(conn, secure.TLS), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			redisServer, stop := runRedis(t, name, certificate)
			defer stop()
			client := redis.NewClient(&redis.Options{
				Addr:   redisServer.Addr().String(),
				Dialer: func(ctx context.Context, _, addr string) (net.Conn, error) { return dial(ctx, addr) },
			})
			defer client.Close()
			for range 20 {
				must(t, client.Ping(t.Context()).Err())
			}
			must(t, client.Set(t.Context(), "key", "value", time.Hour).Err())
			got, err := client.Get(t.Context(), "key").Result()
			if err != nil || got != "value" {
				t.Errorf("%q, %v", got, err)
			}
			if n := redisServer.TotalConnections(); n != 1 {
				t.Errorf("22 commands took %d connections", n)
			}
		})
	}
}

// A connection that the server has closed, or on which it has said what nobody asked for, is
// not used again.
func TestRedisDropsADeadConnection(t *testing.T) {
	testutil.NoLeaks(t)
	redisServer, stop := runRedis(t, "DialContext", tls.Certificate{})
	defer stop()
	var last net.Conn
	client := redis.NewClient(&redis.Options{
		Addr:       redisServer.Addr().String(),
		MaxRetries: -1,
		Dialer: func(ctx context.Context, _, addr string) (net.Conn, error) {
			conn, err := network.DialContext(ctx, "tcp", addr)
			last = conn
			return conn, err
		},
	})
	defer client.Close()
	must(t, client.Ping(t.Context()).Err())
	must(t, last.(interface{ CloseRead() error }).CloseRead()) // as if the server had closed it
	for range 5 {
		must(t, client.Ping(t.Context()).Err())
	}
	if n := redisServer.TotalConnections(); n != 2 {
		t.Errorf("it took %d connections", n)
	}
}

func runRedis(t *testing.T, name string, certificate tls.Certificate) (s *server.Server, stop func()) {
	t.Helper()
	m := miniredis.NewMiniRedis()
	if name == "TLS" || name == "package tls above DialContext" {
		must(t, m.StartTLS(&tls.Config{Certificates: []tls.Certificate{certificate}}))
	} else {
		must(t, m.Start())
	}
	return m.Server(), m.Close
}
