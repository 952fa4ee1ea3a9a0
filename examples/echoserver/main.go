// Echoserver is an echo server on network.TCPServer.
//
//	go run ./examples/echoserver [-addr HOST:PORT] [-idle 5m]
//	nc 127.0.0.1 25000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:25000", "`HOST:PORT` to listen on")
	idle := flag.Duration("idle", 5*time.Minute, "how long a client may send nothing, or take no answer")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	err := curio.Run(ctx, func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, *addr, &network.ServerConfig{MaxConnections: 1000, IdleTimeout: *idle})
		if err != nil {
			return err
		}
		fmt.Println("listening on", listener.LocalAddr())
		return network.RunServer(ctx, listener, echo)
	})
	if err != nil && !errors.Is(err, curio.ErrTaskCancelled) {
		log.Fatal(err)
	}
}

// echo sends back what it receives, until the client has sent all.
func echo(ctx context.Context, conn network.Conn) error {
	buf := make([]byte, 16<<10)
	for {
		n, err := conn.Recv(ctx, buf)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := conn.SendAll(ctx, buf[:n]); err != nil {
			return err
		}
	}
}
