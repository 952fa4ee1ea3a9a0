package channel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/stream"
)

// What is sent, byte for byte, as Python's multiprocessing.connection has it.
func TestSentBytes(t *testing.T) {
	for _, message := range []string{
		"", "hi", strings.Repeat("x", 16<<10-1), strings.Repeat("x", 16<<10), strings.Repeat("x", 16<<10+1), strings.Repeat("y", 100_000),
	} {
		c, peer := half(t, nil)
		_, join := in(t, func(ctx context.Context) error { return c.SendBytes(ctx, []byte(message)) })
		same(t, exactly(t, peer, 4+len(message)), []byte(frame(message)))
		check(t, join())
		check(t, c.Close())
		same(t, rest(t, peer), nil)
	}
}

// traps, wire format: both forms of a length, at the border between them.
func TestHeaders(t *testing.T) {
	for size, wanted := range map[uint64]string{
		0: "\x00\x00\x00\x00", 2: "\x00\x00\x00\x02", math.MaxInt32: "\x7f\xff\xff\xff",
		1 << 31: "\xff\xff\xff\xff\x00\x00\x00\x00\x80\x00\x00\x00", 1<<40 + 5: "\xff\xff\xff\xff\x00\x00\x01\x00\x00\x00\x00\x05",
	} {
		if header := string(channel.AppendHeader(nil, size)); header != wanted {
			t.Errorf("%d is %x, want %x", size, header, wanted)
		}
	}
}

// traps, wire format: a message of up to 16 KiB goes out in one piece with its header, and one that is longer
// begins with a piece that is as long.
func TestSentInOnePiece(t *testing.T) {
	for _, size := range []int{0, 1, 16 << 10, 16<<10 + 1, 1 << 20} {
		v := newValve(math.MaxInt)
		check(t, over(t, v, nil).SendBytes(background, make([]byte, size)))
		if first := v.sends[0]; first != 4+min(size, 16<<10) || len(v.sends) > 2 {
			t.Errorf("%d bytes are sent in pieces of %d", size, v.sends)
		}
	}
}

// traps, wire format: both forms of a length are received, the long one also for small lengths; messages that
// come together, or in pieces of one byte.
func TestReceivedBytes(t *testing.T) {
	large := string(numbered(100_000))
	for name, send := range map[string]func(peer *socket.Socket, text string){
		"together": func(peer *socket.Socket, text string) { put(t, peer, text) },
		"byte by byte": func(peer *socket.Socket, text string) {
			putSlowly(t, peer, text[:min(len(text), 200)])
			put(t, peer, text[200:])
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, peer := half(t, nil)
			text := frame("") + frame("hi") + longFrame("") + longFrame("hello") + frame(strings.Repeat("x", 200)) + frame(large) + longFrame(large)
			_, join := in(t, func(context.Context) error { send(peer, text); return peer.Close() })
			for _, message := range []string{"", "hi", "", "hello", strings.Repeat("x", 200), large, large} {
				b, err := c.RecvBytes(background)
				got(t, b, err, message)
				if b == nil {
					t.Error("an empty message is nil")
				}
			}
			check(t, join())
			for range 2 {
				if _, err := c.RecvBytes(background); err != io.EOF {
					t.Errorf("at the end %v, want io.EOF as it is", err)
				}
			}
		})
	}
}

func putSlowly(t *testing.T, peer *socket.Socket, text string) {
	for i := range len(text) {
		put(t, peer, text[i:i+1])
	}
}

