package network_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// tlsServers are servers that send back what they receive, over TLS.
var tlsServers = []struct {
	name  string
	serve func(b *testing.B, size int, config *tls.Config) (addr string)
}{{"curio", serveCurioTLS}, {"net", serveNetTLS}}

func serveCurioTLS(b *testing.B, size int, config *tls.Config) string {
	listener := listen(b, "127.0.0.1:0", nil)
	server := curio.Go(context.Background(), func(ctx context.Context) error {
		return network.RunServer(ctx, listener, func(ctx context.Context, below network.Conn) error {
			conn := network.TLSServer(below, config)
			defer conn.Close()
			buf := make([]byte, size)
			for {
				n, err := conn.Recv(ctx, buf)
				if err != nil {
					return nil
				}
				if _, err := conn.SendAll(ctx, buf[:n]); err != nil {
					return nil
				}
			}
		})
	}, curio.ReportCrash(false))
	b.Cleanup(func() { _, _ = server.Cancel(context.Background()) })
	return listener.LocalAddr().String()
}

func serveNetTLS(b *testing.B, size int, config *tls.Config) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			below, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				conn := tls.Server(below, config)
				defer conn.Close()
				buf := make([]byte, size)
				for {
					n, err := conn.Read(buf)
					if err != nil {
						return
					}
					if _, err := conn.Write(buf[:n]); err != nil {
						return
					}
				}
			})
		}
	})
	b.Cleanup(func() {
		listener.Close()
		all.Wait()
	})
	return listener.Addr().String()
}

// A message there and back over one TLS connection. The client is package net's.
func BenchmarkTLSEcho(b *testing.B) {
	forClient, forServer := configs(b)
	for _, size := range []int{64, 16 << 10, 64 << 10} {
		for _, impl := range tlsServers {
			b.Run("size="+strconv.Itoa(size)+"/impl="+impl.name, func(b *testing.B) {
				conn := tls.Client(testutil.Dial(b, impl.serve(b, size, forServer)), forClient)
				message, back := testutil.Pattern(1, size), make([]byte, size)
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					if _, err := conn.Write(message); err != nil {
						b.Fatal(err)
					}
					if _, err := io.ReadFull(conn, back); err != nil {
						b.Fatal(err)
					}
				}
				conn.Close()
			})
		}
	}
}

// Connect, handshake and close.
func BenchmarkTLSHandshake(b *testing.B) {
	forClient, forServer := configs(b)
	for _, impl := range tlsServers {
		b.Run("impl="+impl.name, func(b *testing.B) {
			addr := impl.serve(b, 64, forServer)
			b.ReportAllocs()
			for b.Loop() {
				conn, err := tls.Dial("tcp", addr, forClient)
				if err != nil {
					b.Fatal(err)
				}
				conn.Close()
			}
		})
	}
}
