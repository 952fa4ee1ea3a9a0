package socket_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

// netPair makes two connected TCP connections of package net.
func netPair(b *testing.B) (client, server net.Conn) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(b, err)
	defer l.Close()
	client, err = net.Dial("tcp", l.Addr().String())
	check(b, err)
	server, err = l.Accept()
	check(b, err)
	b.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// One connection over loopback TCP: a message there and back.
func BenchmarkEcho(b *testing.B) {
	for _, size := range []int{64, 16 << 10} {
		b.Run(fmt.Sprintf("bytes=%d/impl=curio", size), func(b *testing.B) {
			client, server := tcpPair(b)
			_, join := in(b, func(ctx context.Context) error { return echo(ctx, server) })
			ctx := context.Context(&newTask(b).Scope)
			buf := make([]byte, size)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				_, err := client.SendAll(ctx, buf)
				check(b, err)
				for n := 0; n < size; {
					k, err := client.Recv(ctx, buf[n:])
					check(b, err)
					n += k
				}
			}
			check(b, client.Close())
			check(b, join())
		})
		b.Run(fmt.Sprintf("bytes=%d/impl=net", size), func(b *testing.B) {
			client, server := netPair(b)
			go func() {
				for buf := make([]byte, 16<<10); ; {
					n, err := server.Read(buf)
					if err != nil {
						return
					}
					if _, err := server.Write(buf[:n]); err != nil {
						return
					}
				}
			}()
			buf := make([]byte, size)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				_, err := client.Write(buf)
				check(b, err)
				for n := 0; n < size; {
					k, err := client.Read(buf[n:])
					check(b, err)
					n += k
				}
			}
		})
	}
}

// A receive that finds its data, under a timeout of its own.
func BenchmarkRecvUnderTimeout(b *testing.B) {
	one, buf := []byte("x"), make([]byte, 64)
	b.Run("impl=curio", func(b *testing.B) {
		client, server := tcpPair(b)
		ctx := context.Context(&newTask(b).Scope)
		b.ReportAllocs()
		for b.Loop() {
			_, err := client.SendAll(ctx, one)
			check(b, err)
			s := wait.NewTimeout(ctx, wait.After(time.Minute))
			_, err = server.Recv(s, buf)
			check(b, err)
			s.Close()
		}
	})
	b.Run("impl=net", func(b *testing.B) {
		client, server := netPair(b)
		b.ReportAllocs()
		for b.Loop() {
			_, err := client.Write(one)
			check(b, err)
			check(b, server.SetReadDeadline(time.Now().Add(time.Minute)))
			_, err = server.Read(buf)
			check(b, err)
			check(b, server.SetReadDeadline(time.Time{}))
		}
	})
}

// The same, with a receiver that has to wait for its data.
func BenchmarkWaitUnderTimeout(b *testing.B) {
	buf := make([]byte, 64)
	b.Run("impl=curio", func(b *testing.B) {
		client, server := tcpPair(b)
		_, join := in(b, func(ctx context.Context) error { return echo(ctx, server) })
		ctx := context.Context(&newTask(b).Scope)
		b.ReportAllocs()
		for b.Loop() {
			_, err := client.SendAll(ctx, buf)
			check(b, err)
			s := wait.NewTimeout(ctx, wait.After(time.Minute))
			_, err = client.Recv(s, buf)
			check(b, err)
			s.Close()
		}
		check(b, client.Close())
		check(b, join())
	})
	b.Run("impl=net", func(b *testing.B) {
		client, server := netPair(b)
		go func() {
			for buf := make([]byte, 16<<10); ; {
				n, err := server.Read(buf)
				if err != nil {
					return
				}
				if _, err := server.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
		b.ReportAllocs()
		for b.Loop() {
			_, err := client.Write(buf)
			check(b, err)
			check(b, client.SetReadDeadline(time.Now().Add(time.Minute)))
			_, err = client.Read(buf)
			check(b, err)
		}
	})
}

// A connection made, accepted and closed.
func BenchmarkConnect(b *testing.B) {
	b.Run("impl=curio", func(b *testing.B) {
		l := listen(b, socket.AF_INET, localhost, 0)
		ctx := context.Context(&newTask(b).Scope)
		b.ReportAllocs()
		for b.Loop() {
			client, err := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0)
			check(b, err)
			check(b, client.SetLinger(0))
			check(b, client.Connect(ctx, l.LocalAddr()))
			server, err := l.Accept(ctx)
			check(b, err)
			check(b, client.Close())
			check(b, server.Close())
		}
	})
	b.Run("impl=net", func(b *testing.B) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		check(b, err)
		defer l.Close()
		b.ReportAllocs()
		for b.Loop() {
			client, err := net.Dial("tcp", l.Addr().String())
			check(b, err)
			check(b, client.(*net.TCPConn).SetLinger(0))
			server, err := l.Accept()
			check(b, err)
			check(b, client.Close())
			check(b, server.Close())
		}
	})
}
