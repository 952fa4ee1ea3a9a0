package socket_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/curio-go/curio/socket"
)

func ExampleOption() {
	s, err := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	if err := socket.KeepAliveInterval.Set(s, 20*time.Second); err != nil {
		log.Fatal(err)
	}
	interval, err := socket.KeepAliveInterval.Get(s)
	fmt.Println(socket.KeepAliveInterval, interval, err)
	// Output: TCP_KEEPINTVL 20s <nil>
}

func ExampleGetAddrInfo() {
	found, err := socket.GetAddrInfo(context.Background(), "127.0.0.1", "http", &socket.AddrInfoHints{Type: socket.SOCK_STREAM})
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range found {
		fmt.Println(f.Family == socket.AF_INET, f.Addr)
	}
	// Output: true 127.0.0.1:80
}
