package network_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// connPair returns both ends of a TCP connection through loopback.
func connPair(b *testing.B, impl string) (client, server net.Conn) {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	client = testutil.Dial(b, listener.Addr().String())
	server, err = listener.Accept()
	if err != nil {
		b.Fatal(err)
	}
	if impl == "net" {
		b.Cleanup(func() { server.Close() })
		return client, server
	}
	server.Close()
	client.Close()
	l := listen(b, "127.0.0.1:0", nil)
	client = testutil.Dial(b, l.LocalAddr().String())
	server, err = network.NetListener(context.Background(), l).Accept()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { server.Close() })
	return client, server
}

// A server that sets a deadline before each read, as those of package net do. "ready": the
// message is there already. "wait": the server waits for it.
func BenchmarkReadDeadline(b *testing.B) {
	for _, what := range []string{"ready", "wait"} {
		for _, impl := range []string{"curio", "net"} {
			b.Run("what="+what+"/impl="+impl, func(b *testing.B) {
				client, server := connPair(b, impl)
				message, buf := make([]byte, 64), make([]byte, 64)
				read := func() error {
					if err := server.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
						return err
					}
					_, err := server.Read(buf)
					return err
				}
				back := make([]byte, 64)
				served := make(chan error, 1)
				if what == "wait" {
					go func() {
						for {
							if err := read(); err != nil {
								served <- nil
								return
							}
							if _, err := server.Write(buf); err != nil {
								served <- err
								return
							}
						}
					}()
				}
				b.ReportAllocs()
				for b.Loop() {
					if _, err := client.Write(message); err != nil {
						b.Fatal(err)
					}
					var err error
					if what == "wait" {
						_, err = client.Read(back)
					} else {
						err = read()
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				if what == "wait" {
					client.Close()
					if err := <-served; err != nil {
						b.Error(err)
					}
				}
			})
		}
	}
}

// Deadlines alone: moved on, and, as net/http does after each request, into the past and
// away again.
func BenchmarkSetReadDeadline(b *testing.B) {
	for _, what := range []string{"on", "past"} {
		for _, impl := range []string{"curio", "net"} {
			b.Run("what="+what+"/impl="+impl, func(b *testing.B) {
				_, server := connPair(b, impl)
				b.ReportAllocs()
				for b.Loop() {
					if what == "on" {
						_ = server.SetReadDeadline(time.Now().Add(time.Minute))
						continue
					}
					_ = server.SetReadDeadline(longAgo)
					_ = server.SetReadDeadline(time.Time{})
				}
			})
		}
	}
}
