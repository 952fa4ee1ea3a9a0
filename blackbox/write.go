package blackbox

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/events"
	"github.com/curio-go/curio/internal/wait"
)

// A file is written in the order of what is most likely to succeed: events first, which takes a moment; then what looks
// at each task, under the mutex of its object. Each part is flushed, so if the writing hangs or the process ends, what
// came before is there.

// Write writes a report on all kernels of the process to w, with the reason "request" and without
// stacks. It takes some microseconds for each task, stops no task, and calls no code of yours, apart
// from w. It is safe for concurrent use.
func Write(w io.Writer) error { return write(w, cause{reason: "request"}, limits{}) }

// maxSize is how large a file becomes, about.
const maxSize = 16 << 20

// A cause is why a report is written.
type cause struct {
	reason string
	detail []string
}

// limits are what a report may have.
type limits struct {
	stacks bool
	size   int64 // 0 for maxSize
}

// started is when this package was loaded.
var started = time.Now()

func write(w io.Writer, c cause, l limits) error {
	if l.size == 0 {
		l.size = maxSize
	}
	p := &printer{buf: bufio.NewWriterSize(w, 64<<10), left: l.size}
	now := time.Now()
	p.line(header{
		BlackBox: version, Program: program(), PID: os.Getpid(), Time: now, Started: started, Reason: c.reason, Detail: c.detail,
		Go: goVersion(), Goroutines: runtime.NumGoroutine(),
	})
	for _, e := range theEvents(events.Read(), time.Now(), wait.Now()) {
		p.entry(line{Event: &e})
	}
	p.flush()
	kernels := curio.Kernels()
	for _, k := range kernels {
		for _, d := range k.Deadlocks() {
			text := d.String()
			p.entry(line{Deadlock: &text})
		}
		for _, call := range k.ThreadCalls() {
			text := fmt.Sprintf("%v, for %v", call, now.Sub(call.Since).Round(time.Millisecond))
			p.entry(line{Thread: &text})
		}
	}
	p.flush()
	for _, k := range kernels {
		for _, info := range k.Inspect() {
			t := theTask(info, now)
			p.entry(line{Task: &t})
		}
	}
	p.flush()
	if l.stacks {
		text := stacks(p.left)
		p.line(line{Stacks: &text})
	}
	p.line(line{End: &ending{LeftOff: p.leftOff}})
	p.flush()
	return p.err
}

func program() string { return filepath.Base(os.Args[0]) }

func goVersion() string { return runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH }

// A printer writes lines, as long as there is room.
type printer struct {
	buf     *bufio.Writer
	left    int64 // bytes
	leftOff int   // entries
	err     error // the first one
}

// line writes a line, whether or not there is room.
func (p *printer) line(v any) {
	text, err := json.Marshal(v)
	p.put(text, err)
}

// entry writes a line, if there is room.
func (p *printer) entry(v line) {
	if p.left <= 0 {
		p.leftOff++
		return
	}
	text, err := json.Marshal(v)
	p.put(text, err)
}

func (p *printer) put(text []byte, err error) {
	if err == nil && p.err == nil {
		_, err = p.buf.Write(append(text, '\n'))
	}
	p.note(err)
	p.left -= int64(len(text)) + 1
}

func (p *printer) flush() { p.note(p.buf.Flush()) }

func (p *printer) note(err error) {
	if p.err == nil {
		p.err = err
	}
}

// theEvents returns events as they are in a file. wall and clock are one moment on both clocks.
func theEvents(all []events.Event, wall time.Time, clock int64) []Event {
	list := make([]Event, len(all))
	for i, e := range all {
		list[i] = Event{Time: wall.Add(time.Duration(e.Time - clock)).Round(0), Task: e.Task, Kind: e.Kind.String(), Text: e.Text}
		if e.Cut {
			list[i].Text += "…"
		}
		switch e.Kind {
		case events.Created, events.Cancelled:
			list[i].By = e.Arg
		case events.Waits:
			list[i].Object = e.Arg
		}
	}
	return list
}

func theTask(info curio.TaskInfo, now time.Time) Task {
	t := Task{
		ID: info.Task.ID(), Name: info.Task.Name(), Kernel: info.Kernel.ID(), Kind: string(info.Kind), State: info.State,
		Cycles: info.Cycles, Age: now.Sub(info.Started).Seconds(), Spawned: info.Spawned, Essential: info.Essential, Group: info.InGroup,
		Until: seconds(info.Until, now), Deadline: seconds(info.Deadline, now),
	}
	if info.Parent != nil {
		t.Parent = info.Parent.ID()
	}
	if !info.Since.IsZero() {
		t.Waiting = now.Sub(info.Since).Seconds()
	}
	for _, w := range info.Waits {
		on := make([]uint64, 0, min(len(w.On), mostOn))
		for _, other := range w.On[:cap(on)] {
			on = append(on, other.ID())
		}
		t.Waits = append(t.Waits, Wait{w.Op, w.Object, on})
	}
	if c := info.Cancelled; c != nil {
		t.Cancelled = cancelledText(*c, now)
	}
	return t
}

// mostOn is how many tasks a wait names: each of a thousand tasks may wait for the same thousand.
const mostOn = 100

// seconds is how far t is from now, nil for never.
func seconds(t, now time.Time) *float64 {
	if t.IsZero() {
		return nil
	}
	d := t.Sub(now).Seconds()
	return &d
}

// cancelledText describes a cancellation. It gives only the type of a reason: making the text of an error calls the user's
// code.
func cancelledText(c curio.Cancellation, now time.Time) string {
	text := "a deadline"
	if !c.Expired {
		text = "something unknown"
		if c.By != "" {
			text = "task " + c.By
		}
		if c.Where != "" {
			text += " at " + c.Where
		}
	}
	if c.Reason != nil {
		text += fmt.Sprintf(", a %T", c.Reason)
	}
	return fmt.Sprintf("%s, %v before", text, now.Sub(c.When).Round(time.Millisecond))
}

// stacks returns the stacks of all goroutines, in about most bytes or the beginning of them. It stops the program while they are printed.
func stacks(most int64) string {
	most = max(most, 1<<20)
	for size := int64(64 << 10); ; size *= 4 {
		buf := make([]byte, min(size, most))
		if n := runtime.Stack(buf, true); n < len(buf) || size >= most {
			return string(buf[:n])
		}
	}
}
