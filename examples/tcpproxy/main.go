// Tcpproxy forwards connections to another address, in both directions at once. When one
// side has sent all, the other is told so, and can still answer.
//
//	go run ./examples/tcpproxy [-addr HOST:PORT] [-idle 5m] -to HOST:PORT
//	nc -N 127.0.0.1 25001
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

const (
	maxConnections = 1000
	connectWithin  = 10 * time.Second
)

func main() {
	addr := flag.String("addr", "127.0.0.1:25001", "`HOST:PORT` to listen on")
	to := flag.String("to", "", "`HOST:PORT` to forward connections to")
	idle := flag.Duration("idle", 5*time.Minute, "how long nothing may move on a connection")
	flag.Parse()
	if *to == "" || *idle <= 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, *addr, &network.ServerConfig{MaxConnections: maxConnections})
		if err != nil {
			return err
		}
		fmt.Println("listening on", listener.LocalAddr())
		return network.RunServer(ctx, listener, forwardTo(*to, *idle))
	}, curio.StopOnSignals())
	curio.Exit(err)
}

// forwardTo returns a handler that connects each client with addr.
func forwardTo(addr string, idle time.Duration) network.Handler {
	return func(ctx context.Context, client network.Conn) error {
		var server network.Conn
		err := curio.TimeoutAfter(ctx, connectWithin, func(ctx context.Context) (err error) {
			server, err = network.OpenConnection(ctx, addr, nil)
			return err
		})
		if err != nil {
			reset(client)
			return err
		}
		defer server.Close()
		_, _, err = network.Relay(ctx, client, server, idle)
		if err != nil {
			// What was cut off must not look like what has ended.
			reset(client)
			reset(server)
		}
		if cancelled := curio.CheckCancellation(ctx); cancelled != nil {
			return cancelled // whatever has failed by then
		}
		if errors.Is(err, network.ErrIdle) {
			return nil
		}
		return err
	}
}

// reset makes Close throw away what has not been sent, and tell the other side that the
// connection was cut off.
func reset(conn network.Conn) {
	if s, ok := conn.(*socket.Socket); ok {
		_ = socket.Linger.Set(s, 0) // the connection may have gone, and then there is nothing to tell
	}
}
