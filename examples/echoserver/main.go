// Echoserver is an echo server on network.RunServer. On Ctrl-C it lets nobody in, and clients that have
// sent something get it back, which may take as long as -grace says. A second Ctrl-C ends that.
//
//	go run ./examples/echoserver [-addr HOST:PORT] [-idle 5m] [-grace 5s]
//	nc 127.0.0.1 25000
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:25000", "`HOST:PORT` to listen on")
	idle := flag.Duration("idle", 5*time.Minute, "how long a client may send nothing, or take no answer")
	grace := flag.Duration("grace", 5*time.Second, "how long answers may take when the server stops")
	flag.Parse()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, *addr, &network.ServerConfig{MaxConnections: 1000, IdleTimeout: *idle})
		if err != nil {
			return err
		}
		fmt.Println("listening on", listener.LocalAddr())
		return network.RunServer(ctx, listener, echo)
	}, curio.StopOnSignals(), curio.Grace(*grace))
	curio.Exit(err)
}

// echo sends back what it receives, until the client has sent all or the server stops.
func echo(ctx context.Context, conn network.Conn) error {
	buf := make([]byte, 16<<10)
	for {
		idle, cancel := curio.UntilStop(ctx)
		n, err := conn.Recv(idle, buf)
		cancel()
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