// traps 89 and the issue: lengths that are negative or absurd are refused, and the connection is closed and
// says so.
func TestImpossibleLengths(t *testing.T) {
	limited := &channel.Config{MaxMessage: 1000}
	for name, test := range map[string]struct {
		header string
		config *channel.Config
		is     error
		text   string
	}{
		"-2":                  {"\xff\xff\xff\xfe", nil, channel.ErrProtocol, "-2"},
		"least":               {"\x80\x00\x00\x00", nil, channel.ErrProtocol, "-2147483648"},
		"pickle without one":  {"\x80\x04\x95\x0a", nil, channel.ErrProtocol, ""},
		"over the default":    {announced(64<<20 + 1), nil, channel.ErrTooLong, "67108865 bytes are announced, at most 67108864 are allowed"},
		"over the limit":      {announced(1001), limited, channel.ErrTooLong, "1001"},
		"long over the limit": {"\xff\xff\xff\xff" + string(long(1001)), limited, channel.ErrTooLong, "1001"},
		"2 GiB":               {announced(1 << 31), nil, channel.ErrTooLong, "2147483648"},
		"2^63":                {announced(1 << 63), &channel.Config{MaxMessage: -1}, channel.ErrTooLong, "9223372036854775808"},
		"2^64-1":              {announced(math.MaxUint64), &channel.Config{MaxMessage: -1}, channel.ErrTooLong, "18446744073709551615"},
	} {
		for way, receive := range receivers {
			t.Run(name+"/"+way, func(t *testing.T) {
				c, peer := half(t, test.config)
				put(t, peer, test.header)
				err := receive(background, c)
				want(t, err, test.is)
				isNot(t, err, io.EOF, io.ErrUnexpectedEOF)
				if !strings.Contains(err.Error(), test.text) {
					t.Errorf("%v says nothing of %s", err, test.text)
				}
				want(t, receive(background, c), test.is, net.ErrClosed)
				want(t, c.SendBytes(background, nil), test.is, net.ErrClosed)
				same(t, rest(t, peer), nil)
				check(t, c.Close())
			})
		}
	}
}

// receivers are the ways to receive a message.
var receivers = map[string]func(ctx context.Context, c *channel.Conn) error{
	"Recv": func(ctx context.Context, c *channel.Conn) error { var v any; return c.Recv(ctx, &v) },
	"RecvBytes": func(ctx context.Context, c *channel.Conn) error {
		_, err := c.RecvBytes(ctx)
		return err
	},
	"RecvBytesInto": func(ctx context.Context, c *channel.Conn) error {
		_, err := c.RecvBytesInto(ctx, make([]byte, 1<<10))
		return err
	},
}

// The largest message that is allowed.
func TestAtTheLimit(t *testing.T) {
	c, peer := half(t, &channel.Config{MaxMessage: 1000})
	text := string(numbered(1000))
	put(t, peer, frame(text))
	b, err := c.RecvBytes(background)
	got(t, b, err, text)
}

// io.EOF is the end between two messages, and io.ErrUnexpectedEOF that within one, wherever it is.
func TestEndWithinMessage(t *testing.T) {
	for _, whole := range []string{frame("hello"), longFrame("hello")} {
		for n := range len(whole) {
			for way, receive := range receivers {
				c, peer := half(t, nil)
				put(t, peer, frame(`"first"`)+whole[:n])
				check(t, peer.Close())
				check(t, receive(background, c))
				for range 2 {
					err := receive(background, c)
					if n == 0 && err != io.EOF || n > 0 && (!errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)) {
						t.Errorf("%s after %d bytes of %q: %v", way, n, whole, err)
					}
				}
				c.Close()
			}
		}
	}
}

// behaviours H16, H17: into a buffer. A message that does not fit is not lost.
func TestRecvBytesInto(t *testing.T) {
	a, b := pair(t, nil)
	large := numbered(400_000)
	_, join := in(t, func(ctx context.Context) error {
		return errors.Join(a.SendBytes(ctx, large), a.SendBytes(ctx, []byte("hello")), a.SendBytes(ctx, nil))
	})
	buf := make([]byte, len(large)+10)
	n, err := b.RecvBytesInto(background, buf)
	check(t, err)
	same(t, buf[:n], large)
	for range 2 {
		n, err = b.RecvBytesInto(background, buf[:4])
		want(t, err, io.ErrShortBuffer)
		if n != 5 {
			t.Errorf("a message of 5 bytes has %d", n)
		}
	}
	n, err = b.RecvBytesInto(background, buf[:n])
	got(t, buf[:n], err, "hello")
	n, err = b.RecvBytesInto(background, nil)
	got(t, buf[:n], err, "")
	check(t, join())
}

type person struct {
	Name string
	Age  int
	Tags map[string]int
	Boss *person
}

