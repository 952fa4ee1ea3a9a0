// Supervisor runs programs, and starts them again when they end, after a pause that doubles each time. What
// they print, it prints with their names. At Ctrl-C or SIGTERM, when the terminal is closed, and when nobody
// reads its output any more, it stops them one after the other, in the reverse order: each is asked by
// SIGTERM, and has -grace to end before it is killed with all that it has started. So it needs at most
// -grace for each of them, and one second more for one that leaves somebody behind with its output open;
// Docker kills after ten seconds in all. A third Ctrl-C kills all of them at once. On SIGUSR1 it prints how
// they are.
//
//	go run ./examples/supervisor 'db=exec sleep 1000' 'web=echo hello; sleep 1; exit 1'
//
// The commands are run by /bin/sh. With exec, there is no shell between the supervisor and the program.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/signal"
)

func main() {
	var s settings
	flag.DurationVar(&s.pause, "pause", 100*time.Millisecond, "before a program is started again for the first time")
	flag.DurationVar(&s.longest, "longest", time.Minute, "the longest pause")
	flag.DurationVar(&s.steady, "steady", 10*time.Second, "how long a program must have run to count as one that had come up")
	flag.IntVar(&s.ends, "ends", 0, "how often in a row a program may end before that, until all are stopped; 0 for ever")
	flag.DurationVar(&s.grace, "grace", 5*time.Second, "how long a program has to end before it is killed")
	flag.Parse()
	out := &printer{out: os.Stdout}
	programs, err := parse(flag.Args(), s, out)
	if err != nil || s.pause <= 0 || s.longest < s.pause || s.grace <= 0 {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		flag.Usage()
		os.Exit(2)
	}
	// The programs have groups of their own. So what ends this process has to stop them first: a terminal
	// that is closed, by SIGHUP, and a pipe that nobody reads, by SIGPIPE, which is an error of print instead.
	signal.Ignore(syscall.SIGPIPE)
	curio.Exit(curio.Run(context.Background(), func(ctx context.Context) error {
		return supervise(ctx, programs, out)
	}, curio.StopOnSignals(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)))
}

// parse reads arguments of the form NAME=COMMAND.
func parse(args []string, s settings, out *printer) (programs []*program, err error) {
	names := make(map[string]bool)
	for _, arg := range args {
		name, command, ok := strings.Cut(arg, "=")
		if !ok || name == "" || command == "" {
			return nil, fmt.Errorf("%q is not NAME=COMMAND", arg)
		}
		if names[name] {
			return nil, fmt.Errorf("there are two programs with the name %q", name)
		}
		names[name] = true
		programs = append(programs, &program{settings: s, name: name, command: command, out: out})
	}
	if len(programs) == 0 {
		return nil, errors.New("there is nothing to run")
	}
	return programs, nil
}

// supervise starts the programs, each when the one before it runs, and keeps them running until it is
// asked to stop, or one of them is given up, or what they print cannot be printed. They are services: when
// supervise has returned, they are cancelled one after the other, the last one first.
func supervise(ctx context.Context, programs []*program, out *printer) error {
	wishes := signal.NewQueue(syscall.SIGUSR1)
	defer wishes.Close()
	curio.Go(ctx, func(ctx context.Context) error {
		_, err := out.failed.Get(ctx)
		return err
	}, curio.Service(), curio.Name("output"))
	for _, p := range programs {
		curio.Go(ctx, p.keepRunning, curio.Service(), curio.Name(p.name))
		if err := p.up.Wait(ctx); err != nil {
			return err
		}
	}
	waiting, cancel := curio.UntilStop(ctx)
	defer cancel()
	for _, err := range wishes.All(waiting) {
		if err != nil {
			return err
		}
		for _, p := range programs {
			p.out.say(p.name, "%s", p.state())
		}
	}
	return nil
}

// A printer prints a line at a time.
type printer struct {
	mu     sync.Mutex
	out    io.Writer
	failed curio.Result[struct{}] // the first error
}

// say prints a line about a program.
func (p *printer) say(name, format string, args ...any) {
	p.print(name + ": " + fmt.Sprintf(format, args...))
}

func (p *printer) print(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := fmt.Fprintln(p.out, line); err != nil {
		p.failed.SetError(err)
	}
}
