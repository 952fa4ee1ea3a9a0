package subprocess

import (
	"context"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/stream"
)

// Popen starts a program. Each of Stdin, Stdout and Stderr that is Pipe becomes a stream of the Process;
// one that is nil is the null device. Bytes, Reader and Writer are refused, as Popen copies nothing.
//
// The program is then the caller's: ctx is for the start alone, which cannot be cut short once it has
// begun. A caller that does not wait for the end closes the Process:
//
//	p, err := subprocess.Popen(ctx, cmd)
//	if err != nil {
//		return err
//	}
//	defer p.Close()
//
// A program that writes to a pipe which nobody reads waits for ever when the pipe is full, and so does
// who waits for its end. That is so, too, when a loop over Process.Stdout.Lines is left, or ends because
// a line is too long: close the stream then, and the program gets SIGPIPE, or call SkipLine and go on, or
// use [Lines], which ends the program. To write to a program and read from it at the same time, use
// Communicate, or a task for each.
//
// It is Curio's Popen.
func Popen(ctx context.Context, cmd *Cmd) (*Process, error) {
	w, err := wire(cmd, [3]Stdio{null, null, null}, false)
	if err != nil {
		return nil, err
	}
	p, err := w.start(ctx)
	if err != nil {
		return nil, err
	}
	for i, at := range []**stream.Stream{&p.Stdin, &p.Stdout, &p.Stderr} {
		for j, before := range []*stream.Stream{p.Stdin, p.Stdout} {
			if j < i && w.ours[j] == w.ours[i] {
				*at = before // the terminal, also if there is none of either
			}
		}
		if w.ours[i] != nil && *at == nil {
			*at = stream.New(w.ours[i])
		}
	}
	p.talk.cmd, p.talk.ends, p.talk.streams = cmd, w.ours, [...]*stream.Stream{p.Stdin, p.Stdout, p.Stderr}
	return p, nil
}

// A talk is what Communicate has got to.
type talk struct {
	// Set by Popen.
	cmd     *Cmd
	ends    [3]*end
	streams [3]*stream.Stream

	turn curio.Lock
	x    *exchange // nil before the first call
	outs [3]*output
}
