package channel_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
)

// Exchanges with Python, for where there is none: testdata/recorded has the bytes of both directions, with
// our challenges made of what is not random. They are made anew, with all versions that are installed, by
//
//	CURIO_RECORD=1 go test -run TestRecorded ./channel

// An exchange is one connection, of which the same code is run when it is recorded and when it is replayed.
type exchange struct {
	listens bool // Go does
	config  channel.Config
	python  string // its key
	digest  string // of its challenges and answers
	run     func(t testing.TB, conn *channel.Conn, err error)
}

var exchanges = map[string]exchange{
	"go-connects":             {false, *keyed(secret), secret, "", tellsEverything},
	"go-listens":              {true, *keyed(secret), secret, "", tellsEverything},
	"go-connects-without-key": {false, channel.Config{}, "", "", tellsEverything},
	"go-connects-wrong-key":   {false, *keyed("guess"), secret, "", isRefused("the peer refuses our answer")},
	"go-listens-wrong-key":    {true, *keyed(secret), "guess", "", isRefused("the peer has another key")},
	"go-wants-no-key":         {false, channel.Config{}, secret, "", wantsKey},
	"go-connects-md5":         {false, *keyed(secret), secret, "md5", saysHi},
	"go-listens-md5":          {true, *keyed(secret), secret, "md5", saysHi},
	"go-connects-sha384":      {false, *keyed(secret), secret, "sha384", saysHi},
	"go-listens-sha384":       {true, *keyed(secret), secret, "sha384", saysHi},
	"go-connects-sha3_256":    {false, *keyed(secret), secret, "sha3_256", saysHi},
	"go-listens-sha3_256":     {true, *keyed(secret), secret, "sha3_256", saysHi},
	"go-connects-sha3_384":    {false, *keyed(secret), secret, "sha3_384", saysHi},
	"go-listens-sha3_384":     {true, *keyed(secret), secret, "sha3_384", saysHi},
	"go-listens-sha1":         {true, *keyed(secret), secret, "sha1", isRefused("not one of this protocol")},
	"go-listens-without-md5": {
		true, channel.Config{Key: []byte(secret), RefuseMD5: true}, secret, "bare-md5", isRefused("answers by MD5, which is refused here"),
	},
}

// forVersion reports whether an exchange is one that this version of Python can have.
func (e exchange) forVersion(minor int) bool { return e.digest == "" || minor >= namesDigests }

func saysHi(t testing.TB, conn *channel.Conn, err error) {
	t.Helper()
	check(t, err)
	echoes(t, conn, []byte("hi"))
}

func tellsEverything(t testing.TB, conn *channel.Conn, err error) {
	t.Helper()
	saysHi(t, conn, err)
	ctx := patiently(t)
	echoes(t, conn, nil)
	echoes(t, conn, []byte(strings.Repeat("x", 300)))
	for _, message := range []string{"", "hi"} {
		if got := asks(t, conn, "!long:"+message); got != message {
			t.Errorf("%q, want %q", got, message)
		}
	}
	check(t, conn.SendBytes(ctx, []byte("!pickle:")))
	var value any
	if err := conn.Recv(ctx, &value); !errors.Is(err, channel.ErrPickle) {
		t.Errorf("a pickle is received as %v, %v", value, err)
	}
	check(t, conn.Send(ctx, []int{1, 2}))
	if err := conn.Recv(ctx, &value); err != nil || fmt.Sprint(value) != "[1 2]" {
		t.Errorf("%v, %v", value, err)
	}
	check(t, conn.SendBytes(ctx, []byte("!close:")))
	if b, err := conn.RecvBytes(ctx); err != io.EOF {
		t.Errorf("%q, %v, want %v", b, err, io.EOF)
	}
}

func isRefused(why string) func(t testing.TB, conn *channel.Conn, err error) {
	return func(t testing.TB, conn *channel.Conn, err error) {
		t.Helper()
		refused(t, err, why, secret, "guess")
		if conn != nil {
			t.Error("there is a connection")
		}
	}
}

func wantsKey(t testing.TB, conn *channel.Conn, err error) {
	t.Helper()
	check(t, err)
	if _, err := conn.RecvBytes(patiently(t)); !errors.Is(err, channel.ErrKeyWanted) {
		t.Errorf("%v, want %v", err, channel.ErrKeyWanted)
	}
}

// over runs an exchange over a stream, with challenges that are always the same.
func (e exchange) over(t testing.TB, below stream.Transport) {
	t.Helper()
	defer channel.SetRandom(func(b []byte) { copy(b, up(len(b))) })()
	make := channel.Client
	if e.listens {
		make = channel.Server
	}
	conn, err := make(patiently(t), below, &e.config)
	e.run(t, conn, err)
	if conn != nil {
		check(t, conn.Close())
	}
}

