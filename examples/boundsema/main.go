// Boundsema is a car park. A bounded semaphore counts its spaces: cars that find none wait in order of arrival, and a
// space that is given back twice is a mistake that ends the task that makes it.
//
//	go run ./examples/boundsema [-cars 6] [-spaces 3] [-stay 10ms]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/curio-go/curio"
)

func main() {
	cars := flag.Int("cars", 6, "how many cars come")
	spaces := flag.Int64("spaces", 3, "how many spaces there are")
	stay := flag.Duration("stay", 10*time.Millisecond, "how long each car stays")
	flag.Parse()
	if *cars < 0 || *spaces < 1 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	quiet := slog.New(slog.DiscardHandler) // what panics is printed below
	curio.Exit(curio.Run(context.Background(), func(ctx context.Context) error {
		return run(ctx, os.Stdout, *cars, *spaces, *stay)
	}, curio.StopOnSignals(), curio.Logger(quiet)))
}

func run(ctx context.Context, out io.Writer, cars int, n int64, stay time.Duration) error {
	spaces := curio.NewBoundedSemaphore(n)
	if err := park(ctx, out, spaces, cars, stay); err != nil {
		return err
	}
	mistake := curio.Go(ctx, func(ctx context.Context) error {
		spaces.Release(ctx) // was never acquired
		return nil
	}, curio.Name("mistake"))
	_, err := mistake.Join(ctx)
	var panicked *curio.PanicError
	if !errors.As(err, &panicked) {
		return errors.Join(err, errors.New("the mistake was not noticed"))
	}
	fmt.Fprintln(out, "a space is given back twice:", panicked.Value)
	fmt.Fprintln(out, spaces)
	return nil
}

// park lets cars come, all at the same time. Each takes a space and gives it back.
func park(ctx context.Context, out io.Writer, spaces *curio.Semaphore, cars int, stay time.Duration) error {
	var parked, most atomic.Int64
	_, err := curio.Map(ctx, make([]struct{}, cars), func(ctx context.Context, _ struct{}) (struct{}, error) {
		return struct{}{}, spaces.Do(ctx, func(ctx context.Context) error { // gives the space back, however it ends
			now := parked.Add(1)
			defer parked.Add(-1)
			for before := most.Load(); now > before && !most.CompareAndSwap(before, now); before = most.Load() {
			}
			return curio.Sleep(ctx, stay)
		})
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d cars have parked, at most %d at a time\n", cars, most.Load())
	return err
}
