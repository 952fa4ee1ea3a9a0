package subprocess

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/stream"
)

// An output is where a program's standard output or standard error goes.
//
//	open ──► closed  when it has ended, has failed, or is given up: end is nil
//
// A terminal has not ended while its program runs, even if nobody has it open: the program may open it
// again by /dev/tty, and to close our side would hang up. Then it is looked at now and then.
type output struct {
	end    *end
	stream *stream.Stream // over end, nil for none
	to     sink
	again  time.Time // when to look at a terminal that nobody has open; zero if it is not known to be so
	late   bool      // it was given up before its end
	err    error     // of the pipe, or of the Writer

	w     io.Writer // to which what is in to, a *relay, is written; nil for none
	calls foreign
}

// A sink is what an output goes to. It takes what it is given at once.
type sink interface {
	// room is where to read to, nil to leave that to the caller.
	room() []byte

	// took is for n bytes that have been read into what room has returned.
	took(n int)

	// write is for what has been read elsewhere. It does not keep p.
	write(p []byte) error
}

// pieceSize is how much is read at once, as far as a sink has no room of its own.
const pieceSize = 32 << 10

var pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}

// newOutput returns the output that comes from e, nil if this process does not read it. If it is not
// for a Writer, it is captured, up to limit.
func newOutput(e *end, x Stdio, limit int64) *output {
	if e == nil {
		return nil
	}
	o := &output{end: e}
	if x, ok := x.(writerStdio); ok {
		o.copyTo(x.w)
	} else {
		o.to = newCapture(limit)
	}
	return o
}

// copyTo has the output written to w. Writers that are known not to wait are simply called.
func (o *output) copyTo(w io.Writer) {
	switch w.(type) {
	case *bytes.Buffer, *strings.Builder:
		o.to = quick{w}
	default:
		o.to, o.w = new(relay), w
	}
	if w == io.Discard {
		o.to, o.w = discard{}, nil
	}
}

// lookAgain is how long a terminal that nobody has open is left alone.
const lookAgain = 50 * time.Millisecond

// next is the next event of the output, if there is another one. running says that a program is.
func (o *output) next(running bool) (c curio.Case, ok bool) {
	switch {
	case o.calls.busy():
		return o.calls.returned(), true
	case o.end != nil && running && !o.again.IsZero():
		return curio.AtCase(o.again), true
	case o.end != nil:
		return o.end.readable, true
	}
	return c, false
}

func (o *output) happened(ctx context.Context, x *exchange, err error) {
	if !o.calls.busy() {
		o.receive(ctx, x)
		return
	}
	n, err := o.calls.result(err)
	r := o.to.(*relay)
	if err == nil && n != len(r.pending) {
		err = io.ErrShortWrite
	}
	r.pending = nil
	if err != nil {
		o.fail(err)
	}
}

// receive reads what is there, and reports false if there was nothing. The end is something. As long as
// there is more than it has asked for, it goes on for a while.
func (o *output) receive(ctx context.Context, x *exchange) (something bool) {
	const most = 8
	for range most {
		more, full := o.receiveOnce(ctx, x)
		something = something || more
		if !full || o.end == nil || o.calls.busy() {
			break
		}
	}
	return something
}

// receiveOnce makes one call. full is true if there may be more.
func (o *output) receiveOnce(ctx context.Context, x *exchange) (something, full bool) {
	o.again = time.Time{}
	n, full, err := o.read(ctx)
	if r, ok := o.to.(*relay); ok && n > 0 {
		p := r.pending
		o.calls.start(x.shield, "write "+o.end.name, func() (int, error) { return o.w.Write(p) })
	}
	switch {
	case err == nil:
	case err == errEmpty || isCut(err):
		return false, false
	case err == io.EOF && o.end.terminal != nil && !x.ended():
		_ = fault("nobody on the terminal")
		o.again = curio.Clock(ctx).Add(lookAgain)
		return false, false
	case err == io.EOF:
		o.close()
	default:
		o.fail(err)
	}
	return true, full
}

func (o *output) read(ctx context.Context) (n int, full bool, err error) {
	if room := o.to.room(); room != nil {
		if n, err = o.end.tryRead(ctx, room); n > 0 {
			o.to.took(n)
		}
		return n, n == len(room), err
	}
	piece := pieces.Get().(*[pieceSize]byte)
	defer pieces.Put(piece)
	if n, err = o.end.tryRead(ctx, piece[:]); n > 0 {
		err = o.to.write(piece[:n])
	}
	return n, n == len(piece), err
}

// fail ends the output. Its program gets SIGPIPE when it writes more, as in a pipeline.
func (o *output) fail(err error) {
	if o.err == nil {
		o.err = err
	}
	o.close()
}

func (o *output) close() {
	if o.end != nil {
		closeEnd(o.end, o.stream)
		o.end = nil
	}
}

// giveUp stops waiting for an output that another process has still open.
func (o *output) giveUp(ctx context.Context) {
	o.late = o.late || o.end != nil || o.calls.busy()
	o.calls.abandon(ctx)
	o.close()
}

// A relay is a piece of output on its way to a Writer. The memory belongs to the Writer until it has
// returned, so an abandoned one has it for good.
type relay struct {
	space   []byte
	pending []byte // part of space
}

func (r *relay) room() []byte {
	if r.space == nil {
		r.space = make([]byte, pieceSize)
	}
	return r.space
}

func (r *relay) took(n int)           { r.pending = r.space[:n] }
func (r *relay) write(p []byte) error { panic("curio/subprocess: a relay has room of its own") }

// quick is a Writer that does not wait.
type quick struct{ io.Writer }

func (quick) room() []byte           { return nil }
func (quick) took(int)               {}
func (q quick) write(p []byte) error { _, err := q.Write(p); return err }

// discard is for what is of no interest.
type discard struct{}

func (discard) room() []byte       { return nil }
func (discard) took(int)           {}
func (discard) write([]byte) error { return nil }
