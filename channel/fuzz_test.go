package channel_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/curio-go/curio/channel"
)

// A source is a transport from which these bytes are received, in pieces of any length, and then the end.
// What is sent is kept.
type source struct {
	data   []byte
	random *rand.Rand
	sent   []byte
	closed bool
}

func newSource(data []byte, seed uint64) *source {
	return &source{data: data, random: rand.New(rand.NewPCG(seed, 0))}
}

func (s *source) Recv(_ context.Context, buf []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	n := copy(buf, s.data[:1+s.random.IntN(len(s.data))])
	s.data = s.data[n:]
	return n, nil
}

func (s *source) SendAll(_ context.Context, b []byte) (int, error) {
	s.sent = append(s.sent, b...)
	return len(b), nil
}

func (s *source) Close() error { s.closed = true; return nil }

// framed is a frame with its header, in the short form.
func framed(body string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// cutFrame is the naive reader of frames. end is io.EOF if there is no more, and the error there otherwise.
func cutFrame(data []byte, limit uint64) (body, rest []byte, end error) {
	if len(data) == 0 {
		return nil, nil, io.EOF
	}
	if len(data) < 4 {
		return nil, nil, io.ErrUnexpectedEOF
	}
	size, rest := uint64(binary.BigEndian.Uint32(data)), data[4:]
	if size >= 1<<31 {
		if size != 1<<32-1 {
			return nil, nil, channel.ErrProtocol
		}
		if len(rest) < 8 {
			return nil, nil, io.ErrUnexpectedEOF
		}
		size, rest = binary.BigEndian.Uint64(rest), rest[8:]
	}
	if size > limit {
		return nil, nil, channel.ErrTooLong
	}
	if uint64(len(rest)) < size {
		return nil, nil, io.ErrUnexpectedEOF
	}
	return rest[:size], rest[size:], nil
}

// However they arrive, the messages are those that the naive reader finds, by all the ways to receive.
func FuzzMessages(f *testing.F) {
	f.Add([]byte{}, uint64(1))
	f.Add(framed(""), uint64(2))
	f.Add(slices.Concat(framed("hi"), framed(""), framed("there")), uint64(3))
	f.Add([]byte("\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x02hi"), uint64(4))
	f.Add([]byte("\xff\xff\xff\xff\x00\x00\x00\x00\x80\x00\x00\x00"), uint64(5))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), uint64(6))
	f.Add([]byte("\xff\xff\xff\xfe"), uint64(7))
	f.Add([]byte("\x80\x00\x00\x00"), uint64(8))
	f.Add([]byte("\x7f\xff\xff\xff"), uint64(9))
	f.Add([]byte("\x00\x00\x00\x05hell"), uint64(10))
	f.Add(framed(challenge+"{sha256}"+up(40)), uint64(11))
	f.Add(slices.Concat(framed("first"), framed(challenge+"{sha256}"+up(40))), uint64(12))
	f.Add(framed(strings.Repeat("long", 2000)), uint64(13))
	const limit = 5000
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		below := newSource(data, seed)
		conn, err := channel.Server(background, below, &channel.Config{MaxMessage: limit})
		check(t, err)
		random := rand.New(rand.NewPCG(seed, 1))
		for first := true; ; first = false {
			body, rest, end := cutFrame(data, limit)
			if first && end == nil && channel.IsChallenge(body) {
				end = channel.ErrKeyWanted
			}
			var got []byte
			switch random.IntN(3) {
			case 0:
				got, err = conn.RecvBytes(background)
			case 1:
				buf := make([]byte, limit)
				var n int
				n, err = conn.RecvBytesInto(background, buf)
				got = buf[:n]
			default:
				if n := len(body); n > 0 { // what does not fit is there for the next call
					k, err := conn.RecvBytesInto(background, make([]byte, n-1))
					if !errors.Is(err, io.ErrShortBuffer) || k != n {
						t.Fatalf("into %d bytes: %d, %v", n-1, k, err)
					}
				}
				got, err = conn.RecvBytes(background)
			}
			if !errors.Is(err, end) || err == nil && !bytes.Equal(got, body) {
				t.Fatalf("%q, %v, want %q, %v", got, err, body, end)
			}
			if end == nil {
				data = rest
				continue
			}
			if len(got) > 0 {
				t.Fatalf("%q comes with %v", got, err)
			}
			if end != io.EOF && errors.Is(err, io.EOF) {
				t.Fatalf("%v is a clean end", err)
			}
			if bad := end == channel.ErrTooLong || end == channel.ErrProtocol || end == channel.ErrKeyWanted; below.closed != bad {
				t.Fatalf("after %v it is closed: %v", err, below.closed)
			}
			break
		}
		check(t, conn.Close())
		if len(below.sent) > 0 {
			t.Fatalf("it sends %q", below.sent)
		}
	})
}

// expected is what a handshake should do: what it sends, and whether it succeeds. It is the naive one.
type expected struct {
	sent []byte
	ok   bool
	rest []byte // of what the peer sends, after the handshake
}

func (e *expected) send(body string) { e.sent = append(e.sent, framed(body)...) }

