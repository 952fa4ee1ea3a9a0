// Multisignal waits for one signal in three places: in a task, in a task of another kernel, and in a goroutine that is
// not a task. Each has a queue of its own, and gets every signal.
//
//	go run ./examples/multisignal [-n 0] &
//	kill -USR1 PID
//	kill -TERM PID
//
// PID is the number that it prints. Signals coalesce: of several that are sent in a row, one may arrive. It ends after
// -n signals, or on Ctrl-C or SIGTERM.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/signal"
)

func main() {
	n := flag.Int("n", 0, "how many signals to wait for, 0 for any number")
	flag.Parse()
	if *n < 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	curio.Exit(curio.Run(context.Background(), func(ctx context.Context) error {
		return run(ctx, &printer{out: os.Stdout}, *n, func() {
			fmt.Println("waiting for SIGUSR1 in process", os.Getpid())
		})
	}, curio.StopOnSignals()))
}

// A printer may be used by several goroutines at a time.
type printer struct {
	mu  sync.Mutex
	out io.Writer
}

func (p *printer) println(what ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.out, what...)
}

// run waits in three places for n signals, or until ctx is done. It calls ready when no signal can be missed.
func run(ctx context.Context, p *printer, n int, ready func()) error {
	var queues [3]*signal.Queue
	for i := range queues {
		queues[i] = signal.NewQueue(syscall.SIGUSR1)
		defer queues[i].Close()
	}
	// watch works in any goroutine, with any context. It ends when its queue is closed, too.
	watch := func(ctx context.Context, who string, q *signal.Queue) error {
		got := 0
		for sig, err := range q.All(ctx) {
			if err != nil {
				return err
			}
			p.println(who, "got:", sig)
			if got++; got == n {
				break
			}
		}
		return nil
	}

	var plain sync.WaitGroup // goroutines that are not tasks
	defer plain.Wait()
	defer queues[2].Close() // which ends the one that has no context to do it
	var heard curio.Event
	plain.Go(func() {
		defer heard.Set()
		_ = watch(context.Background(), "a goroutine", queues[2])
	})
	return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
		ended := make(chan error, 1)
		plain.Go(func() { ended <- elsewhere(ctx, watch, queues[1]) })
		g.Go(func(ctx context.Context) error { return watch(ctx, "a task", queues[0]) }, curio.Name("watch"))
		g.Go(heard.Wait, curio.Name("goroutine"))
		ready()
		return <-ended // ends with ctx
	})
}

// elsewhere waits in a task of a kernel of its own.
func elsewhere(ctx context.Context, watch func(context.Context, string, *signal.Queue) error, q *signal.Queue) error {
	return curio.Run(ctx, func(ctx context.Context) error {
		return watch(ctx, "a task of another kernel", q)
	})
}
