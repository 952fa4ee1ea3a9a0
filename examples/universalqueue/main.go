// Universalqueue has a task talk with the event loop of another library, which runs on a
// thread of its own and waits in epoll or kqueue. It knows nothing of tasks and contexts:
// all it has of Curio is two queues, and a descriptor.
//
//	go run ./examples/universalqueue [-n 3] [-pause 100ms]
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
	n := flag.Int("n", 3, "how many numbers the loop is asked about")
	pause := flag.Duration("pause", 100*time.Millisecond, "after each answer")
	flag.Parse()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		return run(ctx, os.Stdout, *n, *pause)
	}, curio.StopOnSignals())
	curio.Exit(err)
}

// run starts the loop and asks it about n numbers. Cancelling the thread's task would not
// end the loop, which knows no context. Closing its queue does: the descriptor is
// readable from then on, and TryGet says why.
func run(ctx context.Context, out io.Writer, n int, pause time.Duration) error {
	var questions curio.UniversalQueue[int]
	var answers curio.Queue[string] // the task can wait for any queue, so this one needs no descriptor
	fd, err := questions.FD()
	if err != nil {
		return err
	}
	defer questions.CloseFD()
	p, err := newPoller(fd)
	if err != nil {
		return err
	}
	defer p.close()

	return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		defer questions.Close()
		thread := curio.SpawnThread(ctx, func(context.Context) (struct{}, error) {
			return struct{}{}, loop(p, &questions, &answers)
		}, curio.Name("loop"))
		if err := g.AddTask(thread); err != nil { // so the group waits for it, and hears of its failure
			return err
		}
		return ask(ctx, out, n, pause, &questions, &answers)
	})
}

// ask is the task's side. It waits as tasks do.
func ask(ctx context.Context, out io.Writer, n int, pause time.Duration, questions *curio.UniversalQueue[int], answers *curio.Queue[string]) error {
	for i := range n {
		if err := questions.Put(ctx, i+1); err != nil {
			return err
		}
		answer, err := answers.Get(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, answer)
		if err := curio.Sleep(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}

// loop is the other side. It blocks in the poller only, so whatever else it has to wait
// for can be waited for there as well.
func loop(p poller, questions *curio.UniversalQueue[int], answers *curio.Queue[string]) error {
	for {
		if err := p.wait(); err != nil {
			return err
		}
		for {
			n, err := questions.TryGet()
			if errors.Is(err, curio.ErrQueueClosed) {
				return nil
			}
			if err != nil { // empty
				break
			}
			if err := answers.TryPut(fmt.Sprintf("the loop says: %d squared is %d", n, n*n)); err != nil {
				return err
			}
		}
	}
}
