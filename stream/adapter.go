package stream

import (
	"context"
	"io"
)

// Reader returns the reading side of the stream as an io.Reader, for code that takes no context,
// such as json.Decoder, io.Copy and bufio.Scanner. Each Read of it is a call of s.Read with ctx:
// when ctx is done, it returns an error that wraps ctx's error.
func (s *Stream) Reader(ctx context.Context) io.Reader { return reader{ctx, s.Read} }

// Writer returns the writing side of the stream as an io.Writer, for code that takes no context,
// such as fmt.Fprintf, json.Encoder and io.Copy. Each Write of it is a call of s.Write with ctx:
// when ctx is done, it returns an error that wraps ctx's error. Many small writes make many system
// calls, unless SetWriteBuffer has been called.
func (s *Stream) Writer(ctx context.Context) io.Writer { return writer{ctx, s.Write} }

// Reader returns the receiving side of t as an io.Reader, for code that takes no context. It does
// not read ahead: each Read is one call of t.Recv with ctx, and returns an error that wraps ctx's
// error when ctx is done.
func Reader(ctx context.Context, t Transport) io.Reader { return reader{ctx, t.Recv} }

// Writer returns the sending side of t as an io.Writer, for code that takes no context. Each Write
// is one call of t.SendAll with ctx, and returns an error that wraps ctx's error when ctx is done.
func Writer(ctx context.Context, t Transport) io.Writer { return writer{ctx, t.SendAll} }

type transfer func(ctx context.Context, p []byte) (int, error)

type reader struct {
	ctx context.Context
	do  transfer
}

func (r reader) Read(p []byte) (int, error) { return r.do(r.ctx, p) }

type writer struct {
	ctx context.Context
	do  transfer
}

func (w writer) Write(p []byte) (int, error) { return w.do(w.ctx, p) }
