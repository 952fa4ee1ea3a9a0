package network_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
)

// An http.Server uses a Listener, and an http.Client connects with DialContext.
func ExampleNetListener() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, "127.0.0.1:0", &network.ServerConfig{
			MaxConnections: 1000, IdleTimeout: time.Minute,
		})
		if err != nil {
			return err
		}
		server := &http.Server{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, "hello from %s", r.URL.Path)
			}),
			BaseContext:       func(net.Listener) context.Context { return ctx },
			ReadHeaderTimeout: 10 * time.Second,
		}
		serving := curio.Go(ctx, func(context.Context) error {
			return server.Serve(network.NetListener(ctx, listener))
		})

		transport := &http.Transport{DialContext: network.DialContext}
		client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
		answer, err := client.Get("http://" + listener.LocalAddr().String() + "/here")
		if err != nil {
			return err
		}
		body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
		fmt.Printf("%s\n", body)
		if err := errors.Join(err, answer.Body.Close(), curio.TimeoutAfter(ctx, 10*time.Second, server.Shutdown)); err != nil {
			return err
		}
		transport.CloseIdleConnections()
		_, err = serving.Join(ctx)
		fmt.Println(errors.Is(err, http.ErrServerClosed))
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// hello from /here
	// true
}

// A timeout ends an operation on a net.Conn of another package.
func ExampleFromConn() {
	ctx := context.Background()
	here, there := net.Pipe()
	defer there.Close()
	conn := network.FromConn(here)
	defer conn.Close()
	err := curio.TimeoutAfter(ctx, 10*time.Millisecond, func(ctx context.Context) error {
		_, err := conn.Recv(ctx, make([]byte, 100))
		return err
	})
	fmt.Println(errors.Is(err, curio.ErrTaskTimeout))
	// Output: true
}
