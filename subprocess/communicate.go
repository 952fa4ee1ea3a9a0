package subprocess

import (
	"bytes"
	"context"
	"fmt"
	"os"
)

// Communicate writes input to the program and closes its standard input, reads its standard output
// and standard error to their ends, and waits for the program to end. It does all of this at the
// same time. It returns what it read from those outputs that are pipes. It is not an error if the
// program does not read all of its input or exits with a status other than 0: see Poll for the
// status.
//
// If ctx is done first, Communicate returns an error that wraps ctx's error, and the output read so
// far. The program keeps running. To end it, call Stop. To continue, call Communicate again with
// further input, if any: it first writes the rest of the earlier input, and returns all output from
// the beginning. Input is accepted with every error except os.ErrClosed, if the standard input has
// been closed, os.ErrInvalid, if there is no standard input, and ctx's error, if another task was
// in Communicate all the time.
//
// For each output, Communicate keeps the beginning and the end, as Cmd.OutputLimit describes. If
// the program has ended and another process has a pipe open, Communicate waits as Cmd.Drain
// describes. If output is missing for one of these reasons, the error wraps ErrIncomplete.
//
// Communicate first sends what was written to Stdin and not flushed. Output that was read from
// Stdout and Stderr before is not in the result. Other tasks must not use the streams during the
// call; Communicate closes each stream that has ended. At the end of the input of a terminal it
// types Ctrl-D.
//
// If several tasks call Communicate, they take turns. It is Curio's Popen.communicate. A task that
// waits is in the state SELECT.
func (p *Process) Communicate(ctx context.Context, input []byte) (stdoutData, stderrData []byte, err error) {
	t := &p.talk
	if !t.turn.TryAcquire(ctx) {
		if err := t.turn.Acquire(ctx); err != nil {
			return nil, nil, t.failed(p, err)
		}
	}
	defer t.turn.Release(ctx)
	if t.x == nil {
		t.begin(p)
	}
	if err := t.say(input); err != nil {
		return nil, nil, t.failed(p, err)
	}
	err = t.takeFromStreams(ctx)
	if err == nil {
		t.x.shield = ctx // as another task may have the turn of a stream
		err = t.x.run(ctx, never)
		t.x.shield = context.Background()
	}
	if in := t.x.in; in != nil {
		in.rest = bytes.Clone(in.rest) // the memory is the caller's again
	}
	return t.heard(p, err)
}

// begin makes the exchange.
func (t *talk) begin(p *Process) {
	x := &exchange{exits: []*exit{{p: p}}, drain: t.cmd.Drain, shield: context.Background()}
	if x.drain == 0 {
		x.drain = defaultDrain
	}
	if x.in = newInput(t.open(stdin), nil); x.in != nil {
		x.in.stream = t.streams[stdin]
	}
	for _, i := range []int{stdout, stderr} {
		if o := newOutput(t.open(i), nil, t.cmd.OutputLimit); o != nil {
			o.stream = t.streams[i]
			t.outs[i] = o
			x.outs = append(x.outs, o)
		}
	}
	t.x = x
}

// takeFromStreams sends what a stream has not sent, and takes what one has received. Its error is
// ctx's; all else shows when the pipes are used.
func (t *talk) takeFromStreams(ctx context.Context) error {
	if s := t.streams[stdin]; s != nil {
		if err := s.Flush(ctx); err != nil && isCut(err) {
			return err
		}
	}
	for _, o := range t.x.outs {
		if o.end == nil {
			continue
		}
		received := make([]byte, o.stream.Buffered())
		n, err := o.stream.Read(ctx, received)
		if err != nil && isCut(err) {
			return err
		}
		_ = o.to.write(received[:n])
	}
	return nil
}

// open returns our end of a pipe, nil if there is none or it has been closed.
func (t *talk) open(place int) *end {
	if e := t.ends[place]; e != nil && !e.closed() {
		return e
	}
	return nil
}

// say appends input to what is to be written.
func (t *talk) say(input []byte) error {
	in := t.x.in
	switch {
	case len(input) == 0:
	case t.ends[stdin] == nil:
		return fmt.Errorf("input for a %s that is not a pipe: %w", places[stdin], os.ErrInvalid)
	case in == nil || in.end == nil:
		return fmt.Errorf("input for a %s that has been closed: %w", places[stdin], os.ErrClosed)
	case len(in.rest) == 0:
		in.rest = input
	default:
		in.rest = append(in.rest, input...)
	}
	return nil
}

// heard returns what there is. cut is ctx's error if that was done first.
func (t *talk) heard(p *Process, cut error) (out, errs []byte, err error) {
	out, droppedOut := t.outs[stdout].kept()
	errs, droppedErr := t.outs[stderr].kept()
	late := false
	for _, o := range t.x.outs {
		late = late || o.late
	}
	switch failed := t.x.copyError(); {
	case cut != nil:
		out, errs = bytes.Clone(out), bytes.Clone(errs) // the captures go on
		err = t.failed(p, cut)
	case failed != nil:
		err = t.failed(p, failed)
	case droppedOut > 0:
		err = missing("communicate with", t.cmd, len(out), droppedOut, late)
	default:
		err = missing("communicate with", t.cmd, len(errs), droppedErr, late)
	}
	return out, errs, err
}

func (t *talk) failed(p *Process, err error) error {
	return &Error{Op: "communicate with", Name: t.cmd.Path, Pid: p.Pid(), Err: err}
}
