package subprocess

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

// A capture against a naive one, with limits and pieces of all sizes.
func TestCaptureModel(t *testing.T) {
	for range testutil.Times(2_000) {
		limit := 1 + rand.IntN(40)
		if rand.IntN(10) == 0 {
			limit = pieceSize*2 + rand.IntN(pieceSize)
		}
		c := newCapture(int64(limit))
		var all []byte
		for range rand.IntN(12) {
			p := make([]byte, rand.IntN(limit*2))
			for i := range p {
				p[i] = byte(rand.Int())
			}
			all = append(all, p...)
			for len(p) > 0 {
				if room := c.room(); room != nil {
					n := copy(room, p)
					c.took(n)
					p = p[n:]
					continue
				}
				n := min(len(p), 1+rand.IntN(pieceSize))
				if err := c.write(p[:n]); err != nil {
					t.Fatal(err)
				}
				p = p[n:]
			}
		}
		want, dropped := all, 0
		if len(all) > limit {
			dropped = len(all) - limit
			want = append(append([]byte(nil), all[:limit/2]...), all[len(all)-(limit-limit/2):]...)
		}
		if got := c.bytes(); !bytes.Equal(got, want) || c.dropped != int64(dropped) {
			t.Fatalf("limit %d, %d bytes: %d kept, %d dropped, want %d and %d", limit, len(all), len(got), c.dropped, len(want), dropped)
		}
		if cap(c.data) > 2*limit+1024 {
			t.Fatalf("limit %d: room for %d", limit, cap(c.data))
		}
	}
}

// What a capture takes grows with what comes, and not with the limit.
func TestCaptureMemory(t *testing.T) {
	c := newCapture(0)
	if err := c.write([]byte("hello")); err != nil || cap(c.data) > 64 {
		t.Errorf("%v, room for %d", err, cap(c.data))
	}
}

// Lines against strings.SplitAfter, in pieces of all sizes.
func FuzzLines(f *testing.F) {
	f.Add("a\nbc\r\n\x00\n\nlong line that is over the limit\nend", uint16(3))
	f.Add(strings.Repeat("x", 100), uint16(1))
	f.Add(strings.Repeat("x", 10)+"\n", uint16(100))
	for seed := range uint16(100) {
		f.Add("123456789\nab\n1234567890\ncd\n\nef", seed)
	}
	f.Fuzz(func(t *testing.T, text string, seed uint16) {
		const limit = 8
		random := rand.New(rand.NewPCG(uint64(seed), 0))
		l := &lineSink{limit: limit}
		type line struct {
			text    string
			tooLong bool
		}
		var got []line
		take := func(end bool) {
			for {
				text, tooLong, ok := l.take(end)
				if !ok {
					return
				}
				got = append(got, line{text, tooLong})
			}
		}
		for rest := text; rest != ""; {
			n := min(len(rest), 1+random.IntN(12))
			if err := l.write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
			for l.ready() {
				before := len(got)
				text, tooLong, ok := l.take(false)
				if got = append(got, line{text, tooLong}); !ok {
					t.Fatalf("ready, and nothing to take after %v", got[:before])
				}
			}
		}
		take(true)
		var want []line
		for _, s := range strings.SplitAfter(text, "\n") {
			switch {
			case s == "":
			case len(s) > limit:
				want = append(want, line{s[:limit], true})
			default:
				want = append(want, line{s, false})
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("%+v, want %+v", got, want)
			}
		}
	})
}
