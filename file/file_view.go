package file

import (
	"context"
	"io"
)

// Reader returns the file as package io has it, bound to ctx: for json.Decoder, bufio.Scanner,
// zip.NewReader, and whatever else knows no contexts. Its methods are Read, ReadAt and Seek with ctx.
// It reads nothing ahead.
func (f *File) Reader(ctx context.Context) interface {
	io.ReadSeeker
	io.ReaderAt
} {
	return view{ctx, f}
}

// Writer returns the file as package io has it, bound to ctx: for fmt.Fprintf, json.Encoder, io.Copy
// and whatever else knows no contexts. Its methods are Write, WriteAt and Seek with ctx. Many small
// writes are many hand-overs: a bufio.Writer on top makes few of them.
func (f *File) Writer(ctx context.Context) interface {
	io.WriteSeeker
	io.WriterAt
} {
	return view{ctx, f}
}

type view struct {
	ctx  context.Context
	file *File
}

func (v view) Read(p []byte) (int, error)                { return v.file.Read(v.ctx, p) }
func (v view) ReadAt(p []byte, off int64) (int, error)   { return v.file.ReadAt(v.ctx, p, off) }
func (v view) Write(p []byte) (int, error)               { return v.file.Write(v.ctx, p) }
func (v view) WriteAt(p []byte, off int64) (int, error)  { return v.file.WriteAt(v.ctx, p, off) }
func (v view) Seek(off int64, whence int) (int64, error) { return v.file.Seek(v.ctx, off, whence) }
