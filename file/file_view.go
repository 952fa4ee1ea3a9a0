package file

import (
	"context"
	"io"
)

// Reader returns the reading side of the file with package io's methods, for code that takes no
// context, such as json.Decoder, bufio.Scanner and zip.NewReader. Its methods Read, ReadAt and Seek
// call f's methods with ctx, and return an error that wraps ctx's error when ctx is done. It does
// not read ahead.
func (f *File) Reader(ctx context.Context) interface {
	io.ReadSeeker
	io.ReaderAt
} {
	return view{ctx, f}
}

// Writer returns the writing side of the file with package io's methods, for code that takes no
// context, such as fmt.Fprintf, json.Encoder and io.Copy. Its methods Write, WriteAt and Seek call
// f's methods with ctx, and return an error that wraps ctx's error when ctx is done. Many small
// writes mean many calls of workers; put a bufio.Writer on top.
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
