// Unixecho is an echo server on a Unix socket, and its client.
//
//	go run ./examples/unixecho [-path FILE] [-idle 5m]
//	go run ./examples/unixecho [-path FILE] hello "how are you?"
//
// Without arguments it serves. The client sends each argument as a line, and prints what
// comes back.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
)

func main() {
	path := flag.String("path", filepath.Join(os.TempDir(), "unixecho.sock"), "the socket's `FILE`; @NAME for none, on Linux")
	idle := flag.Duration("idle", 5*time.Minute, "how long a client may send nothing, or take no answer")
	flag.Parse()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		if flag.NArg() > 0 {
			return client(ctx, os.Stdout, *path, flag.Args())
		}
		return serve(ctx, os.Stdout, *path, *idle)
	}, curio.StopOnSignals())
	curio.Exit(err)
}

// serve serves until ctx is done. The socket's file exists for that long, and only the same
// user can connect.
func serve(ctx context.Context, out io.Writer, path string, idle time.Duration) error {
	config := network.ServerConfig{MaxConnections: 1000, IdleTimeout: idle}
	if !strings.HasPrefix(path, "@") {
		config.Mode = 0o600
	}
	listener, err := network.ListenUnix(ctx, path, &config)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "listening on", listener.LocalAddr())
	return network.RunServer(ctx, listener, echo)
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

// client sends the lines and, at the same time, prints what comes back: with more lines
// than the connection has room for, either without the other would wait for ever.
func client(ctx context.Context, out io.Writer, path string, lines []string) error {
	conn, err := network.OpenUnixConnection(ctx, path, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		g.Go(func(ctx context.Context) error {
			if _, err := conn.SendAll(ctx, []byte(strings.Join(lines, "\n")+"\n")); err != nil {
				return err
			}
			return conn.CloseWrite(ctx)
		}, curio.Name("sender"))
		buf := make([]byte, 16<<10)
		for {
			n, err := conn.Recv(ctx, buf)
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			if _, err := out.Write(buf[:n]); err != nil {
				return err
			}
		}
	})
}
