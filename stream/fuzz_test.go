package stream_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/curio-go/curio/stream"
)

// chunks cuts data into random pieces.
func chunks(data []byte, seed uint64) (pieces [][]byte) {
	random := rand.New(rand.NewPCG(seed, 0))
	for len(data) > 0 {
		n := 1 + random.IntN(len(data))
		if random.IntN(2) == 0 {
			n = 1 + random.IntN(min(len(data), 5))
		}
		pieces = append(pieces, bytes.Clone(data[:n]))
		data = data[n:]
	}
	return pieces
}

// However it arrives, what is read is what bytes.SplitAfter makes of it.
func FuzzReadUntil(f *testing.F) {
	f.Add([]byte("one\r\n\r\ntwo\r\r\n\r\n"), []byte("\r\n\r\n"), uint64(1))
	f.Add([]byte("aaaabaaab"), []byte("aab"), uint64(2))
	f.Add([]byte(""), []byte("x"), uint64(3))
	f.Add(bytes.Repeat([]byte("0123456789"), 2000), []byte("90123"), uint64(4))
	f.Fuzz(func(t *testing.T, data, delim []byte, seed uint64) {
		if len(delim) == 0 {
			t.Skip("it panics, as it should")
		}
		s := stream.New(&script{pieces: chunks(data, seed)})
		s.SetLineLimit(stream.NoLimit)
		for _, part := range bytes.SplitAfter(data, delim) {
			if len(part) == 0 {
				break // data is empty, or ends with delim
			}
			piece, err := s.ReadUntil(background, delim)
			got(t, piece, err, string(part), nil)
		}
		piece, err := s.ReadUntil(background, delim)
		got(t, piece, err, "", io.EOF)
	})
}

// The same for lines, of which some are too long, read by all the ways there are.
func FuzzLines(f *testing.F) {
	f.Add([]byte("one\ntwo\n\nthree"), uint64(1), 3)
	f.Add([]byte("\n\n\n"), uint64(2), 1)
	f.Add(bytes.Repeat([]byte("0123456789\n"), 500), uint64(3), 11)
	f.Fuzz(func(t *testing.T, data []byte, seed uint64, limit int) {
		limit = max(1, limit%(1<<20))
		s := stream.New(&script{pieces: chunks(data, seed)})
		s.SetLineLimit(limit)
		random := rand.New(rand.NewPCG(seed, 1))
		for rest := data; len(rest) > 0; {
			part, _, _ := bytes.Cut(rest, []byte("\n"))
			part = rest[:min(len(part)+1, len(rest))]
			switch {
			case len(part) > limit:
				line, err := s.ReadLine(background)
				got(t, line, err, "", stream.ErrLineTooLong)
				part = part[:1+random.IntN(len(part))]
				fallthrough
			case random.IntN(4) == 0:
				p := make([]byte, len(part))
				n, err := s.ReadFull(background, p)
				got(t, p[:n], err, string(part), nil)
			case random.IntN(4) == 0:
				p, err := s.ReadExactly(background, len(part))
				got(t, p, err, string(part), nil)
			default:
				line, err := s.ReadLine(background)
				got(t, line, err, string(part), nil)
			}
			rest = rest[len(part):]
		}
		line, err := s.ReadLine(background)
		got(t, line, err, "", io.EOF)
	})
}
