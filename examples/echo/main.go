// Echo is an echo server on bare sockets: a task for each connection, and all of
// them end with Ctrl-C.
//
// It does by hand what network.RunServer does by itself: it bounds how many clients are
// served at a time and how long each may be idle, and pauses when it cannot accept.
//
//	go run ./examples/echo [-addr HOST:PORT] [-idle 5m]
//	nc 127.0.0.1 25000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/socket"
)

const (
	maxConnections = 1000
	pause          = 100 * time.Millisecond
)

func main() {
	addr := flag.String("addr", "127.0.0.1:25000", "`HOST:PORT` to listen on")
	idle := flag.Duration("idle", 5*time.Minute, "how long a client may send nothing, or take no answer")
	flag.Parse()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		listener, err := listen(*addr)
		if err != nil {
			return err
		}
		fmt.Println("listening on", listener.LocalAddr())
		return serve(ctx, listener, *idle)
	}, curio.StopOnSignals())
	curio.Exit(err)
}

func listen(addr string) (*socket.Socket, error) {
	at, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, err
	}
	family := socket.AF_INET
	if at.IP.To4() == nil {
		family = socket.AF_INET6
	}
	listener, err := socket.New(family, socket.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(socket.ReuseAddr.Set(listener, true), listener.Bind(at), listener.Listen(0)); err != nil {
		listener.Close()
		return nil, err
	}
	return listener, nil
}

// serve accepts connections until it is cancelled, and the tasks that it has started
// with its context are cancelled with it.
func serve(ctx context.Context, listener *socket.Socket, idle time.Duration) error {
	defer listener.Close()
	places := curio.NewSemaphore(maxConnections)
	for {
		if err := places.Acquire(ctx); err != nil {
			return err
		}
		conn, err := listener.Accept(ctx)
		if err != nil {
			places.Release(ctx)
			if cancelled := curio.CheckCancellation(ctx); cancelled != nil {
				return cancelled
			}
			log.Print(err) // most likely too many open files, which does not last
			if err := curio.Sleep(ctx, pause); err != nil {
				return err
			}
			continue
		}
		curio.Go(ctx, func(ctx context.Context) error {
			defer places.Release(ctx)
			return echo(ctx, conn, idle)
		})
	}
}

// echo sends back what it receives, until the client has sent everything, or is idle.
func echo(ctx context.Context, conn *socket.Socket, idle time.Duration) error {
	defer conn.Close()
	buf := make([]byte, 16<<10)
	for {
		err := curio.TimeoutAfter(ctx, idle, func(ctx context.Context) error {
			n, err := conn.Recv(ctx, buf)
			if err != nil {
				return err
			}
			_, err = conn.SendAll(ctx, buf[:n])
			return err
		})
		if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
			return cancelled
		}
		if err != nil {
			return nil // the client has sent everything, has gone, or is idle: none of that is an error
		}
	}
}
