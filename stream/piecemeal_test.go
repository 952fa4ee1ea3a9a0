package stream_test

import (
	"net"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/stream"
)

// counted counts the Reads of a net.Conn of which nothing else is known.
type counted struct {
	net.Conn
	reads int
}

func (c *counted) Read(p []byte) (int, error) {
	c.reads++
	return c.Conn.Read(p)
}

// A stream waits without a buffer. Of what has come it must not take a byte at a time for
// that, also if a byte is all that tells that something has come.
func TestSmallReadsOfANetConn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	inner, err := net.Dial("tcp", l.Addr().String())
	check(t, err)
	other, err := l.Accept()
	check(t, err)
	defer other.Close()
	c := &counted{Conn: inner}
	s := closing(t, stream.FromConn(c))
	want := numbered(3000)
	_, err = other.Write(want)
	check(t, err)
	got, err := s.ReadExactly(background, len(want))
	check(t, err)
	if string(got) != string(want) {
		t.Error("not what was sent")
	}
	if c.reads > 20 {
		t.Errorf("%d bytes took %d reads", len(want), c.reads)
	}
	check(t, s.CloseContext(background))
	testutil.Await(t, "the end", func() bool { _, err := other.Read(got); return err != nil })
}
