package subprocess

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/stream"
)

// Lines returns an iterator that runs a program and yields the lines of its standard output as they
// come. Each line ends with "\n", which may be missing only in the last one. Cmd.Stdout must be nil
// or TTY. If Cmd.Stderr is nil, it is captured for the [*ExitError].
//
//	for line, err := range subprocess.Lines(ctx, cmd) {
//		if err != nil {
//			return err
//		}
//		fmt.Print(line)
//	}
//
// For a line of more than [stream.DefaultLineLimit] bytes, Lines yields its beginning with an error
// that wraps stream.ErrLineTooLong, drops the rest, and goes on with the next line. Every other
// error comes last, with an empty line: an error of the start, an *ExitError if the status is not
// 0, an error that wraps ErrIncomplete, or one that wraps ctx's error.
//
// When the loop is left by break, return or a panic, or ctx is done, Lines ends the program and all
// processes that it has started, as [Run] does, and the loop lasts until that is done. The program
// is therefore never left waiting for a reader. While the loop body runs, Lines reads nothing, as
// with any pipe; it handles standard error and the input while it waits for the next line.
//
// Most programs write to a pipe in blocks, not in lines, so lines may come late; to a terminal they
// write lines: see [TTY]. Each use of the iterator runs the program again.
//
// A task that waits is in the state SELECT.
func Lines(ctx context.Context, cmd *Cmd) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := eachLine(ctx, cmd, yield); err != nil && err != errLeft {
			yield("", err)
		}
	}
}

// errLeft is that the loop was left.
var errLeft = errors.New("internal error: the loop was left")

// eachLine runs cmd. Its error is errLeft if the last call of yield has returned false.
func eachLine(ctx context.Context, cmd *Cmd, yield func(string, error) bool) error {
	if err := mustCapture(cmd, "Lines"); err != nil {
		return err
	}
	w, err := wire(cmd, [3]Stdio{null, captured{}, captured{}}, true)
	if err != nil {
		return err
	}
	lines := &lineSink{limit: stream.DefaultLineLimit}
	left := false
	j := job{op: "run", to: lines}
	err = j.run(ctx, []*wiring{w}, func() (err error) {
		defer lines.stop() // however the loop has ended
		if left, err = j.yieldLines(ctx, lines, yield); left {
			return errLeft
		}
		return err
	})
	switch {
	case left:
		return errLeft
	case err == nil:
		err = missing("run", cmd, 0, 0, j.done[0].Incomplete)
	}
	return err
}

// yieldLines reads standard output to its end, and then waits for that of the program. left is true if
// yield has returned false.
func (j *job) yieldLines(ctx context.Context, lines *lineSink, yield func(string, error) bool) (left bool, err error) {
	o := j.outs[0][stdout]
	more := func() bool { return lines.ready() || o.end == nil }
	for {
		if _, err := wait.At(ctx); err != nil { // even while there are lines
			return false, err
		}
		line, tooLong, ok := lines.take(o.end == nil)
		var failed error
		switch {
		case !ok && o.end == nil:
			return false, j.x.run(ctx, never)
		case !ok:
			if err := j.x.run(ctx, more); err != nil {
				return false, err
			}
			continue
		case tooLong:
			failed = &Error{Op: "run", Name: j.cmds[0].Path, Err: fmt.Errorf("%w: more than %d bytes", stream.ErrLineTooLong, lines.limit)}
		}
		if !yield(line, failed) {
			return true, nil
		}
	}
}

// A lineSink keeps output until it is taken as lines. While there is a line to take, no more is read, so it
// has a line of the limit's length at most, and what a few reads have brought beyond that.
type lineSink struct {
	limit    int
	buf      []byte // what has been received, of which buf[from:] has not been taken
	from     int
	searched int  // no "\n" in buf[from:searched]
	skipping bool // the rest of a line that was too long
	discard  bool // nobody wants lines any more
	burst    bool // the last read has brought all that it could, so there is more to come
}

func (l *lineSink) room() []byte { return nil }
func (l *lineSink) took(int)     {}

func (l *lineSink) write(p []byte) error {
	if l.discard {
		return nil
	}
	if l.from > 0 {
		l.buf = l.buf[:copy(l.buf, l.buf[l.from:])]
		l.searched -= l.from
		l.from = 0
	}
	l.buf = append(l.buf, p...)
	l.burst = len(p) == pieceSize
	return nil
}

// stop drops all that there is and all that comes.
func (l *lineSink) stop() { l.buf, l.from, l.searched, l.discard = nil, 0, 0, true }

// skip drops what belongs to a line that was too long.
func (l *lineSink) skip() {
	if l.skipping {
		n, ok := l.length()
		l.drop(n)
		l.skipping = !ok
	}
}

// drop takes n bytes out. What was much memory is not kept for a program that has become silent.
func (l *lineSink) drop(n int) {
	l.from += n
	if l.from == len(l.buf) && cap(l.buf) > 2*pieceSize && !l.burst {
		l.buf, l.from = nil, 0
	}
	l.searched = l.from
}

// length returns how long the first line is, with its "\n". ok is false if that has not come.
func (l *lineSink) length() (n int, ok bool) {
	i := bytes.IndexByte(l.buf[l.searched:], '\n')
	if i < 0 {
		l.searched = len(l.buf)
		return len(l.buf) - l.from, false
	}
	return l.searched + i + 1 - l.from, true
}

// ready reports whether there is something to take.
func (l *lineSink) ready() bool {
	l.skip()
	n, ok := l.length()
	return ok || n > l.limit
}

// take takes a line, or if it is too long its beginning. At the end of the output what is left is a line.
func (l *lineSink) take(end bool) (line string, tooLong, ok bool) {
	l.skip()
	n, complete := l.length()
	switch tooLong = n > l.limit; {
	case tooLong:
		line = string(l.buf[l.from : l.from+l.limit])
		l.skipping = !complete
	case complete || end && n > 0:
		line = string(l.buf[l.from : l.from+n])
	default:
		return "", false, false
	}
	l.drop(n)
	return line, tooLong, true
}
