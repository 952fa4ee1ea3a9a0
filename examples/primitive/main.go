// Primitive builds a lock of a new kind on curio.WaitList: one lock for each key. It is cancelled,
// timed out and seen like the locks of Curio, and tested with the same kit. Copy keylock.go for a
// primitive of your own.
//
//	go run ./examples/primitive [-hold 10ms]
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
	hold := flag.Duration("hold", 10*time.Millisecond, "how long the auditor looks at an account")
	flag.Parse()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		return run(ctx, os.Stdout, *hold)
	}, curio.StopOnSignals())
	curio.Exit(err)
}

// run has an auditor look at one account, while others want to pay into that one and another.
func run(ctx context.Context, out io.Writer, hold time.Duration) error {
	var accounts keyLock
	pay := func(who, account string) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			return accounts.Do(ctx, account, func(ctx context.Context) error {
				_, err := fmt.Fprintf(out, "%s pays into %s\n", who, account)
				return err
			})
		}
	}

	return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		var seen curio.Event
		g.Go(func(ctx context.Context) error { return accounts.Do(ctx, "savings", seen.Wait) }, curio.Name("auditor"))
		if err := until(ctx, func() bool { return len(accounts.Snapshot("savings").Holders) == 1 }); err != nil {
			return err
		}
		for i, name := range []string{"Ann", "Bob"} {
			g.Go(pay(name, "savings"), curio.Name(name))
			if err := until(ctx, func() bool { return len(accounts.Snapshot("savings").Waiters) == i+1 }); err != nil {
				return err
			}
		}

		show(out, accounts.Snapshot("savings"))
		if err := pay("Cid", "current")(ctx); err != nil { // another key: nobody is in the way
			return err
		}
		err := curio.TimeoutAfter(ctx, hold, pay("Dora", "savings"))
		if !errors.Is(err, curio.ErrTaskTimeout) {
			return err
		}
		fmt.Fprintln(out, "in time:", err)
		seen.Set()
		return nil
	})
}

// until waits until what others are about to do has happened, so that the program prints the same
// each time. Programs that need no order need no such thing.
func until(ctx context.Context, happened func() bool) error {
	for !happened() {
		if err := curio.Sleep(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func show(out io.Writer, s curio.Snapshot) {
	for _, h := range s.Holders {
		fmt.Fprintln(out, "held by", h.Task.Name())
	}
	for _, w := range s.Waiters {
		fmt.Fprintln(out, w.Task.Name(), "is in", w.Op)
	}
}