// behaviours H1, H3: values in both directions, by both codecs, and never into what was there before.
func TestValues(t *testing.T) {
	many := testutil.Times(1_000_000)
	for _, codec := range []channel.Codec{channel.JSON, channel.Gob} {
		t.Run(codec.String(), func(t *testing.T) {
			a, b := pair(t, &channel.Config{Codec: codec})
			_, join := in(t, func(ctx context.Context) error {
				var err error
				for i := range 3 {
					err = errors.Join(err, a.Send(ctx, person{Name: fmt.Sprint("n", i), Tags: map[string]int{fmt.Sprint(i): i}}))
				}
				return errors.Join(err, a.Send(ctx, []int{1, 2, 3}), a.Send(ctx, "text"), a.Send(ctx, make([]int, many)))
			})
			p := person{Name: "old", Age: 7, Tags: map[string]int{"old": 1}, Boss: &person{Name: "old"}}
			for i := range 3 {
				check(t, b.Recv(background, &p))
				if p.Name != fmt.Sprint("n", i) || p.Age != 0 || len(p.Tags) != 1 || p.Tags[fmt.Sprint(i)] != i || p.Boss != nil {
					t.Errorf("%d: %+v", i, p)
				}
			}
			numbers, text := []int{9, 9, 9, 9, 9}, ""
			check(t, b.Recv(background, &numbers))
			check(t, b.Recv(background, &text))
			if fmt.Sprint(numbers) != "[1 2 3]" || text != "text" {
				t.Errorf("%v %q", numbers, text)
			}
			check(t, b.Recv(background, &numbers))
			if len(numbers) != many {
				t.Errorf("%d numbers", len(numbers))
			}
			check(t, join())
		})
	}
}

// A message that cannot be decoded leaves the value alone, and the connection in step.
func TestUndecodable(t *testing.T) {
	for _, codec := range []channel.Codec{channel.JSON, channel.Gob} {
		t.Run(codec.String(), func(t *testing.T) {
			a, b := pair(t, &channel.Config{Codec: codec})
			check(t, a.Send(background, "text"))
			check(t, a.SendBytes(background, []byte("\x07garbage")))
			check(t, a.Send(background, person{Name: "Ada"}))
			n := 7
			for range 2 {
				if err := b.Recv(background, &n); err == nil || n != 7 {
					t.Errorf("%v, and the value is %d", err, n)
				}
			}
			var p person
			check(t, b.Recv(background, &p))
			if p.Name != "Ada" {
				t.Errorf("%+v", p)
			}
		})
	}
}

// An unready value finds an end where there is none. Its methods are exported for gob and JSON.
type unready struct{ N int }

func (unready) GobEncode() ([]byte, error)    { return nil, nil }
func (unready) GobDecode([]byte) error        { return io.EOF }
func (*unready) UnmarshalJSON(b []byte) error { return io.EOF }

// An io.EOF of a method that decodes is not the end of the connection.
func TestUndecodableEnd(t *testing.T) {
	for _, codec := range []channel.Codec{channel.JSON, channel.Gob} {
		a, b := pair(t, &channel.Config{Codec: codec})
		check(t, a.Send(background, unready{}))
		err := b.Recv(background, new(unready))
		if err == nil || !strings.Contains(err.Error(), "EOF") {
			t.Errorf("%v: %v", codec, err)
		}
		isNot(t, err, io.EOF)
		talks(t, a, b)
	}
}

// What cannot be encoded is an error before anything is sent.
func TestUnencodable(t *testing.T) {
	cyclic := &person{Name: "Ouroboros"}
	cyclic.Boss = cyclic
	for _, codec := range []channel.Codec{channel.JSON, channel.Gob} {
		for name, v := range map[string]any{"func": func() {}, "chan": make(chan int), "cycle": cyclic, "panics": panicky{}} {
			t.Run(codec.String()+"/"+name, func(t *testing.T) {
				a, b := pair(t, &channel.Config{Codec: codec})
				check(t, a.Send(background, "before"))
				func() {
					defer func() { _ = recover() }() // a method that panics may do so here
					if err := a.Send(background, v); err == nil {
						t.Error("it was sent")
					}
				}()
				check(t, a.Send(background, "after"))
				for _, wanted := range []string{"before", "after"} {
					var text string
					check(t, b.Recv(background, &text))
					if text != wanted {
						t.Errorf("%q, want %q", text, wanted)
					}
				}
			})
		}
	}
}

type panicky struct{}

func (panicky) MarshalJSON() ([]byte, error) { panic("MarshalJSON") }
func (panicky) GobEncode() ([]byte, error)   { panic("GobEncode") }
func (*panicky) GobDecode([]byte) error      { panic("GobDecode") }

// Recv into what cannot be set takes no message.
func TestRecvIntoNoPointer(t *testing.T) {
	a, b := pair(t, nil)
	check(t, a.Send(background, 1))
	for _, into := range []any{nil, 1, (*int)(nil), []int{1}} {
		want(t, b.Recv(background, into), syscall.EINVAL)
	}
	var n int
	check(t, b.Recv(background, &n))
}

