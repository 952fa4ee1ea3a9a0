// Echo is an echo server on bare sockets: a task for each connection, and all of
// them end with Ctrl-C.
//
//	go run ./examples/echo [-addr HOST:PORT]
//	nc 127.0.0.1 25000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/socket"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:25000", "`HOST:PORT` to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	err := curio.Run(ctx, func(ctx context.Context) error {
		listener, err := listen(*addr)
		if err != nil {
			return err
		}
		fmt.Println("listening on", listener.LocalAddr())
		return serve(ctx, listener)
	})
	if err != nil && !errors.Is(err, curio.ErrTaskCancelled) {
		log.Fatal(err)
	}
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
func serve(ctx context.Context, listener *socket.Socket) error {
	defer listener.Close()
	for {
		conn, err := listener.Accept(ctx)
		if err != nil {
			return err
		}
		curio.Go(ctx, func(ctx context.Context) error { return echo(ctx, conn) })
	}
}

// echo sends back what it receives, until the client has sent all.
func echo(ctx context.Context, conn *socket.Socket) error {
	defer conn.Close()
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
