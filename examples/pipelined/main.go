// Pipelined is a client of a line protocol with many requests in flight on one connection, built on
// Curio's public API. Replies come in order. If a caller has given up, its reply is dropped; if the
// connection fails, so does every request. The program has a server of its own. Copy client.go into a
// client of such a protocol: Redis, SMTP with PIPELINING, NNTP or your own.
//
//	go run ./examples/pipelined [-requests 1000]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
)

func main() {
	requests := flag.Int("requests", 1000, "how many requests to send at once")
	flag.Parse()
	if *requests <= 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		return run(ctx, os.Stdout, *requests, 50*time.Millisecond)
	}, curio.StopOnSignals())
	curio.Exit(err)
}

// run sends requests to a server, then one to which the server replies so late that its caller gives
// up, and one more.
func run(ctx context.Context, out io.Writer, requests int, slow time.Duration) error {
	listener, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
	if err != nil {
		return err
	}
	return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		g.Go(func(ctx context.Context) error { return network.RunServer(ctx, listener, shout(slow)) }, curio.Daemon(), curio.Name("server"))
		err := talk(ctx, out, listener.LocalAddr().String(), requests)
		if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
			return cancelled // and so was the server, which may have gone first
		}
		return err
	})
}

func talk(ctx context.Context, out io.Writer, addr string, requests int) error {
	conn, err := network.OpenConnection(ctx, addr, nil)
	if err != nil {
		return err
	}
	c := newClient(ctx, conn, config{})
	defer func() {
		_ = curio.DisableCancellation(ctx, c.Close) // which ends at once
	}()

	var right atomic.Int64
	if err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		for i := range requests {
			g.Go(func(ctx context.Context) error {
				reply, err := c.Do(ctx, fmt.Sprint("request ", i))
				if reply == fmt.Sprint("REQUEST ", i) {
					right.Add(1)
				}
				return err
			})
		}
		return nil
	}); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d of %d replies are right\n", right.Load(), requests)

	err = curio.TimeoutAfter(ctx, time.Millisecond, func(ctx context.Context) error {
		_, err := c.Do(ctx, "wait")
		return err
	})
	if !errors.Is(err, curio.ErrTaskTimeout) {
		return err
	}
	fmt.Fprintln(out, "one that takes long:", err)
	reply, err := c.Do(ctx, "and the next")
	fmt.Fprintf(out, "%s: %v\n", reply, err)
	return err
}

// shout answers each line in capitals. It answers the line "wait" after the time slow.
func shout(slow time.Duration) network.Handler {
	return func(ctx context.Context, conn network.Conn) error {
		lines := stream.New(conn)
		for line, err := range lines.Lines(ctx) {
			if err != nil {
				return err
			}
			if line == "wait\n" {
				if err := curio.Sleep(ctx, slow); err != nil {
					return err
				}
			}
			if _, err := lines.WriteString(ctx, strings.ToUpper(line)); err != nil {
				return err
			}
		}
		return nil
	}
}
