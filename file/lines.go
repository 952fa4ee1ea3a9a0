package file

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"

	"github.com/curio-go/curio/internal/wait"
)

// DefaultLineLimit is the maximum length of a line in bytes, unless SetLineLimit changes it.
const DefaultLineLimit = 64 << 10

// NoLimit means that there is no limit, for SetLineLimit, ReadAll and ReadFileLimit.
const NoLimit = -1

// An ahead is what ReadLine has read and not returned. Of a file with offsets it is only kept for the
// next ReadLine; of a pipe it comes before all that is read later. Guarded by the file's turn.
type ahead struct {
	unread  []byte
	at      int64 // the offset of unread
	changes int64 // File.changes when it was read
}

func (a *ahead) len() int          { return len(a.unread) }
func (a *ahead) add(more []byte)   { a.unread = append(a.unread, more...) }
func (a *ahead) drop()             { a.unread = nil }
func (a *ahead) take(p []byte) int { return a.skip(copy(p, a.unread)) }

func (a *ahead) skip(n int) int {
	a.unread = a.unread[n:]
	a.at += int64(n)
	if len(a.unread) == 0 {
		a.unread = nil // a file of which nobody reads lines has no buffer
	}
	return n
}

// fit drops what is not at offset off, or may have been changed since.
func (a *ahead) fit(off, changes int64) {
	if skip := off - a.at; a.changes == changes && skip >= 0 && skip < int64(len(a.unread)) {
		a.skip(int(skip))
		return
	}
	*a = ahead{at: off, changes: changes}
}

// SetLineLimit sets the maximum length in bytes of a line for ReadLine and Lines, including the end
// of the line. 0 means DefaultLineLimit. With NoLimit, a file without an end of line is held in
// memory as a whole. The setting applies from the next call on. SetLineLimit panics if n is less
// than NoLimit.
func (f *File) SetLineLimit(n int) {
	if n < NoLimit {
		panic(fmt.Sprintf("file: a line limit of %d; use NoLimit for no limit", n))
	}
	f.lineLimit.Store(int64(n))
}

// maxLine is the limit, as large as can be for none.
func (f *File) maxLine() int {
	switch n := f.lineLimit.Load(); n {
	case 0:
		return DefaultLineLimit
	case NoLimit:
		return math.MaxInt - 1
	default:
		return int(n)
	}
}

// ReadLine reads a line at the offset and returns it with its "\n", which may be missing only in
// the last line. A "\r" is not removed. At the end of the file it returns io.EOF; if the file
// grows, the next call reads on.
//
// The offset moves by the line, not by the data that was read ahead. If ctx is done first, ReadLine
// returns an error that wraps ctx's error, and the next call returns the whole line. If the line is
// longer than the limit, the error wraps ErrLineTooLong; see SetLineLimit. The next call then fails
// in the same way, until Read or Seek moves the offset.
func (f *File) ReadLine(ctx context.Context) (string, error) {
	if err := f.enter("read"); err != nil {
		return "", err
	}
	defer f.leave()
	line, err := at(ctx, func(ctx context.Context, place wait.Place) (string, error) {
		if err := f.take(place); err != nil {
			return "", err
		}
		kept := false
		defer func() {
			if !kept {
				f.turn.Pass()
			}
		}()
		var n int
		var err error
		if n, kept, err = f.findLine(ctx, place); err != nil {
			return "", err
		}
		line := string(f.ahead.unread[:n])
		f.ahead.skip(n)
		f.offset += int64(n)
		return line, nil
	})
	return line, f.readError(err)
}

// findLine reads until there is a line, and returns its length.
func (f *File) findLine(ctx context.Context, place wait.Place) (n int, kept bool, err error) {
	a := &f.ahead
	if f.seekable {
		a.fit(f.offset, f.changes.Load())
	}
	limit, searched := f.maxLine(), 0
	for {
		if i := bytes.IndexByte(a.unread[searched:min(len(a.unread), limit)], '\n'); i >= 0 {
			return searched + i + 1, false, nil
		}
		if len(a.unread) > limit {
			return 0, false, fmt.Errorf("%w: more than %d bytes, from offset %d", ErrLineTooLong, limit, f.offset)
		}
		searched = len(a.unread)
		if err := f.mayGoOn(place); err != nil {
			return 0, false, err
		}
		kept, err = f.fill(ctx, place)
		switch {
		case err == io.EOF && len(a.unread) > 0:
			return len(a.unread), false, nil
		case err != nil:
			if !kept && len(a.unread) == 0 {
				a.drop()
			}
			return 0, kept, err
		}
	}
}

// fill reads more ahead: little at first, as it may be one line that is wanted.
func (f *File) fill(ctx context.Context, place wait.Place) (kept bool, err error) {
	a := &f.ahead
	if len(a.unread) == cap(a.unread) {
		a.unread = slices.Grow(a.unread, min(max(4<<10, 2*len(a.unread)), piece))
	}
	room := a.unread[len(a.unread):cap(a.unread)]
	var n int
	if f.seekable {
		n, err = f.readSome(ctx, place, room, a.at+int64(len(a.unread)))
	} else {
		n, kept, err = f.readNext(ctx, place, room)
	}
	if !kept {
		a.unread = a.unread[:len(a.unread)+n]
	}
	return kept, err
}

// Lines returns an iterator over the lines that ReadLine returns. It ends at the end of the file.
// After any other error, also ctx's error, it yields that error with an empty line and ends. Lines
// that another task reads meanwhile are missing from it.
//
//	for line, err := range f.Lines(ctx) {
//		if err != nil {
//			return err
//		}
//		fmt.Print(line)
//	}
func (f *File) Lines(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for {
			line, err := f.ReadLine(ctx)
			if err == io.EOF || !yield(line, err) || err != nil {
				return
			}
		}
	}
}