// challenges is the half in which we do.
func (e *expected) challenges(refuseMD5 bool) (ok bool) {
	message := "{sha256}" + up(40)
	e.send(challenge + message)
	answer, rest, end := cutFrame(e.rest, 256)
	if end == io.EOF || end == io.ErrUnexpectedEOF {
		return false
	}
	if end == nil {
		e.rest = rest
		for name, new := range digestsOfPython {
			if right := mac(new, secret, message); (name != "md5" || !refuseMD5) &&
				(string(answer) == "{"+name+"}"+right || name == "md5" && string(answer) == right) {
				e.send(welcome)
				return true
			}
		}
	}
	e.send(failure)
	return false
}

// answers is the half in which the peer challenges.
func (e *expected) answers(refuseMD5 bool) (ok bool) {
	asked, rest, end := cutFrame(e.rest, 256)
	e.rest = rest
	message, isChallenge := strings.CutPrefix(string(asked), challenge)
	if end != nil || !isChallenge || len(message) < 20 {
		return false
	}
	answer := mac(digestsOfPython["md5"], secret, message)
	if len(message) > 20 {
		name, _, _ := strings.Cut(strings.TrimPrefix(message, "{"), "}")
		new := digestsOfPython[name]
		if new == nil || !strings.HasPrefix(message, "{"+name+"}") || name == "md5" && refuseMD5 {
			return false
		}
		answer = "{" + name + "}" + mac(new, secret, message)
	} else if refuseMD5 {
		return false
	}
	e.send(answer)
	verdict, rest, end := cutFrame(e.rest, 256)
	e.rest = rest
	return end == nil && string(verdict) == welcome
}

// handshakeSeeds adds to the corpus what Python has sent, and what comes near.
func handshakeSeeds(f *testing.F, side string) {
	right := framed("{sha256}" + mac(sha256.New, secret, "{sha256}"+up(40)))
	asks := framed(challenge + "{sha256}" + up(40))
	parts := [][]byte{right, asks, framed(welcome)}
	if side == "connects" {
		parts = [][]byte{asks, framed(welcome), right}
	}
	whole := slices.Concat(parts...)
	for _, data := range [][]byte{
		nil, whole, slices.Concat(whole, framed("more")), slices.Concat(whole, []byte("more")), whole[:len(whole)-1], framed(failure), framed(""), []byte("GET / HTTP/1.1\r\n\r\n"),
		[]byte("\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x09#WELCOME#"), []byte("\xff\xff\xff\xfe"), []byte("\x00\x00\x01\x01"),
	} {
		f.Add(data, false, uint64(len(data)))
		f.Add(data, true, uint64(len(data)))
	}
	files, err := filepath.Glob("testdata/recorded/*-go-" + side + "*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var data []byte
		for _, s := range parseRecording(f, string(text)) {
			if !s.ours {
				data = append(data, s.bytes...)
			}
		}
		f.Add(data[:min(len(data), 300)], false, uint64(len(file)))
	}
}

// fuzzHandshake does a handshake with a peer that sends data, and compares it with the naive one.
func fuzzHandshake(t *testing.T, data []byte, listens, refuseMD5 bool, seed uint64) {
	defer channel.SetRandom(func(b []byte) { copy(b, up(len(b))) })()
	want := expected{rest: data}
	below := newSource(bytes.Clone(data), seed)
	config := &channel.Config{Key: []byte(secret), RefuseMD5: refuseMD5}
	var conn *channel.Conn
	var err error
	if listens {
		want.ok = want.challenges(refuseMD5) && want.answers(refuseMD5)
		conn, err = channel.Server(background, below, config)
	} else {
		want.ok = want.answers(refuseMD5) && want.challenges(refuseMD5)
		conn, err = channel.Client(background, below, config)
	}
	if (err == nil) != want.ok || (conn != nil) != want.ok || !bytes.Equal(below.sent, want.sent) {
		t.Fatalf("%v, and it sends %q, want ok: %v, and %q", err, below.sent, want.ok, want.sent)
	}
	settled(t)
	if err != nil {
		if !below.closed || errors.Is(err, io.EOF) || !errors.Is(err, channel.ErrRefused) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%v, closed: %v", err, below.closed)
		}
		quotesNothing(t, err)
		return
	}
	// What comes after the handshake is the application's: traps 90.
	body, _, end := cutFrame(want.rest, 1<<20)
	got, err := conn.RecvBytes(background)
	if !errors.Is(err, end) && !errors.Is(end, channel.ErrTooLong) || err == nil && !bytes.Equal(got, body) {
		t.Fatalf("after the handshake: %q, %v, want %q, %v", got, err, body, end)
	}
	check(t, conn.Close())
}

// quotesNothing checks that an error is one of those that a handshake has, whatever the peer sends.
func quotesNothing(t *testing.T, err error) {
	t.Helper()
	for _, text := range channel.HandshakeErrors {
		if err.Error() == "handshake channel: "+text {
			return
		}
	}
	t.Fatalf("an error that is not in the list: %q", err)
}

func FuzzListener(f *testing.F) {
	handshakeSeeds(f, "listens")
	f.Fuzz(func(t *testing.T, data []byte, refuseMD5 bool, seed uint64) {
		fuzzHandshake(t, data, true, refuseMD5, seed)
	})
}

func FuzzClient(f *testing.F) {
	handshakeSeeds(f, "connects")
	f.Fuzz(func(t *testing.T, data []byte, refuseMD5 bool, seed uint64) {
		fuzzHandshake(t, data, false, refuseMD5, seed)
	})
}
