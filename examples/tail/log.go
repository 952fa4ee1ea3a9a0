package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
)

// An output is where lines go to.
type output interface{ Write(p []byte) (int, error) }

// A log is a log file that may be rotated.
type log struct {
	path string
	out  output
	file *part
	old  []*part // were rotated away; somebody may still write to them
}

// A part is a file that is or was the log, and how much of it has been printed.
type part struct {
	*file.File
	offset int64
}

const (
	blockSize = 64 << 10
	maxBack   = 16 << 20 // how far from the end the last lines may begin
)

func (l *log) open(ctx context.Context) error {
	f, err := file.Open(ctx, l.path)
	if err != nil {
		return err
	}
	info, err := f.Stat(ctx)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", l.path)
	}
	if err != nil {
		f.Close()
		return err
	}
	l.file = &part{File: f}
	return nil
}

func (l *log) close() {
	for _, p := range append(l.old, l.file) {
		if p != nil {
			p.Close()
		}
	}
}

// rotated opens the file that has the log's name now, unless it is the one that is open. The other one
// stays open until the new one has contents, as a program may go on to write to it for a while.
func (l *log) rotated(ctx context.Context) error {
	before := l.file
	switch err := l.open(ctx); {
	case errors.Is(err, fs.ErrNotExist): // it has gone again, and the next one will be reported
		return nil
	case err != nil:
		return err
	}
	now := l.file
	l.old = append(l.old, before)
	a, err := before.Stat(ctx)
	if err != nil {
		return err
	}
	b, err := now.Stat(ctx)
	if err != nil {
		return err
	}
	if os.SameFile(a, b) {
		now.Close()
		l.file, l.old = before, l.old[:len(l.old)-1]
	}
	return nil
}

// print writes what has been added.
func (l *log) print(ctx context.Context) error {
	for {
		for _, p := range l.old {
			if err := l.printPart(ctx, p); err != nil {
				return err
			}
		}
		data, err := l.file.next(ctx)
		if err != nil || len(data) == 0 {
			return err
		}
		for _, p := range l.old { // what was written before the new file was
			if err := l.printPart(ctx, p); err != nil {
				return err
			}
			p.Close()
		}
		l.old = nil
		if err := l.write(ctx, data); err != nil {
			return err
		}
	}
}

func (l *log) printPart(ctx context.Context, p *part) error {
	for {
		data, err := p.next(ctx)
		if err != nil || len(data) == 0 {
			return err
		}
		if err := l.write(ctx, data); err != nil {
			return err
		}
	}
}

func (l *log) write(ctx context.Context, data []byte) error {
	// The output is a terminal or a pipe that others have, too, so its mode is left alone.
	_, err := curio.RunInThread(ctx, func() (int, error) { return l.out.Write(data) }, func(int, error) {})
	return err
}

// next returns what comes next in the file, nothing at its end. A file that has become shorter was
// truncated, and is read from its beginning.
func (p *part) next(ctx context.Context) ([]byte, error) {
	info, err := p.Stat(ctx)
	if err != nil {
		return nil, err
	}
	offset := p.offset
	if info.Size() < offset {
		offset = 0
	}
	data := make([]byte, min(blockSize, max(info.Size()-offset, 1)))
	n, err := p.ReadAt(ctx, data, offset)
	if err != nil && err != io.EOF {
		return nil, err
	}
	p.offset = offset + int64(n)
	return data[:n], nil
}

// skipTo makes the last lines of the file what is printed first.
func (l *log) skipTo(ctx context.Context, lines int) error {
	info, err := l.file.Stat(ctx)
	if err != nil {
		return err
	}
	l.file.offset, err = lastLines(l.file.Reader(ctx), info.Size(), lines)
	return err
}

// lastLines returns where the last n lines begin of a file that ends at end. The last one need not have a
// newline.
func lastLines(f io.ReaderAt, end int64, n int) (int64, error) {
	if n == 0 {
		return end, nil
	}
	block := make([]byte, blockSize)
	for at := end; at > 0 && end-at < maxBack; {
		part := block[:min(blockSize, at)]
		at -= int64(len(part))
		switch _, err := f.ReadAt(part, at); err {
		case nil:
		case io.EOF: // it has just been truncated
			return 0, nil
		default:
			return 0, err
		}
		for i := len(part); i > 0; {
			i = bytes.LastIndexByte(part[:i], '\n')
			if i < 0 {
				break
			}
			if at+int64(i)+1 == end { // it ends the last line: look for the line before
				continue
			}
			if n--; n == 0 {
				return at + int64(i) + 1, nil
			}
		}
	}
	return max(0, end-maxBack), nil
}
