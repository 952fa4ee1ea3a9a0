package stream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
)

var newline = []byte("\n")

// ReadLine reads a line and returns it with its "\n", which may be missing only in the last line.
// At the end of the stream it returns io.EOF. If ctx is done first, it returns an error that wraps
// ctx's error; what has arrived of the line stays in the buffer, and the next call returns the
// whole line. The same is true after other errors: Read can still return the partial line.
//
// If the line is longer than the limit, the error wraps ErrLineTooLong; see SetLineLimit. The line
// stays in the buffer, so the next call fails in the same way. To continue after the line, call
// SkipLine. Read returns the beginning of the line.
func (s *Stream) ReadLine(ctx context.Context) (string, error) {
	if err := s.startReading(ctx); err != nil {
		return "", err
	}
	defer s.reading.Release(ctx)
	return s.readLine(ctx)
}

// readLine is ReadLine in turn.
func (s *Stream) readLine(ctx context.Context) (string, error) {
	n, err := s.find(ctx, newline)
	if err != nil {
		return "", err
	}
	line := string(s.in.bytes()[:n])
	s.in.drop(n)
	return line, nil
}

// SkipLine discards the rest of the line, however long, including its "\n", and returns how many
// bytes it discarded. Use it after ErrLineTooLong. The last line may lack the "\n"; after it the
// error is io.EOF. If ctx is done first, SkipLine returns an error that wraps ctx's error and how
// many bytes it has discarded; the next call discards the rest.
func (s *Stream) SkipLine(ctx context.Context) (discarded int64, err error) {
	if err := s.startReading(ctx); err != nil {
		return 0, err
	}
	defer s.reading.Release(ctx)
	for {
		if s.in.len() == 0 {
			if err := s.fill(ctx); err != nil {
				if err == io.EOF && discarded > 0 {
					err = nil
				}
				return discarded, err
			}
		}
		n := bytes.IndexByte(s.in.bytes(), '\n') + 1
		found := n > 0
		if !found {
			n = s.in.len()
		}
		s.in.drop(n)
		discarded += int64(n)
		if found {
			return discarded, nil
		}
	}
}

// ReadUntil reads up to and including the next delim and returns it all. The last piece may lack
// delim. The limit, cancellation and errors are as for ReadLine. ReadUntil panics if delim is
// empty.
func (s *Stream) ReadUntil(ctx context.Context, delim []byte) ([]byte, error) {
	if len(delim) == 0 {
		panic("curio/stream: ReadUntil with an empty delimiter; use ReadAll to read to the end")
	}
	if err := s.startReading(ctx); err != nil {
		return nil, err
	}
	defer s.reading.Release(ctx)
	n, err := s.find(ctx, delim)
	if err != nil {
		return nil, err
	}
	piece := bytes.Clone(s.in.bytes()[:n])
	s.in.drop(n)
	return piece, nil
}

// find waits until there is a delim in the buffer, and returns where in the buffer it
// ends. At the end of the stream that is the end of the buffer, or io.EOF if it is empty.
func (s *Stream) find(ctx context.Context, delim []byte) (int, error) {
	limit := s.maxLine()
	searched := 0 // no delim begins before
	for {
		there := s.in.bytes()
		if limit > 0 && len(there) > limit {
			there = there[:limit]
		}
		if i := bytes.Index(there[searched:], delim); i >= 0 {
			return searched + i + len(delim), nil
		}
		if limit > 0 && s.in.len() > limit {
			return 0, s.failed("read", fmt.Errorf("%w: more than %d bytes", ErrLineTooLong, limit))
		}
		searched = max(searched, len(there)-len(delim)+1)
		switch err := s.fill(ctx); {
		case err == io.EOF && s.in.len() > 0:
			return s.in.len(), nil
		case err != nil:
			return 0, err
		}
	}
}

// Lines returns an iterator over the lines that ReadLine returns. It ends at the end of the stream.
// After any other error, also ctx's error, it yields that error with an empty line and ends. Lines
// that another task reads meanwhile are missing from it.
//
//	for line, err := range s.Lines(ctx) {
//		if err != nil {
//			return err
//		}
//		fmt.Print(line)
//	}
func (s *Stream) Lines(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for {
			line, err := s.ReadLine(ctx)
			if err == io.EOF || !yield(line, err) || err != nil {
				return
			}
		}
	}
}

// ReadLines reads all lines up to the end of the stream. If ctx is done or reading fails, it
// returns the complete lines with the error; a partial line stays in the buffer for the next call.
// The number of lines is not limited: use Lines with peers that are not trusted.
func (s *Stream) ReadLines(ctx context.Context) ([]string, error) {
	if err := s.startReading(ctx); err != nil {
		return nil, err
	}
	defer s.reading.Release(ctx)
	var lines []string
	for {
		line, err := s.readLine(ctx)
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
		lines = append(lines, line)
	}
}