// traps 87: a pickle is refused by Recv, with a sentence, and the connection goes on. RecvBytes takes any
// bytes.
func TestPickle(t *testing.T) {
	for _, codec := range []channel.Codec{channel.JSON, channel.Gob} {
		a, b := pair(t, &channel.Config{Codec: codec})
		for _, pickle := range []string{"\x80\x04\x95\x09\x00\x00\x00\x00\x00\x00\x00\x8c\x05hello\x94.", "\x80\x05K\x01.", "\x80\x02K\x01.", "\x80\x03"} {
			check(t, a.SendBytes(background, []byte(pickle)))
			var v any
			err := b.Recv(background, &v)
			want(t, err, channel.ErrPickle)
			if !strings.Contains(err.Error(), "send_bytes") || v != nil {
				t.Errorf("%v, %v", err, v)
			}
			check(t, a.SendBytes(background, []byte(pickle)))
			m, err := b.RecvBytes(background)
			got(t, m, err, pickle)
		}
		check(t, a.Send(background, "still here"))
		var text string
		check(t, b.Recv(background, &text))
	}
}

// traps 82: without a key, the first message being a challenge means that the peer wants one. Later ones are
// messages.
func TestKeyWanted(t *testing.T) {
	const challenge = "#CHALLENGE#{sha256}0123456789012345678901234567890123456789"
	for way, receive := range receivers {
		t.Run(way, func(t *testing.T) {
			c, peer := half(t, nil)
			put(t, peer, frame(challenge))
			err := receive(background, c)
			want(t, err, channel.ErrKeyWanted)
			if !strings.Contains(err.Error(), "key") {
				t.Error(err)
			}
			want(t, receive(background, c), channel.ErrKeyWanted, net.ErrClosed)
			same(t, rest(t, peer), nil)
		})
	}
	a, b := pair(t, nil)
	check(t, a.SendBytes(background, nil))
	check(t, a.SendBytes(background, []byte(challenge)))
	_, err := b.RecvBytes(background)
	check(t, err)
	m, err := b.RecvBytes(background)
	got(t, m, err, challenge)
}

// Close is idempotent, and all that comes after it fails with net.ErrClosed.
func TestClose(t *testing.T) {
	a, b := pair(t, nil)
	check(t, b.SendBytes(background, []byte("unread")))
	check(t, a.Close())
	check(t, a.Close())
	for way, receive := range receivers {
		err := receive(background, a)
		want(t, err, net.ErrClosed)
		if !strings.Contains(err.Error(), "recv") {
			t.Errorf("%s: %v", way, err)
		}
	}
	want(t, a.SendBytes(background, nil), net.ErrClosed)
	want(t, a.Send(background, 1), net.ErrClosed)
	want(t, a.CloseWrite(background), net.ErrClosed)
}

// With CloseWrite and a Recv until io.EOF nothing is lost on either side.
func TestCloseWrite(t *testing.T) {
	for name, make := range map[string]func(t *testing.T) (a, b *channel.Conn){
		"socket": func(t *testing.T) (a, b *channel.Conn) { return pair(t, nil) },
		"pipes":  pipes,
	} {
		t.Run(name, func(t *testing.T) {
			a, b := make(t)
			check(t, a.SendBytes(background, []byte("question")))
			check(t, a.CloseWrite(background))
			if err := a.SendBytes(background, nil); !errors.Is(err, syscall.EPIPE) && !errors.Is(err, net.ErrClosed) {
				t.Errorf("after CloseWrite: %v", err)
			}
			m, err := b.RecvBytes(background)
			got(t, m, err, "question")
			if _, err := b.RecvBytes(background); err != io.EOF {
				t.Error(err)
			}
			check(t, b.SendBytes(background, []byte("answer")))
			check(t, b.Close())
			m, err = a.RecvBytes(background)
			got(t, m, err, "answer")
			if _, err := a.RecvBytes(background); err != io.EOF {
				t.Error(err)
			}
		})
	}
}

func TestZeroValue(t *testing.T) {
	var c channel.Conn
	for _, err := range []error{c.SendBytes(background, nil), c.Send(background, 1), c.Recv(background, new(int)), c.CloseWrite(background), c.Close()} {
		if err == nil || !strings.Contains(err.Error(), "not made by") {
			t.Errorf("%v", err)
		}
	}
	if _, err := c.RecvBytes(background); err == nil {
		t.Error("no error")
	}
	if c.LocalAddr() != nil || c.RemoteAddr() != nil || c.Transport() != nil || c.String() == "" {
		t.Error(c.LocalAddr(), c.RemoteAddr(), c.Transport(), c.String())
	}
}

