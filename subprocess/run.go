package subprocess

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// defaultDrain is Cmd.Drain for 0.
const defaultDrain = time.Second

// ErrIncomplete is the error of CheckOutput, Lines and Process.Communicate for output of which a part is
// missing although the program has succeeded: it was longer than Cmd.OutputLimit, or somebody else
// still had the pipe open, and nothing came for as long as Cmd.Drain. What there is comes with it.
var ErrIncomplete = errors.New("output is incomplete")

// A Completed is what Run knows about a program that has ended.
type Completed struct {
	Args   []string // as Cmd.Args
	Status ExitStatus

	// Stdout and Stderr are what was captured, nil if that was nothing. Of an output that was longer
	// than Cmd.OutputLimit they have the beginning and the end; StdoutDropped and StderrDropped are
	// how many bytes are missing in the middle.
	Stdout, Stderr               []byte
	StdoutDropped, StderrDropped int64

	// Incomplete says that output was not waited for any more: somebody else had the pipe still open
	// when the program had ended, such as a program that it has left running in the background.
	Incomplete bool

	// Containment is how much of what the program had started was, or could have been, ended with it.
	Containment Containment
}

// Run runs a program to its end. It captures Stdout and Stderr where they are nil, reads both at the
// same time, and copies what Stdin, Stdout and Stderr say. That the program does not read its input to
// the end is no error; what is left of it when the program has ended is dropped.
//
// If the status is not 0, the error is an *ExitError. If the program has been started, there is a
// Completed with every error.
//
// If ctx is done first, Run ends the program and all that it has started, as [Process.Stop] does: it
// sends Cmd.StopSignal, waits for Cmd.Grace, and kills. Meanwhile it goes on reading the output. Then
// the error wraps ctx's error, also if the program has ended with the status 0 after the signal, and the
// Completed has the status and what output there was. A program that had already ended by itself keeps
// its own result. So Run returns later than ctx is done: by Cmd.Grace, by the time that the system
// takes to kill, and by Cmd.Drain, at most. A negative Drain counts as 1 s then.
//
// When the program has ended, Run returns what is in the pipes. If somebody else still has a pipe open,
// it waits for more until nothing has come for as long as Cmd.Drain; Completed.Incomplete is true then.
// That a Writer is slow does not count.
//
// It is Curio's run. A waiting task is in the state SELECT. Any number of tasks may run the same Cmd.
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

// CheckOutput runs a program like [Run] and returns its standard output. Cmd.Stdout must be nil, or TTY.
//
// The output comes with every error. If a part of it is missing, the error is ErrIncomplete, unless
// there is another one.
//
// It is Curio's check_output. A waiting task is in the state SELECT.
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
	return (&wiring{c: cmd}).refused(stdout, cmd.Stdout, fmt.Errorf("%w: %s returns the output, so Stdout is left nil", errors.ErrUnsupported, call))
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
