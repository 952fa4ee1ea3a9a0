package channel_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// What is tested with Python itself: its multiprocessing.connection is at the other end, in testdata/peer.py.

// pythons are the versions to test with: in a long run all that there are, otherwise the last that knows
// MD5 alone and the last of all.
func pythons(t testing.TB) []testutil.Python {
	t.Helper()
	all := testutil.Pythons(t)
	if testutil.Long {
		return all
	}
	last := all[len(all)-1]
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Minor < namesDigests && last.Minor >= namesDigests {
			return []testutil.Python{all[i], last}
		}
	}
	return []testutil.Python{last}
}

// namesDigests is the first 3.x that begins challenges with the name of a digest.
const namesDigests = 12

// knowsLongLengths is the first 3.x whose messages may have 2 GiB and more.
const knowsLongLengths = 8

// A python is a process that runs testdata/peer.py.
type python struct {
	*testutil.Child
	t     testing.TB
	minor int
}

func startPython(t testing.TB, p testutil.Python) *python {
	t.Helper()
	py := &python{testutil.Program(t, p.Path, filepath.Join("testdata", "peer.py")), t, p.Minor}
	py.After("3.")
	return py
}

// withPythons runs test with each of them.
func withPythons(t *testing.T, test func(t *testing.T, py *python)) {
	t.Helper()
	all := pythons(t)
	for _, p := range all {
		t.Run(fmt.Sprintf("3.%d", p.Minor), func(t *testing.T) { test(t, startPython(t, p)) })
	}
}

// do has it make a connection. key and digest may be "".
func (py *python) do(side, address, key, digest string) {
	py.t.Helper()
	if digest == "" {
		digest = "-"
	}
	if key = hex.EncodeToString([]byte(key)); key == "" {
		key = "-"
	}
	if _, err := fmt.Fprintln(py.Stdin, side, address, key, digest); err != nil {
		py.t.Fatal(err)
	}
}

// listen has it listen, on TCP for an address of "". It returns where.
func (py *python) listen(address, key, digest string) (kind, at string) {
	py.t.Helper()
	tcp := address == ""
	if tcp {
		address = "0"
	}
	py.do("listen", address, key, digest)
	if at = py.After("listening "); tcp {
		return "tcp", net.JoinHostPort("127.0.0.1", at)
	}
	return "unix", at
}

// connect has it connect with a Listener.
func (py *python) connect(l *channel.Listener, key, digest string) {
	py.t.Helper()
	at := l.LocalAddr().String()
	if _, port, err := net.SplitHostPort(at); err == nil {
		at = port
	}
	py.do("connect", at, key, digest)
}

// says checks the next line of it.
func (py *python) says(want string) {
	py.t.Helper()
	if got := py.Line(); got != want {
		py.t.Errorf("it says %q, want %q", got, want)
	}
}

// gone checks that its connection has ended, as far as it can tell.
func (py *python) gone() {
	py.t.Helper()
	if got := py.Line(); got != "end" && !strings.HasPrefix(got, "error: ") {
		py.t.Errorf("it says %q", got)
	}
}

// patiently returns a context that makes a hang visible.
func patiently(t testing.TB) context.Context {
	ctx, cancel := curio.WithTimeout(background, testutil.Patience)
	t.Cleanup(cancel)
	return ctx
}

// dialled is a connection with a Python that listens.
func dialled(t testing.TB, py *python, address string, config *channel.Config, digest string) *channel.Conn {
	t.Helper()
	kind, at := py.listen(address, string(config.Key), digest)
	conn, err := channel.Connect(patiently(t), kind, at, config)
	check(t, err)
	py.says("connected")
	return conn
}

// accepted is a connection of a Python with a Listener.
func accepted(t testing.TB, py *python, l *channel.Listener, key, digest string) *channel.Conn {
	t.Helper()
	py.connect(l, key, digest)
	conn, err := l.Accept(patiently(t))
	check(t, err)
	py.says("connected")
	return conn
}

// listening is a Listener in a kernel of its own, on TCP for an address of "".
func listening(t testing.TB, address string, config *channel.Config) (l *channel.Listener) {
	t.Helper()
	kernel := curio.NewKernel()
	kind := "unix"
	if address == "" {
		kind, address = "tcp", "127.0.0.1:0"
	}
	check(t, kernel.Run(background, func(ctx context.Context) (err error) {
		l, err = channel.Listen(ctx, kind, address, config)
		return err
	}))
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := kernel.Shutdown(patiently(t)); err != nil {
			t.Error(err)
		}
	})
	return l
}

