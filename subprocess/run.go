package subprocess

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// defaultDrain is Cmd.Drain for 0.
const defaultDrain = time.Second

// ErrIncomplete reports that output of a successful program is missing: it was longer than
// Cmd.OutputLimit, or another process still had the pipe open after Cmd.Drain. Errors of
// [CheckOutput], [Lines] and [Process.Communicate] wrap it, and come with the rest of the output.
var ErrIncomplete = errors.New("output is incomplete")

// A Completed describes a program that has ended, with its captured output.
type Completed struct {
	Args   []string   // as Cmd.Args
	Status ExitStatus // how the program ended

	// Stdout and Stderr hold the captured output, or nil if there was none. If an output was longer
	// than Cmd.OutputLimit, they hold its beginning and its end, and StdoutDropped and
	// StderrDropped are the numbers of bytes that are missing in the middle.
	Stdout, Stderr               []byte
	StdoutDropped, StderrDropped int64

	// Incomplete means that there may have been more output: another process, such as one that the
	// program has left running in the background, still had the pipe open after Cmd.Drain.
	Incomplete bool

	// Containment tells which of the processes that the program had started were, or could have
	// been, ended with it.
	Containment Containment
}

// Run runs a program to its end and returns its status and its output. It captures Stdout and
// Stderr where they are nil, and copies data where Stdin, Stdout and Stderr require it, all at the
// same time. It is not an error if the program does not read all of its input; the rest is dropped.
//
// If the status is not 0, errors.As finds an [*ExitError] in the error. All other errors are of
// type [*Error]. If the program was started, Run returns a Completed with every error.
//
// If ctx is done first, Run ends the program and the processes that it has started, as
// [Process.Stop] does: it sends Cmd.StopSignal, waits for Cmd.Grace, and kills. Meanwhile it goes
// on reading the output. The error then wraps ctx's error, even if the program ended with status 0
// after the signal, and the Completed holds the status and the output. If the program had already
// ended by itself, ctx does not change the result. Run may therefore return later than ctx is done:
// at most by Cmd.Grace, the time that the system needs to kill, and Cmd.Drain, for which a negative
// value then means 1 second.
//
// When the program has ended, Run reads what is left in the pipes. If another process still has a
// pipe open, Run waits for more output until none has come for Cmd.Drain; Completed.Incomplete is
// then true. Time that a Writer takes does not count.
//
// Any number of tasks may run the same Cmd. It is Curio's run. A task that waits is in the state
// SELECT.
func Run(ctx context.Context, cmd *Cmd) (*Completed, error) {
	w, err := wire(cmd, [3]Stdio{null, captured{}, captured{}}, true)
	if err != nil {
		return nil, err
	}
	j := job{op: "run"}
	err = j.run(ctx, []*wiring{w}, func() error { return j.x.run(ctx, never) })
	if len(j.done) == 0 {
		return nil, err
	}
	return j.done[0], err
}

// CheckOutput runs a program as [Run] does and returns its standard output. Cmd.Stdout must be nil
// or TTY.
//
// CheckOutput returns the output with every error. If part of it is missing and there is no other
// error, the error wraps ErrIncomplete. Cancellation is as for Run.
//
// It is Curio's check_output. A task that waits is in the state SELECT.
func CheckOutput(ctx context.Context, cmd *Cmd) ([]byte, error) {
	if err := mustCapture(cmd, "CheckOutput"); err != nil {
		return nil, err
	}
	c, err := Run(ctx, cmd)
	if c == nil {
		return nil, err
	}
	if err == nil {
		err = missing("run", cmd, len(c.Stdout), c.StdoutDropped, c.Incomplete)
	}
	return c.Stdout, err
}

// mustCapture refuses a Stdout that is not captured.
func mustCapture(cmd *Cmd, call string) error {
	if cmd.Stdout == nil || cmd.Stdout == Stdio(tty) {
		return nil
	}
	return (&wiring{c: cmd}).refused(stdout, cmd.Stdout, fmt.Errorf("%w: %s returns the output, so Stdout must be nil", errors.ErrUnsupported, call))
}

// missing returns the error for an output of which something is missing.
func missing(op string, cmd *Cmd, kept int, dropped int64, late bool) error {
	var why string
	switch {
	case late:
		why = "the program has ended, but another one still has its output open"
	case dropped > 0:
		why = fmt.Sprintf("%d bytes were dropped, as there were more than %d", dropped, kept)
	default:
		return nil
	}
	return &Error{Op: op, Name: cmd.Path, Err: fmt.Errorf("%w: %s", ErrIncomplete, why)}
}
