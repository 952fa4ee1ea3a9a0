// Local has a variable that each task has for itself. A job notes its number in it, and the log, which is called far
// down and takes no number, prints it. A task that a job starts has the number, too, and what it changes is its own.
//
//	go run ./examples/local [-jobs 3] [-pace 1ms]
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/curio-go/curio"
)

// job is the name of the job that the calling task works for.
var job curio.Local[string]

func main() {
	jobs := flag.Int("jobs", 3, "how many jobs there are at the same time")
	pace := flag.Duration("pace", time.Millisecond, "how long a job takes")
	flag.Parse()
	if *jobs < 1 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	curio.Exit(curio.Run(context.Background(), func(ctx context.Context) error {
		return run(ctx, os.Stdout, *jobs, *pace)
	}, curio.StopOnSignals()))
}

// A log puts the job's name before each line.
type log struct {
	mu  sync.Mutex
	out io.Writer
}

func (l *log) print(ctx context.Context, what string) {
	name, ok := job.Get(ctx)
	if !ok {
		name = "no job"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.out, "%s: %s\n", name, what)
}

func run(ctx context.Context, out io.Writer, jobs int, pace time.Duration) error {
	l := &log{out: out}
	l.print(ctx, "starting")
	err := curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
		for n := range jobs {
			g.Go(func(ctx context.Context) error {
				job.Set(ctx, fmt.Sprint("job ", n+1))
				return work(ctx, l, pace)
			})
		}
		return nil
	})
	if err == nil {
		l.print(ctx, "all jobs are done") // nothing was set in this task
	}
	return err
}

// work knows nothing of the job's name. Neither does its helper.
func work(ctx context.Context, l *log, pace time.Duration) error {
	l.print(ctx, "began")
	helper := curio.Go(ctx, func(ctx context.Context) error {
		name, _ := job.Get(ctx)
		job.Set(ctx, name+", helper") // in this task alone
		if err := curio.Sleep(ctx, pace); err != nil {
			return err
		}
		l.print(ctx, "helped")
		return nil
	})
	if _, err := helper.Join(ctx); err != nil {
		return err
	}
	l.print(ctx, "ended")
	return nil
}
