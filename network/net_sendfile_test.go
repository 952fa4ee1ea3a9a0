package network_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// The file that is sent by the system.
type sender struct {
	network.Conn
	calls []string
	whole bool
}

func (s *sender) SendFile(ctx context.Context, f *os.File, offset, count int64) (int64, error) {
	if !s.whole && count > 10 {
		count = 10 // as far as it gets
	}
	buf := make([]byte, count)
	if _, err := f.ReadAt(buf, offset); err != nil {
		return 0, err
	}
	n, err := s.Conn.SendAll(ctx, buf)
	s.calls = append(s.calls, string(buf[:n]))
	return int64(n), err
}

const story = "It was a dark and stormy night."

func TestReadFromFile(t *testing.T) {
	for name, c := range map[string]struct {
		limit, from int64
		hidden      bool // io.Copy, which goes through the file's WriteTo
		want        string
		sent        int // by SendFile
	}{
		"whole":       {-1, 0, false, story, len(story)},
		"io.Copy":     {-1, 0, true, story, len(story)},
		"from offset": {-1, 7, false, story[7:], len(story) - 7},
		"limited":     {12, 3, false, story[3:15], 12},
		"beyond end":  {1000, 20, false, story[20:], len(story) - 20},
		"nothing":     {0, 0, false, "", 0},
		"at end":      {-1, int64(len(story)), false, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			path := t.TempDir() + "/story"
			must(t, os.WriteFile(path, []byte(story), 0o600))
			f, err := os.Open(path)
			must(t, err)
			defer f.Close()
			_, err = f.Seek(c.from, io.SeekStart)
			must(t, err)
			x, y := twoSockets(t)
			s := &sender{Conn: x}
			conn := network.NetConn(t.Context(), s)
			var src io.Reader = f
			if c.limit >= 0 {
				src = io.LimitReader(f, c.limit)
			}
			var n int64
			if c.hidden {
				n, err = io.Copy(conn, src)
			} else {
				n, err = conn.(io.ReaderFrom).ReadFrom(src)
			}
			if err != nil || n != int64(len(c.want)) {
				t.Errorf("%d, %v", n, err)
			}
			if got := strings.Join(s.calls, ""); got != c.want[:c.sent] {
				t.Errorf("SendFile sent %q", s.calls)
			}
			if at, err := f.Seek(0, io.SeekCurrent); err != nil || at != c.from+int64(len(c.want)) {
				t.Errorf("the file is at %d, %v", at, err)
			}
			if l, ok := src.(*io.LimitedReader); ok && l.N != c.limit-int64(len(c.want)) {
				t.Errorf("the limit is %d", l.N)
			}
			must(t, conn.Close())
			got, err := io.ReadAll(network.NetConn(t.Context(), y))
			if err != nil || string(got) != c.want {
				t.Errorf("received %q, %v", got, err)
			}
		})
	}
}

// A file that has become shorter ends sooner, as for io.Copy.
func TestReadFromFileThatShrinks(t *testing.T) {
	testutil.NoLeaks(t)
	path := t.TempDir() + "/story"
	must(t, os.WriteFile(path, []byte(story), 0o600))
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	x, y := twoSockets(t)
	conn := network.NetConn(t.Context(), &shrinking{x})
	n, err := io.Copy(conn, f)
	if n != 5 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	must(t, conn.Close())
	got, err := io.ReadAll(network.NetConn(t.Context(), y))
	if err != nil || string(got) != story[:5] {
		t.Errorf("received %q, %v", got, err)
	}
}

// A shrinking Conn finds the file cut off at five bytes.
type shrinking struct{ network.Conn }

func (s *shrinking) SendFile(ctx context.Context, f *os.File, _, _ int64) (int64, error) {
	if err := os.Truncate(f.Name(), 5); err != nil {
		return 0, err
	}
	n, err := s.SendAll(ctx, []byte(story[:5]))
	return int64(n), errors.Join(err, io.ErrUnexpectedEOF)
}

// What is no file is copied; an error of the source is that of ReadFrom.
func TestReadFromOther(t *testing.T) {
	testutil.NoLeaks(t)
	x, y := twoSockets(t)
	conn := network.NetConn(t.Context(), &sender{Conn: x, whole: true})
	boom := errors.New("boom")
	n, err := conn.(io.ReaderFrom).ReadFrom(io.MultiReader(strings.NewReader("some"), failing{boom}))
	if n != 4 || err != boom {
		t.Errorf("%d, %v", n, err)
	}
	buf := make([]byte, 10)
	if n, err := y.Recv(t.Context(), buf); err != nil || !bytes.Equal(buf[:n], []byte("some")) {
		t.Errorf("%q, %v", buf[:n], err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
