package network_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// started runs a server in a daemon task, and returns the address that it listens on.
func started(ctx context.Context, handler network.Handler) (addr string, err error) {
	listener, err := network.ListenTCP(ctx, "127.0.0.1:0", &network.ServerConfig{
		MaxConnections: 1000, IdleTimeout: time.Minute,
	})
	if err != nil {
		return "", err
	}
	curio.Go(ctx, func(ctx context.Context) error {
		return network.RunServer(ctx, listener, handler)
	}, curio.Daemon())
	return listener.LocalAddr().String(), nil
}

// A proxy forwards each connection to a server. The client ends its sending direction and still gets
// an answer.
func ExampleRelay() {
	answer := func(ctx context.Context, conn network.Conn) error {
		question, err := io.ReadAll(io.LimitReader(network.NetConn(ctx, conn), 1<<10)) // up to its end
		if err != nil {
			return err
		}
		_, err = conn.SendAll(ctx, fmt.Appendf(nil, "%s? yes", question))
		return err
	}
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		server, err := started(ctx, answer)
		if err != nil {
			return err
		}
		proxy, err := started(ctx, func(ctx context.Context, client network.Conn) error {
			connecting, cancel := curio.WithTimeout(ctx, 10*time.Second)
			conn, err := network.OpenConnection(connecting, server, nil)
			cancel()
			if err != nil {
				return err
			}
			defer conn.Close()
			_, _, err = network.Relay(ctx, client, conn, 5*time.Minute)
			if err != nil { // reset both, or the peers take the interruption for the end
				for _, side := range []network.Conn{client, conn} {
					_ = socket.Linger.Set(network.SocketOf(side), 0)
				}
			}
			return err
		})
		if err != nil {
			return err
		}
		conn, err := network.OpenConnection(ctx, proxy, nil)
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.SendAll(ctx, []byte("anybody there")); err != nil {
			return err
		}
		if err := conn.CloseWrite(ctx); err != nil {
			return err
		}
		text, err := io.ReadAll(io.LimitReader(network.NetConn(ctx, conn), 1<<20))
		fmt.Printf("%s\n", text)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: anybody there? yes
}

// A server sends one file. The handler works with and without TLS.
func ExampleSendFile() {
	dir, err := os.MkdirTemp("", "curio")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "poem")
	if err := os.WriteFile(path, []byte("roses are red"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	serve := func(ctx context.Context, conn network.Conn) error {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = network.SendFile(ctx, conn, file, 0, -1) // from the beginning to the end
		return err
	}
	err = curio.Run(context.Background(), func(ctx context.Context) error {
		addr, err := started(ctx, serve)
		if err != nil {
			return err
		}
		conn, err := network.OpenConnection(ctx, addr, nil)
		if err != nil {
			return err
		}
		defer conn.Close()
		text, err := io.ReadAll(io.LimitReader(network.NetConn(ctx, conn), 1<<20))
		fmt.Printf("%s\n", text)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: roses are red
}

// An HTTP client uses keep-alive probes every minute, and a function that sees each socket before it
// connects.
func ExampleConnectConfig_DialContext() {
	config := &network.ConnectConfig{
		KeepAlive: network.KeepAliveConfig{Idle: time.Minute, Interval: time.Minute},
		Control: func(network, _ string, _ syscall.RawConn) error {
			fmt.Println("a socket of", network)
			return nil
		},
	}
	hello := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") }
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
		if err != nil {
			return err
		}
		server := &http.Server{Handler: http.HandlerFunc(hello), ReadHeaderTimeout: 10 * time.Second}
		defer server.Close()
		go server.Serve(network.NetListener(context.Background(), listener))

		transport := &http.Transport{DialContext: config.DialContext}
		defer transport.CloseIdleConnections()
		ctx, cancel := curio.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+listener.LocalAddr().String(), nil)
		if err != nil {
			return err
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
		fmt.Printf("%s", text)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// a socket of tcp4
	// hello
}
