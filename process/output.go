package process

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/stream"
)

// What a worker writes is read as it comes, and handed on as lines. What takes them may be slow: then the
// worker has to wait when its pipe is full, as any program. It may hang, too: it runs in a goroutine that
// can be left behind.

const (
	readSize = 32 << 10
	maxLine  = 64 << 10 // a longer one is handed on in pieces
)

// reads returns the task that reads one of the worker's outputs.
func (w *worker) reads(from *stream.Stream, isStderr bool) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		defer from.Close()
		buf := make([]byte, readSize)
		var rest []byte // of the last line, which is not complete
		for {
			n, err := from.Read(ctx, buf)
			if isStderr {
				w.tail.add(buf[:n])
			}
			rest = append(rest, buf[:n]...)
			lines, more := cutLines(rest, err != nil)
			rest = append(rest[:0], more...)
			if len(lines) > 0 && w.emit(ctx, isStderr, lines) != nil || err != nil {
				return nil
			}
		}
	}
}

// cutLines cuts text into lines without their "\n", and what is behind the last one. At the end of the
// output that is a line, too.
func cutLines(text []byte, end bool) (lines []string, rest []byte) {
	for {
		i := bytes.IndexByte(text[:min(len(text), maxLine+1)], '\n')
		switch {
		case i >= 0:
			lines, text = append(lines, string(text[:i])), text[i+1:]
		case len(text) > maxLine:
			lines, text = append(lines, string(text[:maxLine])), text[maxLine:]
		case end && len(text) > 0:
			return append(lines, string(text)), nil
		default:
			return lines, text
		}
	}
}

// emit hands lines on. Its error is ctx's error.
func (w *worker) emit(ctx context.Context, isStderr bool, lines []string) error {
	output := w.cfg.Output
	_, err := curio.RunInThreadLimited(ctx, w.pool.output, func() (struct{}, error) {
		if output == nil {
			print(w.String(), isStderr, lines)
			return struct{}{}, nil
		}
		for _, line := range lines {
			output(Line{Pid: w.proc.Pid(), Stderr: isStderr, Text: line})
		}
		return struct{}{}, nil
	})
	if curio.CheckCancellation(ctx) == nil {
		return nil // if the function has panicked, that is in the log
	}
	return err
}

// print prints lines after the worker's name.
func print(name string, isStderr bool, lines []string) {
	var b strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&b, "%s: %s\n", name, line)
	}
	to := os.Stdout
	if isStderr {
		to = os.Stderr
	}
	_, _ = to.WriteString(b.String())
}

// A tail keeps what a worker has written to its standard error last, and if that was a crash of the Go runtime,
// which lists all goroutines, its beginning.
type tail struct {
	mu    sync.Mutex
	last  []byte // at most 2*maxTail
	crash []byte // from the line on with which it began, at most maxTail
}

const maxTail = 4 << 10

func (t *tail) add(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.crash) > 0 {
		t.crash = append(t.crash, p[:min(len(p), maxTail-len(t.crash))]...)
	}
	t.last = append(t.last, p...)
	if t.crash == nil {
		t.findCrash(len(t.last) - len(p))
	}
	if len(t.last) > 2*maxTail {
		t.last = append(t.last[:0], t.last[len(t.last)-maxTail:]...)
	}
}

// findCrash looks for the first line of a crash, of which last[:seen] has been looked at before, except for
// its last line.
func (t *tail) findCrash(seen int) {
	from := bytes.LastIndexByte(t.last[:seen], '\n') + 1
	for from < len(t.last) {
		line, _, _ := bytes.Cut(t.last[from:], []byte("\n"))
		if isCrash(string(line[:min(len(line), 64)])) {
			t.crash = append(t.crash, t.last[from:min(len(t.last), from+maxTail)]...)
			return
		}
		from += len(line) + 1
	}
}

// reset forgets everything: a call begins.
func (t *tail) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last, t.crash = nil, nil
}

// bytes returns the beginning of the crash, if there was one, and the last lines.
func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := t.last[max(len(t.last)-maxTail, 0):]
	if len(t.crash) == 0 || bytes.Contains(last, t.crash[:min(len(t.crash), 64)]) {
		return bytes.Clone(last)
	}
	const left = "\n...\n" // something, or nothing
	last = last[min(len(left), len(last)):]
	if i := bytes.IndexByte(last, '\n'); i >= 0 {
		last = last[i+1:]
	}
	return append(append(bytes.Clone(t.crash), left...), last...)
}
