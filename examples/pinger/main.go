// Pinger runs ping, or another program that prints lines for as long as it is let, and prints each line as it comes. After
// -for, or on Ctrl-C, it ends the program with all that it has started.
//
//	go run ./examples/pinger [-for 10s] [PROGRAM [ARGUMENT]...]
//	go run ./examples/pinger -for 3s sh -c 'while echo tick; do sleep 1; done'
//
// See heartbeat for a program that may fall silent, and that needs a terminal.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/signal"
	"github.com/curio-go/curio/stream"
	"github.com/curio-go/curio/subprocess"
)

func main() {
	limit := flag.Duration("for", 10*time.Second, "how long the program may run")
	flag.Parse()
	if *limit <= 0 {
		flag.Usage()
		os.Exit(2)
	}
	args := flag.Args()
	if len(args) == 0 {
		args = []string{"ping", "127.0.0.1"}
	}
	// The program has a process group of its own. So what ends this process has to end it first: a terminal that
	// is closed, by SIGHUP, and a pipe that is no longer read, by SIGPIPE, which is an error of print instead.
	signal.Ignore(syscall.SIGPIPE)
	curio.Exit(curio.Run(context.Background(), func(ctx context.Context) error {
		return ping(ctx, os.Stdout, *limit, args)
	}, curio.StopOnSignals(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)))
}

// ping prints what a program says, until it ends or the time is over.
func ping(ctx context.Context, out io.Writer, limit time.Duration, args []string) error {
	lines := 0
	expired, err := curio.IgnoreAfter(ctx, limit, func(ctx context.Context) error {
		cmd := subprocess.Command(args[0], args[1:]...)
		cmd.Grace = 2 * time.Second // from SIGTERM to SIGKILL
		for line, err := range subprocess.Lines(ctx, cmd) {
			if errors.Is(err, stream.ErrLineTooLong) {
				continue // what follows it comes
			}
			if err != nil {
				return err
			}
			lines++
			if _, err := fmt.Fprintf(out, "%d: %s\n", lines, clean(line)); err != nil {
				return err // the loop ends, and so does the program
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	how := "the program has ended"
	if expired {
		how = "time is up"
	}
	_, err = fmt.Fprintf(out, "%s after %d lines\n", how, lines)
	return err
}

// clean removes everything from a line that is not text, such as control sequences for a terminal.
func clean(line string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) && r != '\t' {
			return -1
		}
		return r
	}, line)
}
