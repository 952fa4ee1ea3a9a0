package network_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// A server lets its handlers finish what they have begun. They wait for the next request with a
// context that is done when the server begins to stop.
func ExampleRunServer_graceful() {
	var begun curio.Event
	serve := func(ctx context.Context, conn network.Conn) error {
		buf := make([]byte, 100)
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
			begun.Set()
			if err := curio.Sleep(ctx, 10*time.Millisecond); err != nil { // the work
				return err
			}
			if _, err := conn.SendAll(ctx, fmt.Appendf(nil, "done: %s", buf[:n])); err != nil {
				return err
			}
		}
	}
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, "127.0.0.1:0", &network.ServerConfig{
			Grace: 10 * time.Second, MaxConnections: 1000, IdleTimeout: time.Minute,
		})
		if err != nil {
			return err
		}
		server := curio.Go(ctx, func(ctx context.Context) error {
			return network.RunServer(ctx, listener, serve)
		})
		conn, err := network.OpenConnection(ctx, listener.LocalAddr().String(), nil)
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.SendAll(ctx, []byte("work")); err != nil {
			return err
		}
		if err := begun.Wait(ctx); err != nil {
			return err
		}

		if _, err := server.Cancel(ctx); err != nil { // which waits for the handler
			return err
		}
		fmt.Println("some were late:", errors.As(server.Err(), new(*network.GraceError)))
		buf := make([]byte, 100)
		n, err := conn.Recv(ctx, buf)
		fmt.Printf("%s\n", buf[:n])
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// some were late: false
	// done: work
}

// One server serves two listeners.
func ExampleRunServers() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		var listeners []*network.Listener
		for range 2 {
			listener, err := network.ListenTCP(ctx, "127.0.0.1:0", &network.ServerConfig{
				MaxConnections: 1000, IdleTimeout: time.Minute,
			})
			if err != nil {
				return err
			}
			listeners = append(listeners, listener)
		}
		curio.Go(ctx, func(ctx context.Context) error {
			return network.RunServers(ctx, listeners, greet)
		}, curio.Daemon())
		for i, name := range []string{"Ada", "Guido"} {
			conn, err := network.OpenConnection(ctx, listeners[i].LocalAddr().String(), nil)
			if err != nil {
				return err
			}
			defer conn.Close()
			if _, err := conn.SendAll(ctx, []byte(name)); err != nil {
				return err
			}
			buf := make([]byte, 100)
			n, err := conn.Recv(ctx, buf)
			if err != nil {
				return err
			}
			fmt.Printf("%s\n", buf[:n])
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// Hello, Ada
	// Hello, Guido
}

// A server serves sockets that systemd has opened.
func ExampleNewListener() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		sockets, err := socket.Activated()
		if err != nil {
			return err
		}
		var listeners []*network.Listener
		for _, s := range sockets {
			listeners = append(listeners, network.NewListener(s.Socket, &network.ServerConfig{
				MaxConnections: 1000, IdleTimeout: time.Minute,
			}))
		}
		if len(listeners) == 0 {
			fmt.Println("not started by systemd")
			return nil
		}
		return network.RunServers(ctx, listeners, greet)
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: not started by systemd
}