// hangUp closes a connection, of which Python sees the end.
func hangUp(t testing.TB, py *python, conn *channel.Conn) {
	t.Helper()
	check(t, conn.Close())
	py.says("end")
}

func keyed(key string) *channel.Config { return &channel.Config{Key: []byte(key)} }

// echoes sends a message that Python sends back.
func echoes(t testing.TB, conn *channel.Conn, message []byte) {
	t.Helper()
	ctx := patiently(t)
	check(t, conn.SendBytes(ctx, message))
	got, err := conn.RecvBytes(ctx)
	if err != nil || !bytes.Equal(got, message) {
		t.Errorf("%d bytes come back as %d, %v", len(message), len(got), err)
	}
}

// asks sends a command, and returns the message that it makes Python send.
func asks(t testing.TB, conn *channel.Conn, command string) string {
	t.Helper()
	ctx := patiently(t)
	check(t, conn.SendBytes(ctx, []byte(command)))
	got, err := conn.RecvBytes(ctx)
	check(t, err)
	return string(got)
}

// converse sends and receives whatever the format has.
func converse(t testing.TB, conn *channel.Conn) {
	t.Helper()
	ctx := patiently(t)
	for _, n := range []int{0, 1, 2, 255, 16383, 16384, 16385, 70_000, 1 << 20} {
		echoes(t, conn, bytes.Repeat([]byte{0xff, 0, '!'}, n/3+1)[:n])
	}
	if got := asks(t, conn, "!send:3000000"); got != strings.Repeat("x", 3_000_000) {
		t.Errorf("%d bytes, want 3,000,000 times x", len(got))
	}
	large := bytes.Repeat([]byte("0123456789"), 500_000)
	if got, want := asks(t, conn, "!sum:"+string(large)), fmt.Sprintf("%x", sha256.Sum256(large)); got != want {
		t.Errorf("the sum of %d bytes is %s, want %s", len(large), got, want)
	}
	for _, message := range []string{"", "hi", strings.Repeat("long", 10_000)} { // with a long header
		if got := asks(t, conn, "!long:"+message); got != message {
			t.Errorf("%d bytes, want %d", len(got), len(message))
		}
	}
	// A pickle is a message, which is not decoded, and does no harm to the next one.
	if got := asks(t, conn, "!pickle:"); !strings.HasPrefix(got, "\x80") {
		t.Errorf("a pickle of %q", got)
	}
	check(t, conn.SendBytes(ctx, []byte("!pickle:")))
	value := map[string]any{"before": 1}
	if err := conn.Recv(ctx, &value); !errors.Is(err, channel.ErrPickle) || value["before"] != 1 || strings.Contains(err.Error(), "key") {
		t.Errorf("a pickle is received as %v, %v", value, err)
	}
	sent := map[string]any{"name": "curio", "numbers": []any{1.5, nil, true}, "empty": ""}
	check(t, conn.Send(ctx, sent))
	if err := conn.Recv(ctx, &value); err != nil || !reflect.DeepEqual(value, sent) {
		t.Errorf("%v comes back as %v, %v", sent, value, err)
	}
}

func TestPythonListens(t *testing.T) {
	withPythons(t, func(t *testing.T, py *python) {
		for _, address := range []string{"", filepath.Join(t.TempDir(), "socket")} {
			for _, config := range []*channel.Config{keyed(secret), keyed(strings.Repeat("long key ", 100)), {}} {
				conn := dialled(t, py, address, config, "")
				if len(config.Key) == len(secret) {
					converse(t, conn)
				} else {
					echoes(t, conn, []byte("hi"))
				}
				hangUp(t, py, conn)
			}
		}
	})
}

func TestPythonConnects(t *testing.T) {
	withPythons(t, func(t *testing.T, py *python) {
		for _, address := range []string{"", filepath.Join(t.TempDir(), "socket")} {
			l := listening(t, address, keyed(secret))
			conn := accepted(t, py, l, secret, "")
			converse(t, conn)
			hangUp(t, py, conn)
		}
		conn := accepted(t, py, listening(t, "", nil), "", "")
		echoes(t, conn, []byte("hi"))
		hangUp(t, py, conn)
	})
}

// traps 84: a name that begins with "@" here begins with a zero byte in Python, and has none at its end.
func TestPythonAbstractName(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has abstract names")
	}
	withPythons(t, func(t *testing.T, py *python) {
		if py.minor < 7 {
			t.Skip("this version cannot close a Listener with an abstract name")
		}
		name := fmt.Sprintf("@curio-test-%d-%d", os.Getpid(), py.minor)
		conn := dialled(t, py, name, keyed(secret), "")
		echoes(t, conn, []byte("hi"))
		hangUp(t, py, conn)
		conn = accepted(t, py, listening(t, name, keyed(secret)), secret, "")
		echoes(t, conn, []byte("hi"))
		hangUp(t, py, conn)
	})
}

