// Fibserve is a server for Fibonacci numbers. A client sends a number n in each line and gets the nth
// Fibonacci number in a line. The server computes it the slow way, in worker processes, as it would run
// anything that is CPU-bound or may go wrong.
//
//	go run ./examples/fibserve [-addr HOST:PORT] [-workers 2]
//	nc 127.0.0.1 25003
//
// A client that closes its connection, or the half of it by which it sends, is taken to have left: its
// computation is cancelled, and the worker is free for others.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/process"
)

const (
	longest  = 100         // bytes of a line
	ahead    = 16          // how many numbers a client may send before it gets the first answer
	largest  = 93          // the next Fibonacci number does not fit into 64 bits
	farewell = time.Second // for the computations that run when the server stops
)

// config is what a server on the open internet needs: a bound for everything. A client that neither sends
// nor reads for ten minutes is gone.
var config = network.ServerConfig{MaxConnections: 1000, IdleTimeout: 10 * time.Minute}

// fib is computed in a worker process. It takes no notice of its context, so a worker that is not wanted any
// more has to be ended by force.
var fib = process.Register("fib", func(_ context.Context, n int) (uint64, error) { return slowly(n), nil })

func slowly(n int) uint64 {
	if n < 2 {
		return uint64(n)
	}
	return slowly(n-1) + slowly(n-2)
}

func main() {
	process.Main()
	var s server
	addr := flag.String("addr", "127.0.0.1:25003", "`HOST:PORT` to listen on")
	workers := flag.Int("workers", 0, "how many computations run at a time; 0 means one for each processor")
	flag.DurationVar(&s.limit, "limit", 10*time.Second, "how long an answer may take, with the wait for a worker")
	flag.Parse()
	if *workers < 0 || s.limit <= 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		if err := process.Configure(ctx, pool(*workers)); err != nil {
			return err
		}
		listener, err := network.ListenTCP(ctx, *addr, &config)
		if err != nil {
			return err
		}
		fmt.Println("listening on", listener.LocalAddr())
		return network.RunServer(ctx, listener, s.serve)
	}, curio.StopOnSignals(), curio.Grace(farewell))
	curio.Exit(err)
}

// pool is what the workers may use. A computation that is cancelled has nothing to tidy up, so its worker
// gets little time for that.
func pool(workers int) process.Config {
	return process.Config{Workers: workers, Memory: 256 << 20, Grace: 10 * time.Millisecond}
}
