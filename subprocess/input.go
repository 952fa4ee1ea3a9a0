package subprocess

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/stream"
)

// An input is what a program reads: rest, then what from returns, then the end.
//
//	open ──► closed  when all is written, nobody reads any more, or it is abandoned: end is nil
type input struct {
	end    *end
	stream *stream.Stream // over end, nil for none
	rest   []byte         // still to be written
	from   io.Reader      // what comes after rest, nil for nothing
	err    error          // of from, or of the pipe; that nobody reads is none

	halted bool // nothing more is written, but it is not closed: half an input must not look like a whole one
	empty  int  // how often from has returned nothing
	buf    []byte
	calls  foreign

	atStart bool // of a line of the terminal
	typed   bool // the end of file of the terminal
}

// newInput returns the input that goes to e, nil if there is nothing that this process writes.
func newInput(e *end, x Stdio) *input {
	if e == nil {
		return nil
	}
	in := &input{end: e, atStart: true}
	switch x := x.(type) {
	case bytesStdio:
		in.rest = x.data
	case readerStdio:
		in.from = x.r
	}
	return in
}

// next is the next event of the input, if there is another one.
func (in *input) next(x *exchange) (c curio.Case, ok bool) {
	for {
		switch {
		case in.end == nil || in.halted:
			return c, false
		case in.calls.busy():
			return in.calls.returned(), true
		case len(in.rest) > 0:
			return in.end.writable, true
		case in.from != nil:
			in.refill(x)
		case in.end.terminal != nil && !in.typed:
			in.typeEnd()
		default:
			in.close()
		}
	}
}

// refill reads more from the user's reader. Those that are known not to wait are simply called.
func (in *input) refill(x *exchange) {
	if in.buf == nil {
		in.buf = make([]byte, pieceSize)
	}
	switch from := in.from.(type) {
	case *bytes.Reader, *bytes.Buffer, *strings.Reader:
		in.got(from.Read(in.buf))
	default:
		in.calls.start(x.shield, "read "+in.end.name, func() (int, error) { return from.Read(in.buf) })
	}
}

// got is for what a Read into buf has returned.
func (in *input) got(n int, err error) {
	const patience = 100 // as in package bufio
	switch {
	case n < 0 || n > len(in.buf):
		n, err = 0, fmt.Errorf("the Reader returned a count of %d for a buffer of %d bytes", n, len(in.buf))
	case n == 0 && err == nil:
		if in.empty++; in.empty >= patience {
			err = io.ErrNoProgress
		}
	default:
		in.empty = 0
	}
	in.rest = in.buf[:n]
	if err != nil {
		in.from = nil
		if err != io.EOF {
			in.err = err
		}
	}
}

// typeEnd has the terminal's end of file typed: once where a line begins, and once more in the middle of
// a line, as the first one only sends that off.
func (in *input) typeEnd() {
	const control = "\x04\x04"
	in.typed = true
	in.rest = []byte(control[1:])
	if !in.atStart {
		in.rest = []byte(control)
	}
}

func (in *input) happened(ctx context.Context, _ *exchange, err error) {
	if in.calls.busy() {
		in.got(in.calls.result(err))
		return
	}
	n, err := in.end.tryWrite(ctx, in.rest)
	if n > 0 {
		in.atStart = in.rest[n-1] == '\n'
		in.rest = in.rest[n:]
	}
	switch {
	case err == nil, err == errEmpty, isCut(err):
	case errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed):
		in.rest, in.from = nil, nil
		in.close()
	default:
		in.err = err
		in.close()
	}
}

// close lets the program read the end. A terminal is closed with the output.
func (in *input) close() {
	if in.end != nil && in.end.terminal == nil {
		closeEnd(in.end, in.stream)
	}
	in.end = nil
}

// abandon closes the input, whatever is left.
func (in *input) abandon(ctx context.Context) {
	in.calls.abandon(ctx)
	in.close()
}