// Each digest that Python knows, of its challenges and of its answers.
func TestPythonDigests(t *testing.T) {
	withPythons(t, func(t *testing.T, py *python) {
		if py.minor < namesDigests {
			t.Skip("this version knows MD5 alone")
		}
		l, strict := listening(t, "", keyed(secret)), listening(t, "", &channel.Config{Key: []byte(secret), RefuseMD5: true})
		for _, digest := range []string{"md5", "sha256", "sha384", "sha3_256", "sha3_384"} {
			hangUp(t, py, dialled(t, py, "", keyed(secret), digest))
			hangUp(t, py, accepted(t, py, l, secret, digest))
			if digest != "md5" {
				hangUp(t, py, accepted(t, py, strict, secret, digest))
			}
		}
		hangUp(t, py, accepted(t, py, l, secret, "bare-md5"))
		for _, digest := range []string{"sha1", "sha512"} {
			py.connect(l, secret, digest)
			py.says("refused")
		}
		for _, digest := range []string{"md5", "bare-md5"} {
			py.connect(strict, secret, digest)
			py.says("refused")
		}
	})
}

// Without MD5 there is no talking with Python up to 3.11, in either direction.
func TestPythonWithoutMD5(t *testing.T) {
	withPythons(t, func(t *testing.T, py *python) {
		config := &channel.Config{Key: []byte(secret), RefuseMD5: true}
		l := listening(t, "", config)
		if py.minor >= namesDigests {
			hangUp(t, py, dialled(t, py, "", config, ""))
			hangUp(t, py, accepted(t, py, l, secret, ""))
			return
		}
		kind, at := py.listen("", secret, "")
		_, err := channel.Connect(patiently(t), kind, at, config)
		refused(t, err, "wants an answer by MD5", secret)
		py.gone()
		py.connect(l, secret, "")
		py.says("refused")
	})
}

// Two keys, in both directions; and after that the right one gets in.
func TestPythonWithAnotherKey(t *testing.T) {
	withPythons(t, func(t *testing.T, py *python) {
		for _, key := range []string{"Secret", "secret0", "x"} {
			kind, at := py.listen("", secret, "")
			_, err := channel.Connect(patiently(t), kind, at, keyed(key))
			refused(t, err, "the peer refuses our answer", secret, key)
			py.says("refused")
		}
		l := listening(t, "", keyed(secret))
		for _, key := range []string{"Secret", "secret ", "x"} {
			py.connect(l, key, "")
			py.says("refused")
		}
		hangUp(t, py, accepted(t, py, l, secret, ""))
	})
}

// traps 82: only one side has a key.
func TestPythonWithKeyOnOneSide(t *testing.T) {
	withPythons(t, func(t *testing.T, py *python) {
		// Python listens with one, and challenges.
		for name, receive := range map[string]func(ctx context.Context, conn *channel.Conn) error{
			"Recv":      func(ctx context.Context, conn *channel.Conn) error { var v any; return conn.Recv(ctx, &v) },
			"RecvBytes": func(ctx context.Context, conn *channel.Conn) error { _, err := conn.RecvBytes(ctx); return err },
		} {
			kind, at := py.listen("", secret, "")
			conn, err := channel.Connect(patiently(t), kind, at, nil)
			check(t, err)
			if err := receive(patiently(t), conn); !errors.Is(err, channel.ErrKeyWanted) {
				t.Errorf("%s: %v, want %v", name, err, channel.ErrKeyWanted)
			}
			check(t, conn.Close())
			py.gone()
		}

		// Python listens without one, and waits for a message.
		kind, at := py.listen("", "", "")
		config := keyed(secret)
		config.HandshakeTimeout = 10 * time.Millisecond
		_, err := channel.Connect(patiently(t), kind, at, config)
		if !errors.Is(err, network.ErrHandshakeTimeout) || !strings.Contains(err.Error(), "which sends none if it uses no key") {
			t.Errorf("%v, want %v", err, network.ErrHandshakeTimeout)
		}
		py.says("connected")
		py.gone()

		// Python connects without one, and takes the challenge for a message, which it sends back.
		l := listening(t, "", keyed(secret))
		py.connect(l, "", "")
		py.says("connected")
		py.gone()

		// Python connects with one, and waits for a challenge.
		open := listening(t, "", nil)
		py.connect(open, secret, "")
		conn, err := open.Accept(patiently(t))
		check(t, err)
		ctx, cancel := curio.WithTimeout(background, 10*time.Millisecond)
		defer cancel()
		if _, err := conn.RecvBytes(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a message comes of nothing: %v", err)
		}
		check(t, conn.SendBytes(patiently(t), []byte("hi"))) // no challenge
		py.says("refused")
		check(t, conn.Close())
	})
}

