package network_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// proxyCurio and proxyNet forward connections to an address.
func proxyCurio(b *testing.B, to string) (addr string) {
	listener := listen(b, "127.0.0.1:0", nil)
	server := curio.Go(context.Background(), func(ctx context.Context) error {
		return network.RunServer(ctx, listener, func(ctx context.Context, client network.Conn) error {
			server, err := network.OpenConnection(ctx, to, nil)
			if err != nil {
				return err
			}
			defer server.Close()
			return third(network.Relay(ctx, client, server, 0))
		})
	}, curio.ReportCrash(false))
	b.Cleanup(func() { _, _ = server.Cancel(context.Background()) })
	return listener.LocalAddr().String()
}

func proxyNet(b *testing.B, to string) (addr string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer client.Close()
				server, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer server.Close()
				var ways sync.WaitGroup
				for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
					ways.Go(func() {
						_, _ = io.Copy(way[0], way[1])
						_ = way[0].(*net.TCPConn).CloseWrite()
					})
				}
				ways.Wait()
			})
		}
	})
	b.Cleanup(func() {
		listener.Close()
		all.Wait()
	})
	return listener.Addr().String()
}

// A proxy between clients and an echo server of package net. Each client sends a message and waits
// until it has come back.
func BenchmarkProxy(b *testing.B) {
	for _, c := range []struct{ conns, size int }{{1, 64}, {64, 64}, {64, 4 << 10}, {16, 64 << 10}, {4, 1 << 20}} {
		for _, impl := range []string{"curio", "net"} {
			b.Run(fmt.Sprintf("conns=%d/bytes=%d/impl=%s", c.conns, c.size, impl), func(b *testing.B) {
				proxy := proxyCurio
				if impl == "net" {
					proxy = proxyNet
				}
				addr := proxy(b, serveNet(b, c.size, false))
				conns := make([]net.Conn, c.conns)
				for i := range conns {
					conns[i] = testutil.Dial(b, addr)
				}
				turns := make(chan struct{}, 1000)
				b.SetBytes(int64(c.size))
				var clients sync.WaitGroup
				for _, conn := range conns {
					clients.Go(func() {
						message, back := make([]byte, c.size), make([]byte, c.size)
						for range turns {
							sent := make(chan error, 1)
							go func() { sent <- second(conn.Write(message)) }()
							if _, err := io.ReadFull(conn, back); err != nil {
								b.Error(err)
							}
							if err := <-sent; err != nil {
								b.Error(err)
							}
						}
					})
				}
				for b.Loop() {
					turns <- struct{}{}
				}
				close(turns)
				clients.Wait()
				for _, conn := range conns {
					conn.Close()
				}
			})
		}
	}
}
