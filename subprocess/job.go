package subprocess

import (
	"context"
	"fmt"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// A job is one or several programs, with pipes in between, that are run to their end. Whatever happens to
// it, an error, a cancellation or a panic, when run returns all programs have ended or been told to, and
// nothing is open.
type job struct {
	op   string // for errors
	to   sink   // of the last standard output, if that is captured; nil for a capture
	x    exchange
	cmds []*Cmd       // that have been started
	outs [][3]*output // of each, at stdout and stderr
	done []*Completed // of each, when all have ended
}

// run starts the programs and calls body, which calls j.x.run. If body fails, they are ended, unless they
// have already ended by themselves.
func (j *job) run(ctx context.Context, wirings []*wiring, body func() error) error {
	place, err := wait.At(ctx)
	if err != nil {
		return &Error{Op: j.op, Name: wirings[0].c.Path, Err: err}
	}
	return curio.DisableCancellation(ctx, func(shield context.Context) error {
		j.x.shield = shield
		defer j.x.close()
		over := false
		defer func() {
			if !over { // something has panicked, or ended the goroutine
				j.x.stopAll(shield)
			}
		}()
		if err := j.start(ctx, wirings); err != nil {
			j.x.stopAll(shield)
			over = true
			return err
		}
		cut := body()
		if cut != nil && j.to == nil && j.x.isOver(shield) {
			place.Saved(cut)
			cut = nil
		}
		if cut != nil {
			j.x.stopAll(shield)
		}
		over = true
		return j.finish(cut)
	})
}

// start starts the programs, from the first one on.
func (j *job) start(ctx context.Context, wirings []*wiring) error {
	j.x.drain = drainOf(wirings)
	defer func() {
		for _, w := range wirings {
			w.release() // if it has not been started
		}
	}()
	for _, w := range wirings {
		p, err := w.start(ctx)
		if err != nil {
			return err
		}
		j.started(p, w)
	}
	return nil
}

// started takes over a program.
func (j *job) started(p *Process, w *wiring) {
	if len(j.cmds) == 0 {
		j.x.in = newInput(w.ours[stdin], w.std[stdin])
	}
	var outs [3]*output
	for _, i := range []int{stdout, stderr} {
		limit := w.c.OutputLimit
		if j.to != nil && i == stderr {
			limit = 2 * maxErrorStderr // only an error has its end
		}
		o := newOutput(w.ours[i], w.std[i], limit)
		if o == nil {
			continue
		}
		if i == stdout && j.to != nil {
			o.to, o.w = j.to, nil
		}
		outs[i] = o
		j.x.outs = append(j.x.outs, o)
	}
	j.x.ends = append(j.x.ends, w.ours[:]...)
	j.x.exits = append(j.x.exits, &exit{p: p})
	j.cmds, j.outs = append(j.cmds, w.c), append(j.outs, outs)
}

// drainOf is the longest time that one of the commands asks for.
func drainOf(wirings []*wiring) time.Duration {
	var longest time.Duration
	for _, w := range wirings {
		switch d := w.c.Drain; {
		case d < 0:
			return -1
		case d == 0:
			longest = max(longest, defaultDrain)
		default:
			longest = max(longest, d)
		}
	}
	return longest
}

// finish makes the results. cut is the error of body, if that has ended the job.
func (j *job) finish(cut error) error {
	for i, c := range j.cmds {
		e := j.x.exits[i]
		done := &Completed{Args: argsOf(c), Status: e.status, Containment: e.p.Containment()}
		done.Stdout, done.StdoutDropped = j.outs[i][stdout].kept()
		done.Stderr, done.StderrDropped = j.outs[i][stderr].kept()
		for _, o := range j.outs[i] {
			done.Incomplete = done.Incomplete || o != nil && o.late
		}
		j.done = append(j.done, done)
	}
	if cut != nil {
		return j.cutShort(cut)
	}
	return j.failure()
}

func argsOf(c *Cmd) []string {
	if len(c.Args) == 0 {
		return []string{c.Path}
	}
	return append([]string(nil), c.Args...)
}

// kept returns what was captured.
func (o *output) kept() ([]byte, int64) {
	if o != nil {
		if c, ok := o.to.(*capture); ok {
			return c.bytes(), c.dropped
		}
	}
	return nil, 0
}

// cutShort returns the error of a job that was ended because ctx is done. It includes the error if
// a program could not be ended.
func (j *job) cutShort(cut error) error {
	for _, e := range j.x.exits {
		if e.err != nil {
			cut = fmt.Errorf("%w; %w", cut, e.err)
		}
	}
	return &Error{Op: j.op, Name: j.cmds[0].Path, Pid: j.x.exits[0].p.Pid(), Err: cut}
}

// failure is the error of a job that has ended by itself: what could not be copied, and how the command
// has failed that counts.
func (j *job) failure() error {
	var failed error
	if i := blamed(j.done); i >= 0 {
		failed = newExitError(j.cmds[i], j.done[i])
	}
	copied := j.x.copyError()
	switch {
	case copied == nil:
		return failed
	case failed != nil:
		copied = fmt.Errorf("%w; %w", copied, failed)
	}
	return &Error{Op: j.op, Name: j.cmds[0].Path, Err: copied}
}

// blamed returns the index of the command whose failure is the pipeline's, -1 for none: the last
// that has failed, without those that have died because nobody read their output any more. One of them
// is never the last command.
func blamed(done []*Completed) int {
	for i := len(done) - 1; i >= 0; i-- {
		s := done[i].Status
		if !s.Success() && (i == len(done)-1 || !diedOfPipe(s)) {
			return i
		}
	}
	return -1
}
