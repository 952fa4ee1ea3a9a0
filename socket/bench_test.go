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

// A client of each kind: connected to an echo server of its kind, in a process of its
// own or in this one.

func curioClient(b *testing.B, apart bool) (*socket.Socket, context.Context) {
	b.Helper()
	ctx := context.Context(&newTask(b).Scope)
	if apart {
		client := open(b, socket.AF_INET)
		check(b, client.Connect(ctx, startServer(b, "curio")))
		return client, ctx
	}
	client, server := tcpPair(b)
	_, join := in(b, func(ctx context.Context) error { return echo(ctx, server) })
	b.Cleanup(func() {
		check(b, client.Shutdown(socket.ShutWR))
		check(b, join())
	})
	return client, ctx
}

func netClient(b *testing.B, apart bool) net.Conn {
	b.Helper()
	var client net.Conn
	if apart {
		var err error
		client, err = net.Dial("tcp", startServer(b, "net").String())
		check(b, err)
	} else {
		var server net.Conn
		client, server = netPair(b)
		go echoNet(server)
	}
	b.Cleanup(func() { client.Close() })
	return client
}

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
	return client, server
}

// places are where the other side is.
var places = map[string]bool{"another process": true, "this process": false}

// One connection over loopback TCP: a message there and back.
func BenchmarkEcho(b *testing.B) {
	for place, apart := range places {
		for _, size := range []int{64, 16 << 10} {
			buf := make([]byte, size)
			b.Run(fmt.Sprintf("peer=%s/bytes=%d/impl=curio", place, size), func(b *testing.B) {
				client, ctx := curioClient(b, apart)
				b.ReportAllocs()
				for b.Loop() {
					_, err := client.SendAll(ctx, buf)
					check(b, err)
					for n := 0; n < size; {
						k, err := client.Recv(ctx, buf[n:])
						check(b, err)
						n += k
					}
				}
			})
			b.Run(fmt.Sprintf("peer=%s/bytes=%d/impl=net", place, size), func(b *testing.B) {
				client := netClient(b, apart)
				b.ReportAllocs()
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
}

// A receive under a timeout of its own, that has to wait for its data.
func BenchmarkWaitUnderTimeout(b *testing.B) {
	buf := make([]byte, 64)
	for place, apart := range places {
		b.Run("peer="+place+"/impl=curio", func(b *testing.B) {
			client, ctx := curioClient(b, apart)
			b.ReportAllocs()
			for b.Loop() {
				_, err := client.SendAll(ctx, buf)
				check(b, err)
				s := wait.NewTimeout(ctx, wait.After(time.Minute))
				_, err = client.Recv(s, buf)
				check(b, err)
				s.Close()
			}
		})
		b.Run("peer="+place+"/impl=net", func(b *testing.B) {
			client := netClient(b, apart)
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
}

// A receive under a timeout of its own, whose data is there.
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
		defer client.Close()
		defer server.Close()
		b.ReportAllocs()
		for b.Loop() {
			_, err := client.Write(one)
			check(b, err)
			check(b, server.SetReadDeadline(time.Now().Add(time.Minute)))
			_, err = server.Read(buf)
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
			check(b, socket.Linger.Set(client, 0))
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
