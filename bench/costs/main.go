// Costs measures what each primitive of this library costs, beside what a Go programmer
// would otherwise write.
//
//	go run ./costs                                  # every table, some ten minutes
//	go run ./costs -table memory
//	go run ./costs -only lock,queue -rounds 9
//	go run ./costs -write ../docs/performance.md    # put the tables into a document
//	go run ./costs -list
//
// The table summary is for a README, and measured only if it is asked for by its name.
//
// The figures are of the benchmarks beside the code. Each sample is a process of its own.
// The two sides of a row are measured one directly after the other, in an order that changes
// with each round, and a ratio is of two such neighbours, so that it hardly matters what else
// the machine does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/curio-go/curio/bench/internal/tables"
)

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			complain(err)
		}
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = measureAll(ctx, o, os.Stdout)
	stop()
	if err != nil {
		complain(err)
		os.Exit(1)
	}
}

func complain(err error) { fmt.Fprintln(os.Stderr, "costs:", err) }

// say tells how it is going: not on standard output, which is for the tables.
func say(format string, arguments ...any) { fmt.Fprintf(os.Stderr, format+"\n", arguments...) }

// options are the command line.
type options struct {
	tables    []table
	rounds    int
	benchtime time.Duration
	list      bool
	write     tables.Documents
}

// parse reads the command line.
func parse(arguments []string, complaints io.Writer) (options, error) {
	var o options
	var chosen, only string
	flags := flag.NewFlagSet("costs", flag.ContinueOnError)
	flags.SetOutput(complaints)
	flags.StringVar(&chosen, "table", "", "`names` of the tables, with commas: "+strings.Join(tableNames(), ", ")+" (all except summary)")
	flags.StringVar(&only, "only", "", "only the rows in which one of these `words` occurs, with commas")
	flags.IntVar(&o.rounds, "rounds", 7, "samples of each side of a row")
	flags.DurationVar(&o.benchtime, "benchtime", 100*time.Millisecond, "length of a sample")
	flags.BoolVar(&o.list, "list", false, "print the commands by which each row can be repeated, and measure nothing")
	flags.Var(&o.write, "write", "put the tables into this `document`, too; may be repeated")
	if err := flags.Parse(arguments); err != nil {
		return options{}, err
	}
	switch {
	case flags.NArg() > 0:
		return options{}, fmt.Errorf("no argument is wanted, not %q", flags.Arg(0))
	case o.rounds < 1 || o.rounds > 1000:
		return options{}, errors.New("-rounds: between 1 and 1000")
	case o.benchtime <= 0 || o.benchtime > time.Minute:
		return options{}, errors.New("-benchtime: more than 0, and at most a minute")
	case only != "" && len(o.write) > 0:
		return options{}, errors.New("-write puts whole tables into a document: not with -only")
	}
	var err error
	o.tables, err = choose(chosen, only)
	return o, err
}

// choose returns the tables of these names, with the rows in which one of the words occurs.
func choose(names, words string) ([]table, error) {
	wanted := strings.Split(names, ",")
	if names == "" {
		wanted = nil
		for _, t := range all() {
			if !t.short {
				wanted = append(wanted, t.name)
			}
		}
	}
	var chosen []table
	for _, name := range wanted {
		t, ok := tableOf(name)
		if !ok {
			return nil, fmt.Errorf("there is no table %q, only %s", name, strings.Join(tableNames(), ", "))
		}
		if words != "" {
			t = t.only(strings.Split(strings.ToLower(words), ","))
		}
		if len(t.sections) > 0 {
			chosen = append(chosen, t)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no row has %q in it", words)
	}
	return chosen, nil
}

// measureAll measures the tables, prints each, and puts it into the documents.
func measureAll(ctx context.Context, o options, out io.Writer) error {
	if o.list {
		for _, t := range o.tables {
			fmt.Fprint(out, t.commands())
		}
		return nil
	}
	var names []string
	for _, t := range o.tables {
		names = append(names, t.place())
	}
	if err := o.write.Check(names...); err != nil {
		return err
	}
	directory, err := os.MkdirTemp("", "costs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	w := &workshop{directory: directory, binaries: map[string]binary{}}
	if err := w.build(ctx, o.tables); err != nil {
		return err
	}
	for _, t := range o.tables {
		text, err := w.measure(ctx, t, o)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "## %s\n\n%s\n", t.name, text)
		if err := o.write.Replace(t.place(), text); err != nil {
			return err
		}
	}
	return nil
}
