package blackbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/curio-go/curio/internal/events"
)

// ErrFormat is the error of Read for something that is not a file of a black box, or one of a later
// version.
var ErrFormat = errors.New("curio/blackbox: not a black box of a known version")

// Read reads a report, or a mapped file of a process that has ended. A file that ends too early is
// read as far as it goes; Report.Complete is then false. If r is something else, the error is
// ErrFormat. If reading from r fails, the error is r's own, and what could be read is returned with
// it.
func Read(r io.Reader) (*Report, error) {
	in := bufio.NewReader(r)
	first, err := readLine(in)
	if len(first) == 0 && err != nil && err != io.EOF {
		return nil, err
	}
	var kind struct {
		BlackBox, Ring int
	}
	if json.Unmarshal(first, &kind) != nil {
		return nil, ErrFormat
	}
	switch {
	case kind.BlackBox == version:
		return readReport(first, in)
	case kind.Ring == version:
		return readRing(first, in)
	}
	return nil, ErrFormat
}

// maxLine bounds a line of a file.
const maxLine = 64 << 20

// readLine returns the next line, without its end. At the end of r it returns what there is, and io.EOF.
func readLine(r *bufio.Reader) (text []byte, err error) {
	for {
		piece, err := r.ReadSlice('\n')
		text = append(text, piece...)
		switch {
		case len(text) > maxLine:
			return nil, fmt.Errorf("%w: it has a line of more than %d bytes", ErrFormat, maxLine)
		case err == bufio.ErrBufferFull:
		default:
			return bytes.TrimSuffix(text, []byte("\n")), err
		}
	}
}

func readReport(first []byte, in *bufio.Reader) (*Report, error) {
	var h header
	if err := json.Unmarshal(first, &h); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	r := &Report{
		Program: h.Program, PID: h.PID, Time: h.Time, Started: h.Started, Reason: h.Reason, Detail: h.Detail, Go: h.Go,
		Goroutines: h.Goroutines,
	}
	for !r.Complete {
		text, err := readLine(in)
		var l line
		if json.Unmarshal(text, &l) == nil {
			r.add(l)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

func (r *Report) add(l line) {
	switch {
	case l.Event != nil:
		r.Events = append(r.Events, *l.Event)
	case l.Deadlock != nil:
		r.Deadlocks = append(r.Deadlocks, *l.Deadlock)
	case l.Thread != nil:
		r.Threads = append(r.Threads, *l.Thread)
	case l.Task != nil:
		r.Tasks = append(r.Tasks, *l.Task)
	case l.Stacks != nil:
		r.Stacks = *l.Stacks
	case l.End != nil:
		r.LeftOff, r.Complete = l.End.LeftOff, true
	}
}

// maxRing bounds the ring of a mapped file.
const maxRing = 64 << 20

func readRing(first []byte, in *bufio.Reader) (*Report, error) {
	var h ringHeader
	if err := json.Unmarshal(first, &h); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if rest := ringAt - len(first) - 1; rest < 0 || h.Size < 0 || h.Size > maxRing {
		return nil, fmt.Errorf("%w: its header is damaged", ErrFormat)
	} else if _, err := in.Discard(rest); err != nil && err != io.EOF {
		return nil, err
	}
	mem := make([]byte, h.Size)
	n, err := io.ReadFull(in, mem)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	clear(mem[n:])
	r := &Report{
		Program: h.Program, PID: h.PID, Time: h.Wall, Reason: mappedReason, Go: h.Go,
		Events: theEvents(events.Decode(mem), h.Wall, h.Clock),
	}
	if len(r.Events) > 0 {
		r.Time = r.Events[len(r.Events)-1].Time
	}
	return r, err
}
