// Executors runs functions in the worker pools of two other libraries, ants and pond,
// and gives up on one that hangs: the task goes on at once, and the pool keeps the
// function until it returns.
//
//	go run -C examples/executors .
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/alitto/pond/v2"
	"github.com/panjf2000/ants/v2"

	"github.com/curio-go/curio"
)

// An ants pool has the method that curio asks for: it is an executor as it is. With all
// workers busy its Submit blocks; the task that waits for it can be cancelled all the
// same.
var _ curio.Executor = (*ants.Pool)(nil)

// pondExecutor makes an executor of a pond pool, whose own Submit returns a future. Go
// returns an error, as when the pool has been stopped.
type pondExecutor struct{ pool pond.Pool }

func (e pondExecutor) Submit(fn func()) error { return e.pool.Go(fn) }

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	const workers = 2
	antsPool, err := ants.NewPool(workers)
	if err != nil {
		return err
	}
	defer antsPool.Release()
	pondPool := pond.NewPool(workers)
	defer pondPool.StopAndWait()

	return curio.Run(ctx, func(ctx context.Context) error {
		for _, e := range []struct {
			name string
			ex   curio.Executor
		}{{"ants", antsPool}, {"pond", pondExecutor{pondPool}}} {
			results, err := squares(ctx, e.ex, 5)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s: squares %v\n", e.name, results)
			late, err := impatient(ctx, e.ex)
			if !errors.Is(err, curio.ErrTaskTimeout) {
				return fmt.Errorf("the function that hangs ended with: %w", err)
			}
			fmt.Fprintf(out, "%s: gave up on a function that hangs\n", e.name)
			v, err := curio.Receive(ctx, late)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s: %d came too late\n", e.name, v)
		}
		return nil
	})
}

// squares works out n squares in the pool, as many at a time as it has workers.
func squares(ctx context.Context, ex curio.Executor, n int) (results []int, err error) {
	err = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
		for i := range n {
			g.Spawn(func(ctx context.Context) (int, error) {
				return curio.RunInExecutor(ctx, ex, func() (int, error) { return i * i, nil })
			})
		}
		if err := g.Join(ctx); err != nil {
			return err
		}
		results, err = g.Results()
		return err
	})
	return results, err
}

// impatient gives up on a function that hangs, as far as anybody can tell. late is what it
// eventually returns: a program would close it, or undo it.
func impatient(ctx context.Context, ex curio.Executor) (late <-chan int, err error) {
	started, release := new(curio.Event), make(chan struct{})
	defer close(release)
	results := make(chan int, 1)
	call := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
		return curio.RunInExecutor(ctx, ex, func() (int, error) {
			started.Set()
			<-release
			return 42, nil
		}, func(v int, _ error) { results <- v })
	})
	// What a pool has not started yet when its caller gives up, it never starts.
	if err := started.Wait(ctx); err != nil {
		return nil, err
	}
	err = curio.TimeoutAfter(ctx, 10*time.Millisecond, call.Wait)
	if _, cancelled := call.Cancel(ctx); cancelled != nil {
		return nil, cancelled // and then nobody knows whether it was late
	}
	return results, err
}
