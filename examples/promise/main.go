// Promise hands results to tasks that wait for them, before and after they are there. A promise is kept with a value, or
// broken with an error. One whose maker is cancelled is broken as well, so no task waits for ever.
//
//	go run ./examples/promise [-pace 10ms]
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

func main() {
	pace := flag.Duration("pace", 10*time.Millisecond, "how long a promise takes")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	curio.Exit(curio.Run(context.Background(), func(ctx context.Context) error {
		return run(ctx, os.Stdout, *pace)
	}, curio.StopOnSignals()))
}

var errBurnt = errors.New("the cake is burnt")

// A baker makes a cake.
type baker struct {
	name string
	bake func(ctx context.Context, pace time.Duration) (string, error)
}

var bakers = []baker{
	{"kept", func(ctx context.Context, pace time.Duration) (string, error) {
		return "a cake", curio.Sleep(ctx, pace)
	}},
	{"broken", func(ctx context.Context, pace time.Duration) (string, error) {
		return "", errors.Join(curio.Sleep(ctx, pace), errBurnt)
	}},
	{"dropped", func(ctx context.Context, pace time.Duration) (string, error) {
		return "", curio.Sleep(ctx, 1000*pace) // and is sent home before that
	}},
}

func run(ctx context.Context, out io.Writer, pace time.Duration) error {
	for _, b := range bakers {
		if err := b.promise(ctx, out, pace); err != nil {
			return err
		}
	}
	return nil
}

// promise lets two tasks wait for a cake before it is there, and asks for it once more after that.
func (b *baker) promise(ctx context.Context, out io.Writer, pace time.Duration) error {
	var cake curio.Result[string]
	return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[string]) error {
		for range 2 {
			g.Spawn(func(ctx context.Context) (string, error) { return describe(ctx, &cake) })
		}
		baking := curio.Go(ctx, func(ctx context.Context) error {
			cake.Do(ctx, func(ctx context.Context) (string, error) { return b.bake(ctx, pace) })
			return nil
		}, curio.Name(b.name))
		if _, err := curio.IgnoreAfter(ctx, 10*pace, baking.Wait); err != nil {
			return err
		}
		if _, err := baking.Cancel(ctx); err != nil { // does nothing to one that has ended
			return err
		}
		late, err := describe(ctx, &cake)
		if err != nil {
			return err
		}
		if err := g.Join(ctx); err != nil {
			return err
		}
		early, err := g.Results()
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %q, and later %q\n", b.name, early, late)
		if cake.SetValue("another cake") {
			return errors.New("a promise was kept twice")
		}
		return nil
	})
}

// describe waits for a cake, and says what has become of it. It fails only if ctx is done.
func describe(ctx context.Context, cake *curio.Result[string]) (string, error) {
	if err := cake.Wait(ctx); err != nil {
		return "", err
	}
	what, err := cake.Get(context.Background()) // is there, so an error is the baker's
	switch {
	case errors.Is(err, curio.ErrCancelled):
		return "the baker has left", nil
	case err != nil:
		return err.Error(), nil
	}
	return what, nil
}
