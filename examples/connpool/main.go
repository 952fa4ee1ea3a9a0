// Connpool is a pool of connections, built on Curio's public API. It has at most -max connections, and
// lends them in order of arrival. It drops those that were idle for too long or have died, and Close
// waits until the rest have been given back. The program has a server of its own, which counts its
// connections. Copy pool.go into a client that needs a pool.
//
//	go run ./examples/connpool [-clients 20] [-max 3]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
)

func main() {
	clients := flag.Int("clients", 20, "how many want to ask something at the same time")
	most := flag.Int("max", 3, "how many connections there may be")
	flag.Parse()
	if *clients <= 0 || *most <= 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		return run(ctx, os.Stdout, *clients, *most)
	}, curio.StopOnSignals())
	curio.Exit(err)
}

// run has clients ask a server, all at once.
func run(ctx context.Context, out io.Writer, clients, most int) error {
	var accepted atomic.Int64
	listener, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
	if err != nil {
		return err
	}
	return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		g.Go(func(ctx context.Context) error {
			return network.RunServer(ctx, listener, func(ctx context.Context, conn network.Conn) error {
				accepted.Add(1)
				return echo(ctx, conn)
			})
		}, curio.Daemon(), curio.Name("server"))

		addr := listener.LocalAddr().String()
		p := newPool(ctx, config{Max: most, Open: func(ctx context.Context) (network.Conn, error) {
			return network.OpenConnection(ctx, addr, nil)
		}})
		answers, err := askAll(ctx, p, clients)
		// Even if that has failed or was cancelled; but not longer than this.
		closed := curio.DisableCancellation(ctx, func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, 5*time.Second, p.Close)
		})
		if err := errors.Join(err, closed); err != nil {
			if cancelled := curio.CheckCancellation(ctx); cancelled != nil {
				return cancelled // and so was the server, which may have gone first
			}
			return err
		}
		fmt.Fprintf(out, "%d answers over at most %d connections: %v\n", answers, most, accepted.Load() <= int64(most))
		fmt.Fprintln(out, p)
		return nil
	})
}

// askAll asks the server as often, at once, and returns how many answers were right.
func askAll(ctx context.Context, p *pool, clients int) (answers int64, err error) {
	var right atomic.Int64
	err = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		for i := range clients {
			g.Go(func(ctx context.Context) error {
				question := fmt.Sprintf("question %d\n", i)
				return p.Do(ctx, func(ctx context.Context, conn network.Conn) error {
					answer, err := ask(ctx, conn, question)
					if err == nil && answer == question {
						right.Add(1)
					}
					return err
				})
			})
		}
		return nil
	})
	return right.Load(), err
}

const answerWithin = 10 * time.Second

// ask sends a line and reads one. The stream holds nothing back when the answer has been read, as
// the server says nothing unasked; alive would find it out.
func ask(ctx context.Context, conn network.Conn, question string) (answer string, err error) {
	err = curio.TimeoutAfter(ctx, answerWithin, func(ctx context.Context) error {
		if _, err := conn.SendAll(ctx, []byte(question)); err != nil {
			return err
		}
		answer, err = stream.New(conn).ReadLine(ctx)
		return err
	})
	return answer, err
}

// echo sends back each line.
func echo(ctx context.Context, conn network.Conn) error {
	lines := stream.New(conn)
	for line, err := range lines.Lines(ctx) {
		if err != nil {
			return err
		}
		if _, err := lines.WriteString(ctx, line); err != nil {
			return err
		}
	}
	return nil
}
