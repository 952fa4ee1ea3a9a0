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
)

// A server and a client run in one program.
func Example() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, "127.0.0.1:0", &network.ServerConfig{
			MaxConnections: 1000, IdleTimeout: time.Minute,
		})
		if err != nil {
			return err
		}
		server := curio.Go(ctx, func(ctx context.Context) error {
			return network.RunServer(ctx, listener, greet)
		})

		conn, err := network.OpenConnection(ctx, listener.LocalAddr().String(), nil)
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.SendAll(ctx, []byte("Guido")); err != nil {
			return err
		}
		buf := make([]byte, 100)
		n, err := conn.Recv(ctx, buf)
		if err != nil {
			return err
		}
		fmt.Printf("%s\n", buf[:n])

		_, err = server.Cancel(ctx)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: Hello, Guido
}

// greet serves one connection.
func greet(ctx context.Context, conn network.Conn) error {
	buf := make([]byte, 100)
	n, err := conn.Recv(ctx, buf)
	if err != nil {
		return err
	}
	_, err = conn.SendAll(ctx, fmt.Appendf(nil, "Hello, %s", buf[:n]))
	return err
}

// A server runs until its context is done, here until a timeout of 200 ms. Usually
// curio.StopOnSignals stops it.
func ExampleTCPServer() {
	echo := func(ctx context.Context, conn network.Conn) error {
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
	ctx, cancel := curio.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	err := network.TCPServer(ctx, "127.0.0.1:0", echo, &network.ServerConfig{
		MaxConnections: 1000, IdleTimeout: time.Minute,
	})
	fmt.Println("time is up:", errors.Is(err, curio.ErrTaskTimeout))
	// Output: time is up: true
}

// When the server is cancelled, so are its handlers. A handler that has to say good-bye does so under
// DisableCancellation, with a timeout, and the server waits for it.
func ExampleRunServer() {
	var begun curio.Event
	goodBye := func(ctx context.Context, conn network.Conn) error {
		begun.Set()
		_, err := conn.Recv(ctx, make([]byte, 1)) // is cancelled
		return errors.Join(err, curio.DisableCancellation(ctx, func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
				_, err := conn.SendAll(ctx, []byte("good-bye"))
				return err
			})
		}))
	}
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, "127.0.0.1:0", &network.ServerConfig{
			MaxConnections: 1000, IdleTimeout: time.Minute,
		})
		if err != nil {
			return err
		}
		conn, err := network.OpenConnection(ctx, listener.LocalAddr().String(), nil)
		if err != nil {
			return err
		}
		defer conn.Close()

		server := curio.Go(ctx, func(ctx context.Context) error {
			return network.RunServer(ctx, listener, goodBye)
		})
		if err := begun.Wait(ctx); err != nil {
			return err
		}
		if _, err := server.Cancel(ctx); err != nil {
			return err
		}
		buf := make([]byte, 100)
		n, err := conn.Recv(ctx, buf)
		fmt.Printf("%s\n", buf[:n])
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: good-bye
}

// ListenTCP with port 0 chooses a free port, which is known before the server runs.
func ExampleListenTCP() {
	ctx := context.Background()
	listener, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	addr := listener.LocalAddr().String()

	_, err = network.ListenTCP(ctx, addr, nil)
	fmt.Println("taken:", err != nil)
	// Output: taken: true
}

// A timeout limits an attempt to connect.
func ExampleOpenConnection() {
	ctx := context.Background()
	listener, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()

	err = curio.TimeoutAfter(ctx, 5*time.Second, func(ctx context.Context) error {
		conn, err := network.OpenConnection(ctx, listener.LocalAddr().String(), nil)
		if err != nil {
			return err
		}
		defer conn.Close()
		fmt.Println(conn.RemoteAddr().String() == listener.LocalAddr().String())
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: true
}
