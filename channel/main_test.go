package channel_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"testing"

	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/waittest"
	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/stream"
)

// What a test does in the name of a task.
var (
	newTask     = waittest.Task
	cancel      = waittest.Cancel
	awaitParked = waittest.AwaitParked
	awaitIn     = waittest.AwaitIn
	in          = waittest.In
	during      = waittest.During
)

// children are what the test binary does when it plays a child process. Arguments are os.Args[2:].
var children = map[string]func(){
	"fips":    fipsMain,
	"connect": connectMain,
	"relay":   relayMain,

	"stranger": strangerMain,
	"upper":    upperMain,
}

func TestMain(m *testing.M) {
	testutil.Main(m, func() { children[os.Args[1]]() })
}

var background = context.Background()

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// want checks that err is each of the targets.
func want(t testing.TB, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Fatalf("%v, want %v", err, target)
		}
	}
}

// isNot checks that err is none of the targets.
func isNot(t testing.TB, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if errors.Is(err, target) {
			t.Fatalf("%v is %v", err, target)
		}
	}
}

// got checks a message and that there was no error.
func got(t testing.TB, b []byte, err error, wanted string) {
	t.Helper()
	if err != nil || string(b) != wanted {
		t.Fatalf("%q, %v, want %q", short(b), err, short([]byte(wanted)))
	}
}

func short(b []byte) string {
	if len(b) > 100 {
		return string(b[:100]) + "..."
	}
	return string(b)
}

// socketPair is two stream sockets, which are closed at the end of the test.
func socketPair(t testing.TB) (a, b *socket.Socket) {
	t.Helper()
	a, b, err := socket.SocketPair(socket.SOCK_STREAM)
	check(t, err)
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// over is a connection over t, without a key.
func over(t testing.TB, transport stream.Transport, config *channel.Config) *channel.Conn {
	t.Helper()
	c, err := channel.Client(background, transport, config)
	check(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// pair is the two ends of a connection.
func pair(t testing.TB, config *channel.Config) (a, b *channel.Conn) {
	t.Helper()
	s, r := socketPair(t)
	return over(t, s, config), over(t, r, config)
}

// half is a connection, and the socket at the other end.
func half(t testing.TB, config *channel.Config) (*channel.Conn, *socket.Socket) {
	t.Helper()
	a, b := socketPair(t)
	return over(t, a, config), b
}

// frame is b with its header.
func frame(b string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(b)))) + b
}

// longFrame is b with a long header.
func longFrame(b string) string { return "\xff\xff\xff\xff" + string(long(uint64(len(b)))) + b }

func long(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// announced is the header of a message of that many bytes.
func announced(n uint64) string {
	if n <= math.MaxInt32 {
		return string(binary.BigEndian.AppendUint32(nil, uint32(n)))
	}
	return "\xff\xff\xff\xff" + string(long(n))
}

func put(t testing.TB, to stream.Transport, text string) {
	t.Helper()
	_, err := to.SendAll(background, []byte(text))
	check(t, err)
}

// rest receives up to the end.
func rest(t testing.TB, from stream.Transport) []byte {
	t.Helper()
	all, err := io.ReadAll(stream.Reader(background, from))
	check(t, err)
	return all
}

// exactly receives n bytes.
func exactly(t testing.TB, from stream.Transport, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	_, err := io.ReadFull(stream.Reader(background, from), b)
	check(t, err)
	return b
}

// zeros is more than any socket has room for.
var zeros = make([]byte, 16<<20)

// fill sends until there is no more room, and returns how much that was.
func fill(t testing.TB, s *socket.Socket) (n int) {
	t.Helper()
	_ = during(t, func(ctx context.Context) (err error) {
		n, err = s.SendAll(ctx, zeros)
		return err
	})
	return n
}

// numbered is n bytes of which each says something of its place.
func numbered(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return p
}

func same(t testing.TB, a, b []byte) {
	t.Helper()
	if !bytes.Equal(a, b) {
		t.Fatalf("%d bytes %q, want %d bytes %q", len(a), short(a), len(b), short(b))
	}
}
