// Curio is the echo server on this project: a task per connection, and the same handler as
// gonet's, except for the context.
//
//	curio PORT
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"os"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
)

// bufferSize is the same in every server here that chooses one.
const bufferSize = 16 << 10

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: curio PORT")
	}
	address := net.JoinHostPort("127.0.0.1", os.Args[1])
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		return network.TCPServer(ctx, address, echo, nil)
	})
	log.Fatal(err)
}

func echo(ctx context.Context, client network.Conn) error {
	buffer := make([]byte, bufferSize)
	for {
		n, err := client.Recv(ctx, buffer)
		if n > 0 {
			if _, err := client.SendAll(ctx, buffer[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
