// Curio shows what the tasks of a running program do, and what they wait for. The program must have its monitor on: see
// package monitor of github.com/curio-go/curio. It also helps to bring source code over to Curio.
//
//	curio top                           # with CURIO_MONITOR set, or
//	curio top unix:/run/user/1000/chat.sock
//	curio vet ./...
//
// See README.md beside this file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/charmbracelet/x/term"
)

// What the program exits with.
const (
	exitFound = 3 // deadlocks has found one; vet has found something
	exitUsage = 2
	exitError = 1
)

// A command is one of the things that the program does.
type command struct {
	name, arguments, summary string
	run                      func(c *call, args []string) error
}

// commands are in the order in which help lists them.
func commands() []command {
	return []command{
		{"top", "[ADDRESS]", "watch all tasks: sort, filter, look into them, cancel", runTop},
		{"ps", "[ADDRESS]", "list all tasks", runPS},
		{"tree", "[ADDRESS]", "show all tasks below the tasks that they belong to", runTree},
		{"where", "TASK [ADDRESS]", "show where in its code a task is, by its stack", runWhere},
		{"why", "TASK [ADDRESS]", "show what a task waits for, what that waits for, and so on", runWhy},
		{"deadlocks", "[ADDRESS]", "show tasks that wait for each other", runDeadlocks},
		{"cancel", "TASK [ADDRESS]", "cancel a task", runCancel},
		{"show", "FILE", "print a file of package blackbox", runShow},
		{"vet", "[PACKAGES]", "find what ignores contexts in Go code, and misuse of Curio", runVet},
	}
}

// A system is what the program has to do with outside of itself.
type system struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	width          int  // of the terminal that stdout is, 0 if it is none
	terminal       bool // stdout is a terminal that can move its cursor
	interactive    bool // there is somebody at stdin to ask
}

// A call is one run of a command.
type call struct {
	system
	ctx     context.Context
	command command
	flags   *flag.FlagSet
	set     settings
}

// settings are the flags that all commands have, and what several of them have.
type settings struct {
	tokenFile string
	timeout   seconds
	json      bool
}

func main() { os.Exit(run(context.Background(), os.Args[1:], thisSystem())) }

func thisSystem() system {
	s := system{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	if term.IsTerminal(os.Stdout.Fd()) {
		s.width, _, _ = term.GetSize(os.Stdout.Fd()) // not known: not cut
		s.terminal = os.Getenv("TERM") != "dumb"
	}
	s.interactive = term.IsTerminal(os.Stdin.Fd()) && term.IsTerminal(os.Stderr.Fd())
	return s
}

// errUsage is for a command line that is wrong. The message has been printed.
var errUsage = errors.New("usage")

// errFound makes the program exit with exitFound.
var errFound = errors.New("found")

// run runs the command line args and returns the exit status.
func run(ctx context.Context, args []string, s system) int {
	err := dispatch(ctx, args, s)
	switch {
	case err == nil, errors.Is(err, errHelped):
		return 0
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, errFound):
		return exitFound
	}
	fmt.Fprintln(s.stderr, "curio:", err)
	return exitError
}

func dispatch(ctx context.Context, args []string, s system) error {
	if len(args) == 0 {
		printHelp(s.stderr)
		return errUsage
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		if len(args) > 1 && args[0] == "help" {
			return dispatch(ctx, []string{args[1], "-help"}, s)
		}
		printHelp(s.stdout)
		return nil
	case "version", "-version", "--version":
		fmt.Fprintln(s.stdout, "curio", version())
		return nil
	}
	for _, command := range commands() {
		if command.name == args[0] {
			return command.run(newCall(ctx, command, s), args[1:])
		}
	}
	fmt.Fprintf(s.stderr, "curio: there is no command %s: see curio help\n", clean(args[0]))
	return errUsage
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(unknown version)"
	}
	return info.Main.Version
}

func printHelp(w io.Writer) {
	fmt.Fprint(w, `Curio shows what the tasks of a running program do, and what they wait for.

Usage: curio COMMAND [FLAGS] [ARGUMENTS]

`)
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s  %-14s  %s\n", c.name, c.arguments, c.summary)
	}
	fmt.Fprint(w, `
TASK is the number of a task, or the name or path of a task if no other task has it.

ADDRESS is where the program's monitor listens: unix:/path or a path with a slash, host:port, or the
URL of its handler. Without it, it is the value of CURIO_MONITOR. A token, which a monitor on TCP asks
for, comes from CURIO_MONITOR_TOKEN or from the file named by -token-file.

"curio help COMMAND" lists the flags of a command. The exit status is 1 after a failure, 2 if the
command line is wrong, and 3 if "curio deadlocks" or "curio vet" has found something.
`)
}
