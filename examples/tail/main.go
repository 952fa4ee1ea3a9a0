// Tail prints the last lines of a log, and then whatever is added, until Ctrl-C. It follows the log by
// its name: when the log is rotated, by a rename or by truncation, it prints what is left of the old file
// and goes on with the new one.
//
//	go run ./examples/tail [-n 10] [-poll 1s] FILE
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
)

func main() {
	lines := flag.Int("n", 10, "how many of the last `lines` to print first")
	poll := flag.Duration("poll", 0, "look each `interval`, for a file system on which other machines write")
	flag.Parse()
	if flag.NArg() != 1 || *lines < 0 || *poll < 0 {
		flag.Usage()
		os.Exit(2)
	}
	curio.Exit(curio.Run(context.Background(), func(ctx context.Context) error {
		return tail(ctx, flag.Arg(0), *lines, *poll, os.Stdout)
	}, curio.StopOnSignals()))
}

// tail follows the log at path until ctx is done.
func tail(ctx context.Context, path string, lines int, poll time.Duration, out output) error {
	var opts []file.WatchOption
	if poll > 0 {
		opts = append(opts, file.Poll(poll))
	}
	w, err := file.Watch(ctx, path, opts...)
	if err != nil {
		return err
	}
	defer w.Close()
	// What is written from now on is reported, so nothing is missed between this and the first Next.
	l := &log{path: path, out: out}
	defer l.close()
	if err := l.open(ctx); err != nil {
		return err
	}
	if err := l.skipTo(ctx, lines); err != nil {
		return err
	}
	for {
		if err := l.print(ctx); err != nil {
			return err
		}
		change, err := w.Next(ctx)
		if err != nil {
			return err
		}
		switch change.Kind {
		case file.Replaced, file.Created, file.Rescanned:
			if err := l.rotated(ctx); err != nil {
				return err
			}
		case file.Removed:
			fmt.Fprintf(os.Stderr, "tail: %s has been removed or renamed; waiting for the next one\n", path)
		}
	}
}
