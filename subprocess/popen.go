package subprocess

import (
	"context"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/stream"
)

// Popen starts a program and returns a [Process] for it. Each of Stdin, Stdout and Stderr that is
// Pipe becomes a stream of the Process; one that is nil is the null device. Popen refuses Bytes,
// Reader and Writer, as it copies nothing.
//
// ctx applies only to the start, which cannot be interrupted once it has begun. After that the
// caller is responsible for the program, and closes the Process if it does not wait for the end:
//
//	p, err := subprocess.Popen(ctx, cmd)
//	if err != nil {
//		return err
//	}
//	defer p.Close()
//
// If a pipe is full and is not read, the program waits in write(2) and does not end. That also
// happens after leaving a loop over Process.Stdout.Lines early, or when a line was too long for it.
// Then close the stream, which gives the program SIGPIPE, or call SkipLine and go on. ([Lines] ends
// the program itself.) To write to a program and read from it at the same time, use Communicate or
// one task for each.
//
// If ctx is done before the start, the error wraps ctx's error, and nothing runs.
//
// It is Curio's Popen. The system calls are pipe2(2), fork(2) and execve(2).
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
				*at = before // the terminal, even if neither has one
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