// A configuration that makes no sense is refused everywhere, and the transport is closed.
func TestConfigRefused(t *testing.T) {
	for name, config := range map[string]*channel.Config{
		"empty key":        {Key: []byte{}},
		"codec":            {Codec: 7},
		"backlog":          {Backlog: -1},
		"grace":            {Server: &network.ServerConfig{Grace: 1}},
		"client handshake": {Client: &network.ConnectConfig{HandshakeTimeout: 1}},
		"server handshake": {Server: &network.ServerConfig{HandshakeTimeout: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			for side, make := range map[string]func(context.Context, stream.Transport, *channel.Config) (*channel.Conn, error){
				"Server": channel.Server, "Client": channel.Client,
			} {
				a, b := socketPair(t)
				_, err := make(background, a, config)
				if !errors.Is(err, syscall.EINVAL) {
					t.Errorf("%s: %v", side, err)
				}
				same(t, rest(t, b), nil)
			}
			_, err := channel.Connect(background, "unix", "/nonexistent/socket", config)
			want(t, err, syscall.EINVAL)
			_, err = channel.Listen(background, "tcp", "127.0.0.1:0", config)
			want(t, err, syscall.EINVAL)
		})
	}
}

// Errors name the operation and the addresses, and are timeouts where they should be.
func TestErrors(t *testing.T) {
	c, _ := half(t, nil)
	ctx, stop := context.WithTimeout(background, time.Nanosecond)
	defer stop()
	_, err := c.RecvBytes(ctx)
	op, ok := err.(*net.OpError)
	if !ok || op.Op != "recv" || op.Net != "unix" || !op.Timeout() {
		t.Errorf("%#v", err)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if text := c.String(); !strings.Contains(text, "channel over") {
		t.Error(text)
	}
	if c.Transport() == nil || c.LocalAddr() == nil {
		t.Error("nothing known about the transport")
	}
	want(t, during(t, func(ctx context.Context) error { _, err := c.RecvBytes(ctx); return err }), wait.ErrTaskCancelled)
}

// Methods that encode and decode are called with nothing held, except for the turn with Gob: they may use the
// connection the other way.
func TestMarshalersMayUseTheConnection(t *testing.T) {
	a, b := pair(t, nil)
	check(t, a.Send(background, callback(func() { check(t, a.SendBytes(background, []byte("inner"))) })))
	m, err := b.RecvBytes(background)
	got(t, m, err, "inner")
	m, err = b.RecvBytes(background)
	got(t, m, err, "1")
	check(t, a.Send(background, 1))
	check(t, a.Send(background, 2))
	inner := 0
	onDecode = func() { check(t, b.Recv(background, &inner)) }
	check(t, b.Recv(background, new(decodes)))
	if inner != 2 {
		t.Errorf("%d", inner)
	}
}

// onDecode is called when a decodes is decoded.
var onDecode func()

type decodes struct{}

func (*decodes) UnmarshalJSON([]byte) error { onDecode(); return nil }

type callback func()

func (f callback) MarshalJSON() ([]byte, error) { f(); return []byte("1"), nil }

// With Gob, a method that does not return holds up those that wait to send, and these can be cancelled.
func TestMethodThatHangs(t *testing.T) {
	a, b := pair(t, &channel.Config{Codec: channel.Gob})
	_, join := in(t, func(ctx context.Context) error { return a.Send(ctx, hanging{}) })
	testutil.Receive(t, "a call", hangs)
	o, joinOther := in(t, func(ctx context.Context) error { return a.SendBytes(ctx, nil) })
	awaitIn(t, o, "LOCK_ACQUIRE")
	cancel(o)
	want(t, joinOther(), wait.ErrTaskCancelled)
	hangs <- struct{}{}
	check(t, join())
	check(t, a.SendBytes(background, []byte("next")))
	_, err := b.RecvBytes(background)
	check(t, err)
	m, err := b.RecvBytes(background)
	got(t, m, err, "next")
}

var hangs = make(chan struct{})

type hanging struct{ _ int }

func (hanging) GobEncode() ([]byte, error) { hangs <- struct{}{}; <-hangs; return []byte("x"), nil }
func (*hanging) GobDecode([]byte) error    { return nil }
