package subprocess

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/curio-go/curio/stream"
)

// Lines starts a program, and yields the lines of its standard output as they come, with the "\n" at the
// end, which only the last one may lack. Cmd.Stdout must be nil, or TTY. Standard error is captured
// where it is nil, for the *ExitError.
//
//	for line, err := range subprocess.Lines(ctx, cmd) {
//		if err != nil {
//			return err
//		}
//		fmt.Print(line)
//	}
//
// A line of more than [stream.DefaultLineLimit] bytes is yielded as its beginning with an error that is
// stream.ErrLineTooLong, and the rest of it is dropped; the lines behind it follow. Every other error
// comes last, with an empty line: that of the start, the *ExitError if the status is not 0,
// ErrIncomplete, or that of ctx.
//
// When the loop is left, by break, return or a panic, or ctx is done, Lines ends the program and all that
// it has started, as [Run] does, and the loop takes as long as that. So the program is never left
// asleep because nobody reads. While the loop's body runs, nothing is read, as with any pipe; standard
// error and the input go on with the next line.
//
// Through a pipe most programs write in blocks and not in lines, so that nothing comes for long; on a
// terminal they write lines: see [TTY]. Each use of the iterator runs the program anew.
//
// A waiting task is in the state SELECT.
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
	err = j.run(ctx, []*wiring{w}, func() error {
		defer lines.stop() // however the loop has ended
		o := j.outs[0][stdout]
		for {
			if err := j.x.run(ctx, func() bool { return lines.ready() || o.end == nil }); err != nil {
				return err
			}
			line, tooLong, ok := lines.take(o.end == nil)
			if !ok {
				return j.x.run(ctx, never)
			}
			var err error
			if tooLong {
				err = &Error{Op: "run", Name: cmd.Path, Err: fmt.Errorf("%w: more than %d bytes", stream.ErrLineTooLong, lines.limit)}
			}
			if !yield(line, err) {
				left = true
				return errLeft
			}
		}
	})
	switch {
	case left:
		return errLeft
	case err == nil:
		err = missing("run", cmd, 0, 0, j.done[0].Incomplete)
	}
	return err
}

// A lineSink keeps output until it is taken as lines. While there is a line to take, no more is read, so it
// has a line of the limit's length at most, and what a few reads have brought beyond that.
type lineSink struct {
	limit    int
	data     []byte
	searched int  // no "\n" before
	skipping bool // the rest of a line that was too long
	discard  bool // nobody wants lines any more
}

func (l *lineSink) room() []byte { return nil }
func (l *lineSink) took(int)     {}

func (l *lineSink) write(p []byte) error {
	if !l.discard {
		l.data = append(l.data, p...)
	}
	return nil
}

// stop drops all that there is and all that comes.
func (l *lineSink) stop() { l.data, l.searched, l.discard = nil, 0, true }

// skip drops what belongs to a line that was too long.
func (l *lineSink) skip() {
	if !l.skipping {
		return
	}
	if i := bytes.IndexByte(l.data, '\n'); i >= 0 {
		l.drop(i + 1)
		l.skipping = false
		return
	}
	l.drop(len(l.data))
}

// drop takes n bytes out.
func (l *lineSink) drop(n int) {
	if l.data, l.searched = l.data[n:], 0; len(l.data) == 0 {
		l.data = nil
	}
}

// length returns how long the first line is. ok is false if its end has not come.
func (l *lineSink) length() (n int, ok bool) {
	i := bytes.IndexByte(l.data[l.searched:], '\n')
	if i < 0 {
		l.searched = len(l.data)
		return l.searched, false
	}
	return l.searched + i + 1, true
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
	switch {
	case n > l.limit:
		line = string(l.data[:l.limit])
		if l.skipping = !complete; complete {
			l.drop(n)
		} else {
			l.drop(len(l.data))
		}
		return line, true, true
	case complete || end && n > 0:
		line = string(l.data[:n])
		l.drop(n)
		return line, false, true
	}
	return "", false, false
}
