// Sharedlock has one lock for tasks and for goroutines that are none. All of them wait
// in one line, each as long as its own context says, and a Snapshot shows who they are.
//
//	go run ./examples/sharedlock [-hold 10ms]
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"sync"
	"time"

	"github.com/curio-go/curio"
)

func main() {
	hold := flag.Duration("hold", 10*time.Millisecond, "how long the keeper holds the lock while others wait")
	flag.Parse()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		return run(ctx, os.Stdout, *hold)
	}, curio.StopOnSignals())
	curio.Exit(err)
}

func run(ctx context.Context, out io.Writer, hold time.Duration) error {
	var lock curio.Lock
	var plain sync.WaitGroup // goroutines that are no tasks: each ends when it has had the lock, or given up
	defer plain.Wait()       // when all tasks have ended, and none holds the lock
	use := func(ctx context.Context, who string) error {
		return lock.Do(ctx, func(context.Context) error {
			_, err := fmt.Fprintln(out, who, "has the lock")
			return err
		})
	}

	return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		var enough curio.Event
		g.Spawn(func(ctx context.Context) (struct{}, error) {
			return struct{}{}, lock.Do(ctx, enough.Wait)
		}, curio.Name("keeper"))
		if err := until(ctx, lock.Locked); err != nil {
			return err
		}

		gaveUp := make(chan error, 1)
		plain.Go(func() {
			gaveUp <- curio.TimeoutAfter(context.Background(), 10*time.Millisecond, func(ctx context.Context) error {
				return use(ctx, "the impatient goroutine")
			})
		})
		why, err := curio.Receive(ctx, gaveUp)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "the impatient goroutine:", why)

		plain.Go(func() {
			if err := use(context.Background(), "the patient goroutine"); err != nil {
				log.Print(err)
			}
		})
		if err := until(ctx, func() bool { return len(lock.Snapshot().Waiters) == 1 }); err != nil {
			return err
		}
		g.Spawn(func(ctx context.Context) (struct{}, error) {
			return struct{}{}, use(ctx, "the worker")
		}, curio.Name("worker"))
		if err := until(ctx, func() bool { return len(lock.Snapshot().Waiters) == 2 }); err != nil {
			return err
		}

		show(out, lock.Snapshot())
		if err := curio.Sleep(ctx, hold); err != nil {
			return err
		}
		enough.Set() // the keeper releases the lock, and they get it in order of arrival
		return nil
	})
}

// until waits until what others are about to do has happened, so that the program
// prints the same each time. Programs that need no order need no such thing.
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
		fmt.Fprintln(out, "held by", name(h.Task))
	}
	for _, w := range s.Waiters {
		fmt.Fprintln(out, "waiting in", w.Op, "is", name(w.Task))
	}
}

func name(t *curio.AnyTask) string {
	if t == nil {
		return "a goroutine that is no task"
	}
	return "task " + t.Name()
}
