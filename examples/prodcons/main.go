// Prodcons has producers and consumers on both sides of a bounded queue. Producers are
// faster, so they wait for room: the queue holds them up, and does not grow.
//
//	go run ./examples/prodcons [-pace 1ms]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/curio-go/curio"
)

const (
	bound     = 5 // of the queue
	producers = 3
	consumers = 4
	each      = 10 // items of a producer
)

func main() {
	pace := flag.Duration("pace", time.Millisecond, "how long a consumer takes for an item")
	flag.Parse()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		return run(ctx, os.Stdout, *pace)
	}, curio.StopOnSignals())
	curio.Exit(err)
}

func run(ctx context.Context, out io.Writer, pace time.Duration) error {
	items := curio.NewQueue[int](bound)
	var full curio.Event
	return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
		var producing []*curio.Task[int]
		for range producers {
			producing = append(producing, g.Spawn(func(ctx context.Context) (int, error) {
				return produce(ctx, items, &full)
			}, curio.Name("producer")))
		}
		if err := full.Wait(ctx); err != nil {
			return err
		}
		fmt.Fprintln(out, "the queue is full with", items.Len(), "items: here come the consumers")
		for range consumers {
			g.Spawn(func(ctx context.Context) (int, error) {
				return consume(ctx, items, pace)
			}, curio.Name("consumer"))
		}

		put := 0
		for _, p := range producing {
			sum, err := p.Join(ctx) // takes it out of the group
			if err != nil {
				return err
			}
			put += sum
		}
		if err := items.Join(ctx); err != nil { // all that was put has been dealt with
			return err
		}
		items.Close() // nothing more will come, and the consumers end
		if err := g.Join(ctx); err != nil {
			return err
		}
		sums, err := g.Results()
		took := 0
		for _, sum := range sums {
			took += sum
		}
		fmt.Fprintf(out, "%d producers put a sum of %d, %d consumers took a sum of %d\n", producers, put, consumers, took)
		return err
	})
}

// produce puts items and returns their sum. When it finds the queue full it prints that, and
// waits.
func produce(ctx context.Context, items *curio.Queue[int], full *curio.Event) (sum int, err error) {
	for n := range each {
		err := items.TryPut(n)
		if errors.Is(err, curio.ErrQueueFull) {
			full.Set()
			err = items.Put(ctx, n)
		}
		if err != nil {
			return sum, err
		}
		sum += n
	}
	return sum, nil
}

// consume takes items until the queue is closed and returns their sum.
func consume(ctx context.Context, items *curio.Queue[int], pace time.Duration) (sum int, err error) {
	for n, err := range items.All(ctx) {
		if err != nil {
			return sum, err
		}
		if err := curio.Sleep(ctx, pace); err != nil {
			return sum, err
		}
		sum += n
		items.TaskDone()
	}
	return sum, nil
}
