// Primes counts the primes below a bound. It searches in worker processes, as many at a time as there are
// processors, and shows how far it is.
//
//	go run ./examples/primes [-below 1000000000] [-workers 4]
//
// At Ctrl-C it begins nothing more, waits for what the workers are at, and says what it has found up to
// there. A second Ctrl-C, or the end of -grace, ends the workers at once.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/process"
)

// spanSize is how many numbers a call has to search. Each takes a fraction of a second, beside which the
// call costs nothing, and Ctrl-C need not wait for long.
const spanSize = 1 << 24

// most is the largest bound. The workers' memory is enough for the primes up to its root.
const most = 1 << 46

func main() {
	process.Main()
	below := flag.Uint64("below", 1_000_000_000, "the bound")
	workers := flag.Int("workers", 0, "how many workers search at a time; 0 means one for each processor")
	grace := flag.Duration("grace", 5*time.Second, "how long workers may take for what they are at, after Ctrl-C")
	quiet := flag.Bool("quiet", false, "do not show how far it is")
	flag.Parse()
	if *below > most || *workers < 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	progress := io.Writer(os.Stderr)
	if *quiet {
		progress = io.Discard
	}
	curio.Exit(curio.Run(context.Background(), func(ctx context.Context) error {
		config := process.Config{Workers: *workers, Memory: 512 << 20, CPUTime: time.Minute}
		if err := process.Configure(ctx, config); err != nil {
			return err
		}
		return run(ctx, os.Stdout, progress, *below, spanSize)
	}, curio.StopOnSignals(), curio.Grace(*grace)))
}

// run searches the numbers below a bound, in pieces of the given size, and prints what it has found, even if
// it is cut short.
func run(ctx context.Context, out, progress io.Writer, below, size uint64) error {
	searched, total := uint64(0), found{}
	show := meter(ctx, progress, below)
	for part, err := range process.Map(ctx, search, spans(ctx, below, size), process.Progress(show)) {
		if err != nil {
			fmt.Fprintln(progress)
			fmt.Fprintf(out, "%v, before it was ended\n", total.text(searched))
			return err
		}
		searched = min(below, searched+size) // the results come in order
		total.add(part)
	}
	fmt.Fprintln(progress)
	if searched < below {
		fmt.Fprintf(out, "%v, when it was stopped\n", total.text(searched))
		return nil
	}
	_, err := fmt.Fprintln(out, total.text(below))
	return err
}

// spans yields all numbers below a bound, in order, until ctx is asked to stop.
func spans(ctx context.Context, below, size uint64) iter.Seq[span] {
	return func(yield func(span) bool) {
		for from := uint64(0); from < below && !curio.Stopping(ctx); from += size {
			if !yield(span{from, min(from+size, below)}) {
				return
			}
		}
	}
}

// meter returns a function that is told how many more numbers have been searched, and shows that ten times
// a second.
func meter(ctx context.Context, progress io.Writer, all uint64) func(more uint64) {
	done, next := uint64(0), curio.Clock(ctx)
	return func(more uint64) {
		done += more
		if now := curio.Clock(ctx); done == all || !now.Before(next) {
			next = now.Add(100 * time.Millisecond)
			fmt.Fprintf(progress, "\rsearched %d of %d", done, all)
		}
	}
}

func (f found) text(below uint64) string {
	if f.Primes == 0 {
		return fmt.Sprintf("no primes below %d", below)
	}
	return fmt.Sprintf("%d primes below %d, the largest is %d", f.Primes, below, f.Largest)
}
