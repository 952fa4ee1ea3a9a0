package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis/multichecker"

	"github.com/curio-go/curio/vet"
)

// runVet looks at Go packages. The driver of the analyzers parses its own flags and ends the process, with the status
// exitFound if it has found something.
func runVet(c *call, args []string) error {
	if len(args) > 0 && slices.Contains([]string{"-h", "-help", "--help"}, args[0]) {
		c.printVetHelp(c.stdout)
		return errHelped
	}
	if !slices.ContainsFunc(args, func(arg string) bool { return !strings.HasPrefix(arg, "-") }) {
		args = append(slices.Clip(args), ".")
	}
	os.Args = append([]string{"curio vet"}, args...)
	multichecker.Main(vet.Analyzers()...)
	return nil
}

func (c *call) printVetHelp(w io.Writer) {
	fmt.Fprintf(w, `Usage: curio vet [FLAGS] %s

To %s.

PACKAGES are as for go vet. Without them, it is the package in the current directory.

  -fix                    make the changes that are mechanical; print nothing else
  -diff                   with -fix, print the changes, and do not make them
  -NAME                   run only the analyzer NAME
  -NAME=false             leave the analyzer NAME out
  -test=false             leave tests out
  -json                   print what is found as JSON
  -c N                    print N lines of code around each place

The analyzers are:

`, c.command.arguments, c.command.summary)
	for _, a := range vet.Analyzers() {
		summary, _, _ := strings.Cut(a.Doc, "\n")
		fmt.Fprintf(w, "  %-12s  %s\n", a.Name, summary)
	}
	fmt.Fprint(w, "\n\"curio vet help NAME\" describes the analyzer NAME.\n")
}
