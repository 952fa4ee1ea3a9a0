package stream

import (
	"context"
	"io"
)

// Reader is the reading side of the stream as package io has it, bound to ctx: for
// json.Decoder, io.Copy, bufio.Scanner and whatever else knows no contexts. Its Read is
// Read with ctx.
func (s *Stream) Reader(ctx context.Context) io.Reader { return reader{ctx, s.Read} }

// Writer is the writing side of the stream as package io has it, bound to ctx: for
// fmt.Fprintf, json.Encoder, io.Copy and whatever else knows no contexts. Its Write is
// Write with ctx. Many small writes are many system calls, unless SetWriteBuffer has been
// called.
func (s *Stream) Writer(ctx context.Context) io.Writer { return writer{ctx, s.Write} }

// Reader is the receiving side of any Transport as package io has it, bound to ctx. It
// reads nothing ahead: each Read is one Recv with ctx.
func Reader(ctx context.Context, t Transport) io.Reader { return reader{ctx, t.Recv} }

// Writer is the sending side of any Transport as package io has it, bound to ctx. Each
// Write is one SendAll with ctx.
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
