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
	"io"
	"log"
	"os"
	"os/signal"
	"sync/atomic"
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	err := curio.Run(ctx, func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, *addr, &network.ServerConfig{MaxConnections: maxConnections})
		if err != nil {
			return err
		}
		fmt.Println("listening on", listener.LocalAddr())
		return network.RunServer(ctx, listener, forwardTo(*to, *idle))
	})
	if err != nil && !errors.Is(err, curio.ErrTaskCancelled) {
		log.Fatal(err)
	}
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
		err = join(ctx, client, server, idle)
		if err != nil {
			// What was cut off must not look like what has ended.
			reset(client)
			reset(server)
		}
		if cancelled := curio.CheckCancellation(ctx); cancelled != nil {
			return cancelled // whatever has failed by then
		}
		if errors.Is(err, errIdle) {
			return nil
		}
		return err
	}
}

// join forwards between a and b until both have sent all. If one direction fails, the
// group ends the other.
func join(ctx context.Context, a, b network.Conn, idle time.Duration) error {
	return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		var moved atomic.Int64
		there := g.Go(func(ctx context.Context) error { return forward(ctx, a, b, &moved) }, curio.Name("there"))
		back := g.Go(func(ctx context.Context) error { return forward(ctx, b, a, &moved) }, curio.Name("back"))
		return watch(ctx, idle, &moved, func(ctx context.Context) error {
			if err := there.Wait(ctx); err != nil {
				return err
			}
			return back.Wait(ctx)
		})
	})
}

// forward sends what it receives, and then the end. moved counts the bytes, as they come
// and again as they go.
func forward(ctx context.Context, from, to network.Conn, moved *atomic.Int64) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Recv(ctx, buf)
		if err == io.EOF {
			return to.CloseWrite(ctx)
		}
		if err != nil {
			return err
		}
		moved.Add(int64(n))
		if _, err := to.SendAll(ctx, buf[:n]); err != nil {
			return err
		}
		moved.Add(int64(n))
	}
}

var errIdle = errors.New("nothing has moved for too long")

// watch waits for the end, but not if nothing has moved between two looks, idle apart. It
// takes both directions to be idle: one may well be silent while the other is busy.
func watch(ctx context.Context, idle time.Duration, moved *atomic.Int64, end func(ctx context.Context) error) error {
	for {
		before := moved.Load()
		expired, err := curio.IgnoreAfter(ctx, idle, end)
		switch {
		case err != nil || !expired:
			return err
		case moved.Load() == before:
			return errIdle
		}
	}
}

// reset makes Close throw away what has not been sent, and tell the other side that the
// connection was cut off.
func reset(conn network.Conn) {
	if s, ok := conn.(*socket.Socket); ok {
		_ = socket.Linger.Set(s, 0) // the connection may have gone, and then there is nothing to tell
	}
}
