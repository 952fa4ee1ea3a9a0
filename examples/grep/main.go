// Grep prints the lines of files that match a regular expression, and goes through folders. It searches
// several files at a time, and prints what it finds in the order of the files.
//
//	go run ./examples/grep [-j 8] PATTERN [PATH]...
//
// Its exit status is grep's: 0 if there was a match, 1 if there was none, and 2 if something could not be
// read, which it reports without stopping. Ctrl-C ends it at once, even if a disk does not answer.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"

	"github.com/curio-go/curio"
)

func main() {
	workers := flag.Int("j", 8, "how many files are searched at the same time")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: grep [-j N] PATTERN [PATH]...")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() < 1 || *workers < 1 {
		flag.Usage()
		os.Exit(2)
	}
	pattern, err := regexp.Compile(flag.Arg(0))
	if err != nil {
		fmt.Fprintln(os.Stderr, "grep:", err)
		os.Exit(2)
	}
	roots := flag.Args()[1:]
	if len(roots) == 0 {
		roots = []string{"."}
	}
	s := &search{pattern: pattern, workers: *workers, out: os.Stdout, errs: os.Stderr}
	err = curio.Run(context.Background(), func(ctx context.Context) error { return s.run(ctx, roots) }, curio.StopOnSignals())
	var stopped *curio.SignalError
	switch {
	case errors.As(err, &stopped):
		curio.Exit(err)
	case err != nil:
		fmt.Fprintln(os.Stderr, "grep:", err)
		os.Exit(2)
	}
	os.Exit(s.status())
}

// A search is one run of the program.
type search struct {
	pattern   *regexp.Regexp
	workers   int
	out, errs io.Writer

	found, failed bool
}

func (s *search) status() int {
	switch {
	case s.failed:
		return 2
	case s.found:
		return 0
	}
	return 1
}
