package stream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
)

var newline = []byte("\n")

// ReadLine reads a line, and returns it with the "\n" at its end, which only the last one
// may lack. After that one it returns io.EOF, again and again. If it is cancelled, what
// has come of the line stays in the buffer, and the next call returns the whole line. The
// same holds for other errors: half a line can then still be read by Read.
//
// A line longer than the limit, see SetLineLimit, is an error that is ErrLineTooLong.
// Nothing is lost, so the next call fails in the same way. To go on behind the line, call
// SkipLine; or read the beginning of the line by Read, or close the stream.
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

// SkipLine drops the rest of the line, however long it is, up to and with its "\n": after
// ErrLineTooLong it gets rid of a line that ReadLine refuses. It returns how many bytes it has
// dropped. The last line may lack the "\n"; behind that, the error is io.EOF. If it is cancelled, a
// part of the line has been dropped, and the next call drops the rest.
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

// ReadUntil reads up to the next delim, and returns what it has read with delim at its
// end. Otherwise it is as ReadLine: the last piece may lack delim, what has come of a
// piece stays in the buffer if it is cancelled, and the limit is the same. It panics if
// delim is empty.
func (s *Stream) ReadUntil(ctx context.Context, delim []byte) ([]byte, error) {
	if len(delim) == 0 {
		panic("curio/stream: ReadUntil with an empty delimiter; to read to the end there is ReadAll")
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

// Lines is an iterator over the lines that ReadLine returns. It ends with the stream; at
// any other error it yields that error with an empty line, and ends. What another task
// reads meanwhile is missing in it.
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

// ReadLines reads all lines there are up to the end of the stream. If it is cut short by
// an error, as by a cancellation, it returns with it the lines that are complete; half a
// line stays in the buffer, for the next call. How many lines there may be is not limited:
// with a peer that is not trusted use Lines.
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
