// Monitored is a kitchen that can be watched while it works: orders come in a queue, and the cooks share a knife and a stove. With -stuck, one cook takes the knife first and then the stove, and the other one does it the other way round, so
// sooner or later both wait for ever. The monitor shows which task waits for which, and a task that is cancelled there lets the
// others go on.
//
//	go run ./examples/monitored [-monitor ADDRESS] [-orders N] [-stuck]
//	nc -U /tmp/monitored.sock
//
// In the monitor, try tree, deadlocks, why and cancel. With -monitor localhost:0 it is a web page, too.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/monitor"
)

func main() {
	addr := flag.String("monitor", filepath.Join(os.TempDir(), "monitored.sock"), "where the monitor listens: a `PATH`, or localhost:PORT")
	stuck := flag.Bool("stuck", false, "have the cooks wait for each other")
	orders := flag.Int("orders", 0, "how many there are; 0 for no end")
	pace := flag.Duration("pace", 100*time.Millisecond, "how long a dish takes")
	flag.Parse()
	level := new(slog.LevelVar)
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})))

	server, err := monitor.On(*addr, monitor.AllowChanges(), monitor.LogLevel(level))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("monitor at", server.Addr())
	if url := server.URL(); url != "" { // it has the token in it: for this terminal, and for no log
		fmt.Println("page at", url)
	}
	err = curio.Run(context.Background(), func(ctx context.Context) error {
		if *stuck {
			return waitForEachOther(ctx, os.Stdout)
		}
		return work(ctx, *orders, *pace)
	}, curio.StopOnSignals())
	_ = server.Close() // the program ends: there is nobody to tell
	curio.Exit(err)
}

// work has n orders made, or does so until ctx is done if n is 0.
func work(ctx context.Context, n int, pace time.Duration) error {
	orders := curio.NewQueue[int](3)
	var knife, stove curio.Lock
	return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		for range 2 {
			g.Go(func(ctx context.Context) error { return cook(ctx, orders, &knife, &stove, pace) }, curio.Name("cook"))
		}
		for i := 0; i < n || n == 0; i++ {
			if err := orders.Put(ctx, i); err != nil {
				return err
			}
		}
		orders.Close()
		return g.Join(ctx)
	})
}

// cook makes what is ordered. All cooks take the knife first, and then the stove: so nobody waits for ever.
func cook(ctx context.Context, orders *curio.Queue[int], knife, stove *curio.Lock, pace time.Duration) error {
	for _, err := range orders.All(ctx) {
		if err != nil {
			return err
		}
		err = knife.Do(ctx, func(ctx context.Context) error {
			return stove.Do(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, pace) })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// waitForEachOther has each of two cooks take what the other one needs. They wait until somebody cancels one of them.
func waitForEachOther(ctx context.Context, out io.Writer) error {
	var knife, stove curio.Lock
	both := curio.NewBarrier(2)
	takes := func(first, second *curio.Lock) func(context.Context) error {
		return func(ctx context.Context) error {
			return first.Do(ctx, func(ctx context.Context) error {
				if _, err := both.Wait(ctx); err != nil {
					return err
				}
				return second.Do(ctx, func(context.Context) error { return nil })
			})
		}
	}
	cooks := []*curio.Task[struct{}]{
		curio.Go(ctx, takes(&knife, &stove), curio.Name("Ann")),
		curio.Go(ctx, takes(&stove, &knife), curio.Name("Bob")),
	}
	for _, c := range cooks {
		_, err := c.Join(ctx)
		if ended := curio.CheckCancellation(ctx); ended != nil {
			return ended
		}
		how := "has finished"
		if err != nil {
			how = "was sent home"
		}
		if _, err := fmt.Fprintln(out, c.Name(), how); err != nil {
			return err
		}
	}
	return nil
}
