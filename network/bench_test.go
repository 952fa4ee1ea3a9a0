package network_test

import (
	"context"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// An implementation is a server that answers each message with itself, until the
// client ends or, if once is set, one time.
type implementation struct {
	name  string
	serve func(b *testing.B, size int, once bool) (addr string)
}

var implementations = []implementation{{"curio", serveCurio}, {"net", serveNet}}

func serveCurio(b *testing.B, size int, once bool) string {
	listener := listen(b, "127.0.0.1:0", nil)
	server := curio.Go(context.Background(), func(ctx context.Context) error {
		return network.RunServer(ctx, listener, func(ctx context.Context, conn network.Conn) error {
			buf := make([]byte, size)
			for {
				n, err := conn.Recv(ctx, buf)
				if err != nil {
					return nil
				}
				if _, err := conn.SendAll(ctx, buf[:n]); err != nil || once {
					return nil
				}
			}
		})
	}, curio.ReportCrash(false))
	b.Cleanup(func() { _, _ = server.Cancel(context.Background()) })
	return listener.LocalAddr().String()
}

func serveNet(b *testing.B, size int, once bool) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				buf := make([]byte, size)
				for {
					n, err := conn.Read(buf)
					if err != nil {
						return
					}
					if _, err := conn.Write(buf[:n]); err != nil || once {
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

// Connect, one message there and back, close: the clients are the same for both.
// The server closes first, so that it is not the clients' ports that run out.
func BenchmarkAccept(b *testing.B) {
	for _, impl := range implementations {
		b.Run("impl="+impl.name, func(b *testing.B) {
			addr := impl.serve(b, 64, true)
			b.ReportAllocs()
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				message, back := testutil.Pattern(1, 64), make([]byte, 64)
				for pb.Next() {
					conn, err := net.Dial("tcp", addr)
					if err != nil {
						b.Error(err)
						return
					}
					_, err = conn.Write(message)
					if err == nil {
						_, err = io.ReadFull(conn, back)
					}
					if err == nil {
						_, _ = conn.Read(back) // the end
					}
					conn.Close()
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// A message there and back over one connection. The client is package net's.
func BenchmarkEcho(b *testing.B) {
	for _, size := range []int{64, 16 << 10} {
		for _, impl := range implementations {
			b.Run("size="+strconv.Itoa(size)+"/impl="+impl.name, func(b *testing.B) {
				conn := testutil.Dial(b, impl.serve(b, size, false))
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

// Connect and close, against a listener of package net.
func BenchmarkConnect(b *testing.B) {
	connect := map[string]func(ctx context.Context, addr string) (io.Closer, error){
		"curio": func(ctx context.Context, addr string) (io.Closer, error) {
			return network.OpenConnection(ctx, addr, nil)
		},
		"net": func(ctx context.Context, addr string) (io.Closer, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", addr)
		},
	}
	for _, impl := range []string{"curio", "net"} {
		b.Run("impl="+impl, func(b *testing.B) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			var accepts sync.WaitGroup
			accepts.Go(func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					conn.Close() // before the client does
				}
			})
			defer accepts.Wait()
			defer listener.Close()
			// As a task has it, with a context that can be cancelled.
			task := curio.Go(context.Background(), func(ctx context.Context) error {
				b.ReportAllocs()
				for b.Loop() {
					conn, err := connect[impl](ctx, listener.Addr().String())
					if err != nil {
						return err
					}
					conn.Close()
				}
				return nil
			})
			if _, err := task.Join(context.Background()); err != nil {
				b.Fatal(err)
			}
		})
	}
}