func TestRecorded(t *testing.T) {
	if os.Getenv("CURIO_RECORD") != "" {
		for _, p := range testutil.Pythons(t) {
			if slices.Contains([]int{8, 11, 12, 13}, p.Minor) {
				record(t, startPython(t, p))
			}
		}
	}
	files, err := filepath.Glob("testdata/recorded/*.txt")
	check(t, err)
	if len(files) < 40 {
		t.Errorf("there are only %d recordings", len(files))
	}
	for _, file := range files {
		_, name, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".txt"), "-")
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			check(t, err)
			r := &replay{t: t, steps: parseRecording(t, string(text))}
			exchanges[name].over(t, r)
			if !r.closed || len(r.steps) > 0 {
				t.Errorf("closed: %v; %d steps of the recording are left", r.closed, len(r.steps))
			}
		})
	}
}

// A step is what one side sends until the other one does.
type step struct {
	ours  bool
	bytes []byte
}

func parseRecording(t testing.TB, text string) (steps []step) {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		direction, digits, _ := strings.Cut(lines.Text(), " ")
		if direction == "#" {
			continue
		}
		b, err := hex.DecodeString(digits)
		check(t, err)
		ours := direction == ">"
		if n := len(steps); n > 0 && steps[n-1].ours == ours {
			steps[n-1].bytes = append(steps[n-1].bytes, b...)
		} else {
			steps = append(steps, step{ours, b})
		}
	}
	return steps
}

// A replay is a transport that sends what was recorded, and wants to be sent exactly the same.
type replay struct {
	t      testing.TB
	steps  []step
	closed bool
}

func (r *replay) Recv(_ context.Context, buf []byte) (int, error) {
	if len(r.steps) == 0 {
		return 0, io.EOF
	}
	if r.steps[0].ours {
		return 0, fmt.Errorf("it waits, instead of sending % x", r.steps[0].bytes)
	}
	// In pieces of odd lengths, as a network may have them.
	return copy(buf[:min(len(buf), 7)], r.take(min(len(buf), 7))), nil
}

func (r *replay) SendAll(_ context.Context, b []byte) (int, error) {
	if len(r.steps) == 0 || !r.steps[0].ours || len(r.steps[0].bytes) < len(b) {
		return 0, fmt.Errorf("% x is sent, which was not recorded", b)
	}
	if want := r.take(len(b)); string(want) != string(b) {
		return 0, fmt.Errorf("% x is sent, and not % x, as it was recorded", b, want)
	}
	return len(b), nil
}

// take takes up to n bytes of the next step.
func (r *replay) take(n int) []byte {
	s := &r.steps[0]
	n = min(n, len(s.bytes))
	b := s.bytes[:n]
	if s.bytes = s.bytes[n:]; len(s.bytes) == 0 {
		r.steps = r.steps[1:]
	}
	return b
}

func (r *replay) Close() error { r.closed = true; return nil }

// record writes the exchanges with one Python.
func record(t *testing.T, py *python) {
	t.Helper()
	for name, e := range exchanges {
		if !e.forVersion(py.minor) {
			continue
		}
		var below net.Conn
		var err error
		if e.listens {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			check(t, err)
			_, port, _ := net.SplitHostPort(l.Addr().String())
			py.do("connect", port, e.python, e.digest)
			below, err = l.Accept()
			check(t, err)
			check(t, l.Close())
		} else {
			kind, at := py.listen("", e.python, e.digest)
			below, err = net.Dial(kind, at)
			check(t, err)
		}
		taped := &tape{Conn: network.FromConn(below)}
		e.over(t, taped)
		for {
			said := py.Line()
			if said != "connected" {
				break
			}
		}
		file := fmt.Sprintf("testdata/recorded/3.%d-%s.txt", py.minor, name)
		text := fmt.Sprintf("# Python 3.%d: > is what Go sends, < what it receives\n%s", py.minor, taped.text.String())
		check(t, os.WriteFile(file, []byte(text), 0o644))
	}
}

// A tape is a connection that notes what goes over it.
type tape struct {
	network.Conn
	text strings.Builder
}

func (c *tape) Recv(ctx context.Context, buf []byte) (int, error) {
	n, err := c.Conn.Recv(ctx, buf)
	if n > 0 {
		fmt.Fprintf(&c.text, "< %x\n", buf[:n])
	}
	return n, err
}

func (c *tape) SendAll(ctx context.Context, buf []byte) (int, error) {
	n, err := c.Conn.SendAll(ctx, buf)
	fmt.Fprintf(&c.text, "> %x\n", buf[:n])
	return n, err
}
