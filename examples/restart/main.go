// Restart is an echo server that starts anew on SIGHUP, as a server does that has to read its settings again. Clients get
// back what they have sent before, and a farewell. Ctrl-C ends it in the same way.
//
//	go run ./examples/restart [-addr HOST:PORT] [-idle 5m] [-grace 5s]
//	nc 127.0.0.1 25000
//	kill -HUP PID
//
// PID is the number that it prints.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/signal"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:25000", "`HOST:PORT` to listen on")
	idle := flag.Duration("idle", 5*time.Minute, "how long a client may send nothing, or take no answer")
	grace := flag.Duration("grace", 5*time.Second, "how long a client may take for what it has sent, and for the farewell")
	flag.Parse()
	if *idle <= 0 || *grace <= 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	curio.Exit(curio.Run(context.Background(), func(ctx context.Context) error {
		hangups := signal.NewQueue(syscall.SIGHUP)
		defer hangups.Close()
		config := network.ServerConfig{MaxConnections: 1000, IdleTimeout: *idle}
		return run(ctx, os.Stdout, *addr, config, *grace, hangups)
	}, curio.StopOnSignals(), curio.Grace(*grace)))
}

// run serves, and starts anew at each signal from the queue. The port stays the same.
func run(ctx context.Context, out io.Writer, addr string, config network.ServerConfig, grace time.Duration, hangups *signal.Queue) error {
	for start := 1; ; start++ {
		listener, err := network.ListenTCP(ctx, addr, &config)
		if err != nil {
			return err
		}
		addr = listener.LocalAddr().String()
		fmt.Fprintf(out, "start %d of process %d, listening on %s\n", start, os.Getpid(), addr)
		restart, err := serve(ctx, listener, grace, hangups)
		if !restart {
			return err
		}
	}
}

// serve serves until a signal comes from the queue, which is a reason to restart, or until the server ends.
func serve(ctx context.Context, listener *network.Listener, grace time.Duration, hangups *signal.Queue) (restart bool, err error) {
	err = curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
		server := g.Go(func(ctx context.Context) error {
			return network.RunServer(ctx, listener, echo)
		}, curio.Name("server"))
		waiting, cancel := curio.UntilStop(ctx)
		defer cancel()
		i, err := curio.Select(waiting, hangups.GetCase(nil), server.WaitCase())
		switch {
		case errors.Is(err, curio.ErrStopping):
			return nil // so is the server, and the group waits for it
		case err != nil:
			return err
		}
		restart = i == 0
		return server.Stop(ctx, grace, errors.New("the server is starting anew"))
	})
	if restart && errors.Is(err, curio.ErrStopping) {
		err = nil
	}
	return restart && err == nil, err
}

// echo sends back what it receives, until the client has sent all, or the server stops.
func echo(ctx context.Context, conn network.Conn) error {
	waiting, cancel := curio.UntilStop(ctx)
	defer cancel()
	buf := make([]byte, 16<<10)
	for {
		n, err := conn.Recv(waiting, buf)
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, curio.ErrStopping):
			_, err := conn.SendAll(ctx, []byte("good-bye\n"))
			return err
		case err != nil:
			return err
		}
		if _, err := conn.SendAll(ctx, buf[:n]); err != nil {
			return err
		}
	}
}
