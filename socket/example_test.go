package socket_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/curio-go/curio/socket"
)

func Example() {
	ctx := context.Background()
	listener, err := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	if err := listener.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		log.Fatal(err)
	}
	if err := listener.Listen(0); err != nil {
		log.Fatal(err)
	}

	client, err := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if err := client.Connect(ctx, listener.LocalAddr()); err != nil {
		log.Fatal(err)
	}
	server, err := listener.Accept(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	if _, err := client.SendAll(ctx, []byte("hello")); err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 100)
	n, err := server.Recv(ctx, buf)
	fmt.Printf("%s, %v\n", buf[:n], err)
	// Output: hello, <nil>
}

func ExampleSocket_Recv_timeout() {
	a, b, err := socket.SocketPair(socket.SOCK_STREAM)
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err = a.Recv(ctx, make([]byte, 100))
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}