// traps 10: lengths that cannot be, or are refused, and ends in the middle.
func TestPythonAnnounces(t *testing.T) {
	withPythons(t, func(t *testing.T, py *python) {
		l := listening(t, "", &channel.Config{Key: []byte(secret), MaxMessage: 100_000})
		for _, test := range []struct {
			header string
			want   error
		}{
			{"\xff\xff\xff\xfe", channel.ErrProtocol},
			{"\x80\x00\x00\x00", channel.ErrProtocol},
			{"\x00\x01\x86\xa1", channel.ErrTooLong}, // 100,001
			{"\x7f\xff\xff\xff", channel.ErrTooLong},
			{"\xff\xff\xff\xff\x00\x00\x00\x00\x00\x01\x86\xa1", channel.ErrTooLong},
			{"\xff\xff\xff\xff\x00\x00\x00\x00\x80\x00\x00\x00", channel.ErrTooLong}, // 2 GiB
			{"\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff", channel.ErrTooLong},
			{"\xff\xff\xff\xff\x80\x00\x00\x00\x00\x00\x00\x00", channel.ErrTooLong},
			{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", channel.ErrTooLong},
		} {
			conn := accepted(t, py, l, secret, "")
			check(t, conn.SendBytes(patiently(t), []byte("!raw:"+test.header)))
			if b, err := conn.RecvBytes(patiently(t)); !errors.Is(err, test.want) {
				t.Errorf("% x: %q, %v, want %v", test.header, b, err, test.want)
			}
			if err := conn.SendBytes(patiently(t), nil); !errors.Is(err, net.ErrClosed) || !errors.Is(err, test.want) {
				t.Errorf("% x: a Send after it: %v", test.header, err)
			}
			py.gone()
		}
		for piece, want := range map[string]error{
			"": io.EOF, "\x00": io.ErrUnexpectedEOF, "\x00\x00\x00\x05": io.ErrUnexpectedEOF, "\x00\x00\x00\x05hell": io.ErrUnexpectedEOF,
			"\xff\xff\xff\xff": io.ErrUnexpectedEOF, "\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00": io.ErrUnexpectedEOF,
		} {
			conn := accepted(t, py, l, secret, "")
			ctx := patiently(t)
			check(t, conn.SendBytes(ctx, []byte("!raw:"+piece)))
			check(t, conn.SendBytes(ctx, []byte("!close:")))
			py.says("closed")
			for range 2 {
				if b, err := conn.RecvBytes(ctx); !errors.Is(err, want) || want != io.EOF && errors.Is(err, io.EOF) {
					t.Errorf("% x: %q, %v, want %v", piece, b, err, want)
				}
			}
			check(t, conn.Close())
		}
	})
}

// What is too long for Python, which then reads no more: a short message, and in a long run two of 2 GiB, of
// which it reads the header. The race detector would need several times their memory.
func TestPythonRefusesLength(t *testing.T) {
	var huge []byte // of zeros that nobody touches
	if testutil.Long && !testutil.Race && math.MaxInt > math.MaxInt32 {
		most := math.MaxInt32 // a variable, for 32 bits
		huge = make([]byte, most+1)
	}
	withPythons(t, func(t *testing.T, py *python) {
		messages := [][]byte{make([]byte, 11)}
		if huge != nil && py.minor >= knowsLongLengths {
			messages = append(messages, huge[:math.MaxInt32], huge)
		}
		l := listening(t, "", keyed(secret))
		for _, message := range messages {
			conn := accepted(t, py, l, secret, "")
			check(t, conn.SendBytes(patiently(t), []byte("!most:10")))
			err := conn.SendBytes(patiently(t), message)
			if len(message) > 1<<20 && !errors.Is(err, channel.ErrCut) {
				t.Errorf("%d bytes: %v", len(message), err)
			}
			if got := py.Line(); !strings.HasPrefix(got, "error: ") || !strings.Contains(got, "message length") {
				t.Errorf("%d bytes: it says %q", len(message), got)
			}
			check(t, conn.Close())
		}
	})
}
