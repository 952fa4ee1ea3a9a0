package stream_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/stream"
)

// tcp is a connection: a listener accepts with net, and both ends are given to ours or to
// theirs.
func tcp(b *testing.B) (client, server net.Conn) {
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

func sockets(b *testing.B) (client, server *socket.Socket) {
	b.Helper()
	l, _ := listen(b)
	client, err := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0)
	check(b, err)
	check(b, client.Connect(background, l.LocalAddr()))
	server, err = l.Accept(background)
	check(b, err)
	return client, server
}

// Lines that come one after the other, as fast as they can be read.
func BenchmarkReadLines(b *testing.B) {
	for _, size := range []int{20, 1000} {
		block := []byte(strings.Repeat(strings.Repeat("x", size-1)+"\n", 1<<16/size))
		b.Run(fmt.Sprintf("size=%d/by=curio", size), func(b *testing.B) {
			client, server := sockets(b)
			go pump(func() error { _, err := server.SendAll(background, block); return err })
			defer server.Close()
			s := stream.New(client)
			defer s.CloseContext(background)
			ctx := context.Context(&newTask(b).Scope)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.ReadLine(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("size=%d/by=bufio", size), func(b *testing.B) {
			client, server := tcp(b)
			go pump(func() error { _, err := server.Write(block); return err })
			defer server.Close()
			defer client.Close()
			r := bufio.NewReader(client)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.ReadString('\n'); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func pump(send func() error) {
	for send() == nil {
	}
}

// A line, and a line in answer.
func BenchmarkPingPong(b *testing.B) {
	const line = "0123456789012345678\n"
	b.Run("by=curio", func(b *testing.B) {
		client, server := sockets(b)
		c, s := stream.New(client), stream.New(server)
		done := make(chan error, 1)
		go func() {
			ctx := context.Context(&newTask(b).Scope)
			for {
				line, err := s.ReadLine(ctx)
				if err == nil {
					_, err = s.WriteString(ctx, line)
				}
				if err != nil {
					done <- s.CloseContext(background)
					return
				}
			}
		}()
		ctx := context.Context(&newTask(b).Scope)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.WriteString(ctx, line); err != nil {
				b.Fatal(err)
			}
			if _, err := c.ReadLine(ctx); err != nil {
				b.Fatal(err)
			}
		}
		check(b, c.CloseContext(background))
		check(b, <-done)
	})
	b.Run("by=bufio", func(b *testing.B) {
		client, server := tcp(b)
		done := make(chan error, 1)
		go func() {
			r := bufio.NewReader(server)
			for {
				line, err := r.ReadString('\n')
				if err == nil {
					_, err = io.WriteString(server, line)
				}
				if err != nil {
					done <- server.Close()
					return
				}
			}
		}()
		r := bufio.NewReader(client)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := io.WriteString(client, line); err != nil {
				b.Fatal(err)
			}
			if _, err := r.ReadString('\n'); err != nil {
				b.Fatal(err)
			}
		}
		check(b, client.Close())
		check(b, <-done)
	})
}

// Small writes, collected or not.
func BenchmarkWrite(b *testing.B) {
	const line = "0123456789012345678\n"
	for _, size := range []int{0, 4096} {
		b.Run(fmt.Sprintf("buffer=%d/by=curio", size), func(b *testing.B) {
			client, server := sockets(b)
			buf := make([]byte, 1<<16)
			go pump(func() error { _, err := server.Recv(background, buf); return err })
			defer server.Close()
			s := stream.New(client)
			defer s.CloseContext(background)
			s.SetWriteBuffer(size)
			ctx := context.Context(&newTask(b).Scope)
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.WriteString(ctx, line); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("buffer=%d/by=bufio", size), func(b *testing.B) {
			client, server := tcp(b)
			buf := make([]byte, 1<<16)
			go pump(func() error { _, err := server.Read(buf); return err })
			defer server.Close()
			defer client.Close()
			var w io.Writer = client
			if size > 0 {
				w = bufio.NewWriterSize(client, size)
			}
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := io.WriteString(w, line); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
