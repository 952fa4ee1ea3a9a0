package socket_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/socket"
)

// A Socket receives from a connection of package net, and can be cancelled. Both must be closed.
func ExampleFromConn() {
	ctx := context.Background()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	dialed, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer dialed.Close()
	accepted, err := listener.Accept()
	if err != nil {
		log.Fatal(err)
	}
	defer accepted.Close()

	s, err := socket.FromConn(accepted.(*net.TCPConn))
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	fmt.Fprint(dialed, "hello")
	buf := make([]byte, 100)
	n, err := s.Recv(ctx, buf)
	fmt.Printf("%s, %v\n", buf[:n], err)
	// Output: hello, <nil>
}

// SendFile sends the second half of a file.
func ExampleSocket_SendFile() {
	file, err := os.CreateTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if _, err := file.WriteString("left right"); err != nil {
		log.Fatal(err)
	}

	err = curio.Run(context.Background(), func(ctx context.Context) error {
		a, b, err := socket.SocketPair(socket.SOCK_STREAM)
		if err != nil {
			return err
		}
		defer a.Close()
		defer b.Close()
		n, err := a.SendFile(ctx, file, 5, -1)
		if err != nil {
			return err
		}
		buf := make([]byte, 100)
		received, err := b.RecvFlags(ctx, buf[:n], socket.MSG_WAITALL)
		fmt.Printf("%d bytes: %s, %v\n", n, buf[:received], err)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 5 bytes: right, <nil>
}

// An echo server takes a buffer only while there is data in it.
func ExampleSocket_RecvBuffer() {
	echo := func(ctx context.Context, s *socket.Socket) error {
		for {
			buf, err := s.RecvBuffer(ctx)
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			_, err = s.SendAll(ctx, buf.Bytes())
			buf.Release()
			if err != nil {
				return err
			}
		}
	}
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		a, b, err := socket.SocketPair(socket.SOCK_STREAM)
		if err != nil {
			return err
		}
		defer a.Close()
		defer b.Close()
		task := curio.Go(ctx, func(ctx context.Context) error { return echo(ctx, b) })
		if _, err := a.SendAll(ctx, []byte("hello")); err != nil {
			return err
		}
		if err := a.CloseWrite(ctx); err != nil {
			return err
		}
		if _, err := task.Join(ctx); err != nil {
			return err
		}
		buf := make([]byte, 100)
		n, err := a.Recv(ctx, buf)
		fmt.Printf("%s, %v\n", buf[:n], err)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: hello, <nil>
}

// A function that takes an ordinary file gets one that blocks.
func ExampleSocket_Blocking() {
	ctx := context.Background()
	a, b, err := socket.SocketPair(socket.SOCK_STREAM)
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	if _, err := a.SendAll(ctx, []byte("hello")); err != nil {
		log.Fatal(err)
	}
	err = b.Blocking(ctx, func(file *os.File) error {
		buf := make([]byte, 100)
		n, err := file.Read(buf)
		fmt.Printf("%s\n", buf[:n])
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: hello
}

// Bytes that do not fit into the buffer are lost, and the flags report that.
func ExampleSocket_RecvMsg() {
	ctx := context.Background()
	a, b, err := socket.SocketPair(socket.SOCK_DGRAM)
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	for _, text := range []string{"short", "much too long"} {
		if _, err := a.Send(ctx, []byte(text)); err != nil {
			log.Fatal(err)
		}
	}
	m := socket.Message{Buffers: [][]byte{make([]byte, 8)}}
	for range 2 {
		n, err := b.RecvMsg(ctx, &m, 0)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%q cut off: %t\n", m.Buffers[0][:n], m.Flags&socket.MSG_TRUNC != 0)
	}
	// Output:
	// "short" cut off: false
	// "much too" cut off: true
}
