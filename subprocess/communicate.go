package subprocess

import (
	"bytes"
	"context"
	"fmt"
	"os"
)

// Communicate writes input to the program and closes its standard input, also if input is empty; at the
// same time it reads standard output and standard error to their end; and it waits for the end of the
// program. It returns what was read from those that are pipes. That the program does not read its input
// to the end is no error, and neither is its exit status: see Poll.
//
// If ctx is done first, or already, the error wraps ctx's error, and what was read so far comes with it.
// The program goes on. To end it call Stop; to go on, call Communicate again with the rest of the
// input, if there is any: it writes what is left of the earlier input first, and returns all output from
// the beginning. The input has been taken over with every error, except os.ErrClosed if the standard
// input has been closed, os.ErrInvalid if there is none, and ctx's error if another task was in
// Communicate all the time.
//
// Of each output, the beginning and the end are kept as Cmd.OutputLimit says. When the program has ended
// and somebody else has a pipe open, Communicate waits for as long as Cmd.Drain says. If something is
// missing for one of these reasons, the error is ErrIncomplete.
//
// What was written to Stdin before and not flushed is sent first. What was read from Stdout and Stderr
// before is not in the result, and nobody else should use the streams during the call; Communicate
// closes each that has ended. The end of a terminal's input is typed as Ctrl-D.
//
// Several tasks that call it take turns. It is Curio's Popen.communicate. A waiting task is in the state
// SELECT.
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
