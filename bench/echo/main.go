//go:build linux

// Echo compares TCP echo servers on this machine.
//
//	go run ./echo
//	go run ./echo -only gonet,curio -cells 64x64 -mode 1cpu -rounds 9
//	go run ./echo -set python    # asyncio, Trio and Python's Curio beside ours
//
// It builds the servers and the load generator, starts each server afresh for
// each sample, and has them take turns, in an order that rotates, so that
// whatever else the machine does hits all alike. A sample is compared with the
// reference server's sample of the same round.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

// A child dies with the thread that started it (Pdeathsig), so all of them are
// started by the thread that lives as long as the process.
func init() { runtime.LockOSThread() }

func main() {
	if len(os.Args) > 1 && os.Args[1] == pinCommand {
		complain(pin(os.Args[2:])) // returns only if it failed
		os.Exit(1)
	}
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		complain(err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = measureAll(ctx, o)
	stop()
	if err != nil {
		complain(err)
		os.Exit(1)
	}
}

// measureAll runs everything that the options ask for and prints the tables.
func measureAll(ctx context.Context, o options) error {
	if err := o.write.Check(o.tableName()); err != nil {
		return err
	}
	directory, err := os.MkdirTemp("", "echo-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	b, err := newBench(ctx, o, directory)
	if err != nil {
		return err
	}
	var file *os.File
	if o.json != "" {
		// Now, rather than find out after half an hour that it cannot be.
		if file, err = os.Create(o.json); err != nil {
			return err
		}
		defer file.Close()
	}
	report := b.run(ctx) // what there is of it, if interrupted
	fmt.Print(report.markdown())
	if file != nil {
		if err := report.write(file); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err // no document gets half a table
	}
	return o.write.Replace(o.tableName(), report.markdown())
}

func complain(err error) { fmt.Fprintln(os.Stderr, "echo:", err) }

// say tells how it is going: not on standard output, which is for the tables.
func say(format string, arguments ...any) { fmt.Fprintf(os.Stderr, format+"\n", arguments...) }
