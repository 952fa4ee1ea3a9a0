package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/stream"
	"github.com/curio-go/curio/subprocess"
)

// longestLine is how many bytes of a program's line are printed. One that is longer is left out.
const longestLine = 4096

// lastWords is how long the output of a program is waited for that has ended, in case another one, which
// got away, has it open.
const lastWords = time.Second

type settings struct {
	pause, longest time.Duration // the first pause, and the longest
	steady         time.Duration // after which it is the first one again
	ends           int           // before a program is given up, 0 for never
	grace          time.Duration
}

// A program is kept running.
type program struct {
	settings
	name, command string
	out           *printer
	up            curio.Event // it was started

	mu    sync.Mutex
	what  string
	since time.Time
}

// keepRunning runs the program again and again, until ctx is done, or it has ended too often.
func (p *program) keepRunning(ctx context.Context) error {
	ends, pause := 0, p.pause
	for {
		began := curio.Clock(ctx)
		how, err := p.run(ctx)
		if cancelled := curio.CheckCancellation(ctx); cancelled != nil {
			p.becomes(ctx, "stopped, "+how)
			return errors.Join(cancelled, err)
		}
		if err != nil {
			how = err.Error() // which may be better the next time: no memory, no process, no descriptor
		}
		if lasted := curio.Clock(ctx).Sub(began); lasted >= p.steady {
			ends, pause = 0, p.pause
		}
		if ends++; p.ends > 0 && ends >= p.ends {
			p.becomes(ctx, "given up, "+how)
			return fmt.Errorf("%s has ended %d times in a row (the last time: %s)", p.name, ends, how)
		}
		p.becomes(ctx, fmt.Sprintf("%s, starts again in %v", how, pause))
		if err := curio.Sleep(ctx, pause); err != nil {
			p.becomes(ctx, "stopped")
			return err
		}
		pause = min(2*pause, p.longest)
	}
}

// run runs the program once, and says how it has ended. If it is cancelled, the program is stopped first.
func (p *program) run(ctx context.Context) (how string, err error) {
	cmd := subprocess.Command("/bin/sh", "-c", p.command)
	cmd.Stdout, cmd.Stderr, cmd.Grace = subprocess.Pipe, subprocess.Merge, p.grace
	cmd.Group = subprocess.GroupOwn // Ctrl-C reaches the supervisor alone
	process, err := subprocess.Popen(ctx, cmd)
	if err != nil {
		return "not started", err
	}
	defer process.Close()
	p.becomes(ctx, fmt.Sprintf("running, process %d", process.Pid()))
	p.up.Set()

	// From here on everything is done whether or not ctx is done: last words are words, too.
	printing := curio.Go(ctx, func(ctx context.Context) error {
		return curio.DisableCancellation(ctx, func(ctx context.Context) error { return p.print(ctx, process.Stdout) })
	}, curio.Name("output"))
	_, cut := process.Wait(ctx)
	if cut != nil {
		p.becomes(ctx, "stopping")
	}
	var status subprocess.ExitStatus
	err = curio.DisableCancellation(ctx, func(ctx context.Context) error {
		var err error
		status, err = process.Stop(ctx) // what it has left behind as well
		late, _ := curio.IgnoreAfter(ctx, lastWords, printing.Wait)
		if late {
			p.out.say(p.name, "somebody else still has its output open")
		}
		return errors.Join(err, process.Close(), printing.Wait(ctx))
	})
	if err == nil {
		err = printing.Err()
	}
	return status.String(), err
}

// print prints the lines of the program.
func (p *program) print(ctx context.Context, lines *stream.Stream) error {
	lines.SetLineLimit(longestLine)
	for {
		line, err := lines.ReadLine(ctx)
		if errors.Is(err, stream.ErrLineTooLong) {
			var n int64
			n, err = lines.SkipLine(ctx)
			line = fmt.Sprintf("(a line of %d bytes)", n)
		}
		if line != "" {
			p.out.print(p.name + " | " + clean(line))
		}
		if err == io.EOF || errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
	}
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

// becomes prints what the program is now, and keeps it for state.
func (p *program) becomes(ctx context.Context, what string) {
	p.mu.Lock()
	p.what, p.since = what, curio.Clock(ctx)
	p.mu.Unlock()
	p.out.say(p.name, "%s", what)
}

func (p *program) state() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("%s, for %v", p.what, time.Since(p.since).Round(time.Second))
}
