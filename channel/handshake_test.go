package channel_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/internal/testutil"
)

const (
	secret = "secret"

	challenge = "#CHALLENGE#"
	welcome   = "#WELCOME#"
	failure   = "#FAILURE#"
)

// digestsOfPython are the digests of Python 3.12 and later.
var digestsOfPython = map[string]func() hash.Hash{
	"md5": md5.New, "sha256": sha256.New, "sha384": sha512.New384,
	"sha3_256": func() hash.Hash { return sha3.New256() },
	"sha3_384": func() hash.Hash { return sha3.New384() },
}

// mac is the MAC of a message, made by other code than the package's.
func mac(new func() hash.Hash, key, message string) string {
	h := hmac.New(new, []byte(key))
	io.WriteString(h, message)
	return string(h.Sum(nil))
}

// up is the bytes 0, 1, … n-1.
func up(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return string(b)
}

// A scripted peer has its frames ready, or makes them of what it is sent.
type scripted struct {
	frames []any // a string to send, an error to fail with, or a func(sent []string) string
	sent   []string
	sends  func(ctx context.Context, frame string) error // nil for one that takes everything
}

func (s *scripted) Send(ctx context.Context, b []byte) error {
	if s.sends != nil {
		if err := s.sends(ctx, string(b)); err != nil {
			return err
		}
	}
	s.sent = append(s.sent, string(b))
	return nil
}

func (s *scripted) Recv(ctx context.Context, limit int) ([]byte, error) {
	if len(s.frames) == 0 {
		return nil, io.EOF
	}
	next := s.frames[0]
	s.frames = s.frames[1:]
	if make, ok := next.(func(sent []string) string); ok {
		next = make(s.sent)
	}
	switch f := next.(type) {
	case error:
		return nil, f
	case string:
		if len(f) > limit {
			return nil, fmt.Errorf("%d bytes: %w", len(f), channel.ErrTooLong)
		}
		return []byte(f), nil
	}
	panic("unknown kind of frame")
}

// answerTo answers the challenge that was sent last, as a peer with that key.
func answerTo(new func() hash.Hash, prefix, key string) func(sent []string) string {
	return func(sent []string) string {
		message := strings.TrimPrefix(sent[len(sent)-1], challenge)
		return prefix + mac(new, key, message)
	}
}

// A wire is one end of a connection in memory, of which the other end waits for what is sent.
type wire struct {
	in, out       *curio.Queue[string]
	local, remote net.Addr
	peer          int // the process
	sent          []string
}

func newWires(a, b net.Addr) (client, listener *wire) {
	to, from := curio.NewQueue[string](0), curio.NewQueue[string](0)
	self := os.Getpid()
	return &wire{in: from, out: to, local: a, remote: b, peer: self}, &wire{in: to, out: from, local: b, remote: a, peer: self}
}

func (w *wire) Ends() (local, remote net.Addr, peer int) { return w.local, w.remote, w.peer }

func (w *wire) Send(ctx context.Context, b []byte) error {
	w.sent = append(w.sent, string(b))
	return w.out.Put(ctx, string(b))
}

func (w *wire) Recv(ctx context.Context, limit int) ([]byte, error) {
	s, err := w.in.Get(ctx)
	if err == nil && len(s) > limit {
		err = channel.ErrTooLong
	}
	return []byte(s), err
}

// onLoopback are the addresses of a connection.
func onLoopback(a, b int) (net.Addr, net.Addr) {
	ip := net.IPv4(127, 0, 0, 1)
	return &net.TCPAddr{IP: ip, Port: a}, &net.TCPAddr{IP: ip, Port: b}
}

// refused checks that err is a refusal, for that reason, and that it gives away neither the key nor what
// the peer has sent.
func refused(t testing.TB, err error, why string, secrets ...string) {
	t.Helper()
	if !errors.Is(err, channel.ErrRefused) || !strings.Contains(fmt.Sprint(err), why) {
		t.Errorf("%v, want %v because %q", err, channel.ErrRefused, why)
	}
	for _, s := range secrets {
		for _, form := range []string{s, hex.EncodeToString([]byte(s)), fmt.Sprintf("%q", s), fmt.Sprintf("%v", []byte(s))} {
			if len(s) > 3 && strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), form) {
				t.Errorf("%q shows %q", err, s)
			}
		}
	}
}

// settled checks that no challenge is remembered.
func settled(t testing.TB) {
	t.Helper()
	if !testutil.Eventually(func() bool { return channel.Issued() == 0 }) { // the task of a handshake may still end
		t.Errorf("%d challenges are remembered", channel.Issued())
	}
}

// The vectors in the description of the format, made by Python.
func TestAnswerVectors(t *testing.T) {
	for _, v := range []struct{ message, prefix, mac string }{
		{up(20), "", "7defa9cc46abc3583325d17ccda75190"},
		{"{sha256}" + up(40), "{sha256}", "fc57fbe650d6124b98215e7b5d197d5807ad69982d275a9735ea2d56f1fa6989"},
		{"{sha384}" + up(40), "{sha384}", "bae78a3376369f7b803a8473318a9b7062495b47434159ac84fc92ddb33c51b277c44c3edd9a5f9cb7d628f21abe2665"},
	} {
		answer, why := channel.Reply(secret, v.message)
		if got := hex.EncodeToString([]byte(strings.TrimPrefix(string(answer), v.prefix))); got != v.mac || why != "" {
			t.Errorf("%q: %s%s, %q, want %s%s", v.message, v.prefix, got, why, v.prefix, v.mac)
		}
	}
}

// The same for answers to our own challenge, among them a MAC by each kind of answerer.
func TestVerifyVectors(t *testing.T) {
	defer channel.SetRandom(func(b []byte) { copy(b, up(len(b))) })()
	for prefix, sum := range map[string]string{
		"{sha256}":   "fc57fbe650d6124b98215e7b5d197d5807ad69982d275a9735ea2d56f1fa6989",
		"":           "8e48d2bb349b4b72b9382999ed5b62eb",
		"{md5}":      "8e48d2bb349b4b72b9382999ed5b62eb",
		"{sha3_256}": "4267b9809ac390ef0e6594601ec515dd8b6c2134c01fbdcd90fcc05750ec16ce",
	} {
		raw, _ := hex.DecodeString(sum)
		peer := &scripted{frames: []any{prefix + string(raw), challenge + up(20), welcome}}
		if err := channel.HandshakeServe(background, peer, secret, false); err != nil {
			t.Errorf("%q: %v", prefix, err)
		}
		md5, _ := hex.DecodeString("7defa9cc46abc3583325d17ccda75190")
		if want := []string{challenge + "{sha256}" + up(40), welcome, string(md5)}; !slices.Equal(peer.sent, want) {
			t.Errorf("%q: it sends %q, want %q", prefix, peer.sent, want)
		}
	}
}

// Two of ours, and what goes over the wire.
func TestHandshake(t *testing.T) {
	client, listener := newWires(onLoopback(40000, 25000))
	if clientErr, listenerErr := shake(client, listener); clientErr != nil || listenerErr != nil {
		t.Fatal(clientErr, listenerErr)
	}
	settled(t)
	for name, side := range map[string]*wire{"listener": listener, "client": client} {
		slices.SortFunc(side.sent, func(a, b string) int { return len(b) - len(a) }) // challenge, answer, verdict
		message := strings.TrimPrefix(side.sent[0], challenge)
		if len(side.sent) != 3 || len(side.sent[0]) != 59 || !strings.HasPrefix(message, "{sha256}") ||
			len(side.sent[1]) != 40 || !strings.HasPrefix(side.sent[1], "{sha256}") || side.sent[2] != welcome {
			t.Errorf("the %s sends %q", name, side.sent)
		}
	}
	if client.sent[0] == listener.sent[0] {
		t.Error("both challenges are the same")
	}
}

// Each digest of a challenge and of an answer, as both sides.
func TestEachDigest(t *testing.T) {
	for name, new := range digestsOfPython {
		message := "{" + name + "}" + up(40)
		asks := []any{challenge + message, welcome}
		answers := []any{answerTo(new, "{"+name+"}", secret)}
		if name == "md5" { // as 3.11 does
			bare := &scripted{frames: []any{challenge + up(20), welcome, answerTo(new, "", secret)}}
			check(t, channel.HandshakeConnect(background, bare, secret, false))
			if bare.sent[0] != mac(md5.New, secret, up(20)) {
				t.Errorf("the answer to a bare challenge is %q", bare.sent[0])
			}
		}
		client := &scripted{frames: slices.Concat(asks, answers)}
		check(t, channel.HandshakeConnect(background, client, secret, false))
		listener := &scripted{frames: slices.Concat(answers, asks)}
		check(t, channel.HandshakeServe(background, listener, secret, false))
		if want := "{" + name + "}" + mac(new, secret, message); client.sent[0] != want || listener.sent[2] != want {
			t.Errorf("%s: answered are %q and %q, want %q", name, client.sent[0], listener.sent[2], want)
		}
	}
}

// Whatever the answer is, unless it is right: the peer is told #FAILURE# and no more, and all cost one MAC
// and one comparison of as many bytes as that has.
func TestWrongAnswers(t *testing.T) {
	const other, malformed, byMD5 = "another key", "not one of this protocol", "by MD5, which is refused here"
	braced := func(name string) string { return "{" + name + "}" }
	fixed := func(s string) func([]string) string { return func([]string) string { return s } }
	tests := []struct {
		name      string
		answer    any
		refuseMD5 bool
		why       string
	}{
		{"sha256, wrong key", answerTo(sha256.New, "{sha256}", "Secret"), false, other},
		{"sha256, longer key", answerTo(sha256.New, "{sha256}", "secret0"), false, other},
		{"sha384, wrong key", answerTo(sha512.New384, "{sha384}", "Secret"), false, other},
		{"sha3_256, wrong key", answerTo(digestsOfPython["sha3_256"], "{sha3_256}", "Secret"), false, other},
		{"sha3_384, wrong key", answerTo(digestsOfPython["sha3_384"], "{sha3_384}", "Secret"), false, other},
		{"md5, wrong key", answerTo(md5.New, "{md5}", "Secret"), false, other},
		{"bare md5, wrong key", answerTo(md5.New, "", "Secret"), false, other},
		{"md5 that is refused", answerTo(md5.New, "{md5}", secret), true, byMD5},
		{"bare md5 that is refused", answerTo(md5.New, "", secret), true, byMD5},
		{"empty", "", false, malformed},
		{"one byte", "x", false, malformed},
		{"16 bytes", up(16), false, other},
		{"16 bytes with a name", "{md5}" + up(11), false, other},
		{"20 bytes", up(20), false, malformed},
		{"20 bytes of a right one", func(sent []string) string {
			return answerTo(sha1.New, "", secret)(sent)
		}, false, malformed},
		{"bare sha256", answerTo(sha256.New, "", secret), false, malformed},
		{"sha1", answerTo(sha1.New, "{sha1}", secret), false, malformed},
		{"sha512", answerTo(sha512.New, "{sha512}", secret), false, malformed},
		{"sha224", answerTo(sha256.New224, "{sha224}", secret), false, malformed},
		{"upper case", answerTo(sha256.New, "{SHA256}", secret), false, malformed},
		{"no name", answerTo(sha256.New, "{}", secret), false, malformed},
		{"name without end", answerTo(sha256.New, "{sha256", secret), false, malformed},
		{"another's name", answerTo(sha256.New, "{sha3_256}", secret), false, other},
		{"another's length", answerTo(sha256.New, "{sha384}", secret), false, malformed},
		{"only a name", braced("sha256"), false, malformed},
		{"cut", func(sent []string) string {
			right := answerTo(sha256.New, "{sha256}", secret)(sent)
			return right[:len(right)-1]
		}, false, malformed},
		{"with a byte more", func(sent []string) string { return answerTo(sha256.New, "{sha256}", secret)(sent) + "\x00" }, false, malformed},
		{"first bit wrong", flipped(8), false, other},
		{"last bit wrong", flipped(39), false, other},
		{"over the random part alone", func(sent []string) string {
			return "{sha256}" + mac(sha256.New, secret, strings.TrimPrefix(sent[0], challenge+"{sha256}"))
		}, false, other},
		{"over the whole frame", func(sent []string) string { return "{sha256}" + mac(sha256.New, secret, sent[0]) }, false, other},
		{"the challenge itself", func(sent []string) string { return sent[0] }, false, malformed},
		{"its message", func(sent []string) string { return strings.TrimPrefix(sent[0], challenge) }, false, malformed},
		{"a challenge", fixed(challenge + "{sha256}" + up(40)), false, malformed},
		{"welcome", welcome, false, malformed},
		{"failure", failure, false, malformed},
		{"the key", secret, false, malformed},
		{"256 bytes", strings.Repeat("{sha256}", 32), false, malformed},
		{"257 bytes", strings.Repeat("x", 257), false, malformed},
		{"negative length", fmt.Errorf("a length of -2: %w", channel.ErrProtocol), false, malformed},
	}
	for _, test := range tests {
		made, compared, lopsided, restore := channel.CountMACs()
		peer := &scripted{frames: []any{test.answer, "more"}}
		var answer string
		if make, ok := test.answer.(func([]string) string); ok {
			peer.frames[0] = func(sent []string) string { answer = make(sent); return answer }
		}
		err := channel.HandshakeServe(background, peer, secret, test.refuseMD5)
		restore()
		refused(t, err, test.why, "secret", answer)
		if len(peer.sent) != 2 || len(peer.sent[0]) != 59 || peer.sent[1] != failure {
			t.Errorf("%s: it sends %q", test.name, peer.sent)
		}
		if len(peer.frames) != 1 {
			t.Errorf("%s: it reads on after a wrong answer", test.name)
		}
		if *made != 1 || *compared != 1 || *lopsided != 0 {
			t.Errorf("%s: %d MACs, %d comparisons, %d of them of different lengths", test.name, *made, *compared, *lopsided)
		}
		settled(t)
	}
}

// flipped is the right answer with one bit wrong.
func flipped(i int) func(sent []string) string {
	return func(sent []string) string {
		b := []byte(answerTo(sha256.New, "{sha256}", secret)(sent))
		b[i] ^= 1
		return string(b)
	}
}

// A challenge that is not answered: the peer is sent nothing at all.
func TestWrongChallenges(t *testing.T) {
	const none, bad, byMD5 = "something else than a challenge", "too short, or for a digest", "wants an answer by MD5"
	for _, test := range []struct {
		name      string
		frame     any
		refuseMD5 bool
		why       string
	}{
		{"empty", "", false, none},
		{"a message of the application", "hello", false, none},
		{"a pickle", "\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00\x8c\x01a\x94.", false, none},
		{"lower case", "#challenge#{sha256}" + up(40), false, none},
		{"welcome", welcome, false, none},
		{"failure", failure, false, none},
		{"no message", challenge, false, bad},
		{"one byte", challenge + "x", false, bad},
		{"19 bytes", challenge + up(19), false, bad},
		{"21 bytes without a name", challenge + up(21), false, bad},
		{"40 bytes without a name", challenge + up(40), false, bad},
		{"a name and nothing", challenge + "{sha256}", false, bad},
		{"a name and 11 bytes", challenge + "{sha256}" + up(11), false, bad},
		{"sha1", challenge + "{sha1}" + up(40), false, bad},
		{"sha512", challenge + "{sha512}" + up(40), false, bad},
		{"upper case", challenge + "{SHA256}" + up(40), false, bad},
		{"no name", challenge + "{}" + up(40), false, bad},
		{"name without end", challenge + "{sha256" + up(40), false, bad},
		{"name later", challenge + "x{sha256}" + up(40), false, bad},
		{"257 bytes", challenge + "{sha256}" + strings.Repeat("x", 257-19), false, none},
		{"negative length", channel.ErrProtocol, false, none},
		{"bare MD5 that is refused", challenge + up(20), true, byMD5},
		{"bare MD5 with another name", challenge + "{sha256}" + up(12), true, byMD5},
		{"MD5 that is refused", challenge + "{md5}" + up(40), true, byMD5},
	} {
		peer := &scripted{frames: []any{test.frame, "more"}}
		err := channel.HandshakeConnect(background, peer, secret, test.refuseMD5)
		text, _ := test.frame.(string)
		refused(t, err, test.why, "secret", text, strings.TrimPrefix(text, challenge))
		if len(peer.sent) != 0 || len(peer.frames) != 1 {
			t.Errorf("%s: it sends %q and reads %d frames", test.name, peer.sent, 2-len(peer.frames))
		}
	}
}

// What Python answers, we answer: the longest challenge, the shortest, and one of 20 bytes, whatever it
// begins with.
func TestUnusualChallenges(t *testing.T) {
	for _, test := range []struct{ message, answer string }{
		{"{sha256}" + strings.Repeat("x", 237), "{sha256}" + mac(sha256.New, secret, "{sha256}"+strings.Repeat("x", 237))},
		{"{sha256}" + up(13), "{sha256}" + mac(sha256.New, secret, "{sha256}"+up(13))},
		{"{md5}" + up(40), "{md5}" + mac(md5.New, secret, "{md5}"+up(40))},
		{"{sha256}" + up(12), mac(md5.New, secret, "{sha256}"+up(12))},
		{strings.Repeat("\x00", 20), mac(md5.New, secret, strings.Repeat("\x00", 20))},
	} {
		peer := &scripted{frames: []any{challenge + test.message, welcome, answerTo(sha256.New, "{sha256}", secret)}}
		check(t, channel.HandshakeConnect(background, peer, secret, false))
		if peer.sent[0] != test.answer {
			t.Errorf("the answer to %q is %q, want %q", test.message, peer.sent[0], test.answer)
		}
	}
}

func TestWrongVerdicts(t *testing.T) {
	for _, test := range []struct {
		verdict any
		why     string
	}{
		{failure, "the peer refuses our answer"},
		{"", "neither accepts our answer nor refuses it"},
		{"#WELCOME", "neither accepts our answer nor refuses it"},
		{"#WELCOME# ", "neither accepts our answer nor refuses it"},
		{"#welcome#", "neither accepts our answer nor refuses it"},
		{challenge + "{sha256}" + up(40), "neither accepts our answer nor refuses it"},
		{strings.Repeat("#WELCOME#", 30), "neither accepts our answer nor refuses it"},
		{channel.ErrProtocol, "neither accepts our answer nor refuses it"},
	} {
		client := &scripted{frames: []any{challenge + "{sha256}" + up(40), test.verdict, "more"}}
		refused(t, channel.HandshakeConnect(background, client, secret, false), test.why, secret)
		if len(client.sent) != 1 {
			t.Errorf("%q: the client sends %q", test.verdict, client.sent)
		}
		listener := &scripted{frames: []any{answerTo(sha256.New, "{sha256}", secret), challenge + up(20), test.verdict, "more"}}
		refused(t, channel.HandshakeServe(background, listener, secret, false), test.why, secret)
		if len(listener.sent) != 3 {
			t.Errorf("%q: the listener sends %q", test.verdict, listener.sent)
		}
		if len(client.frames) != 1 || len(listener.frames) != 1 {
			t.Errorf("%q: it reads on", test.verdict)
		}
	}
}

// Nothing that a peer without the key can see depends on the key, or on what was wrong.
func TestWrongKeyLearnsNothing(t *testing.T) {
	defer channel.SetRandom(func(b []byte) { copy(b, up(len(b))) })()
	answers := []string{"", "x", up(16), up(20), welcome, "{sha256}" + up(32), "{md5}" + up(16), "{sha1}" + up(20), "{sha3_384}" + up(48)}
	for name, new := range digestsOfPython {
		answers = append(answers, "{"+name+"}"+mac(new, "guess", "{sha256}"+up(40)))
	}
	var first string
	for _, key := range []string{"secret", "Geheimnis", strings.Repeat("k", 1000), "\x00"} {
		for _, answer := range answers {
			peer := &scripted{frames: []any{answer}}
			refused(t, channel.HandshakeServe(background, peer, key, false), "", key)
			seen := fmt.Sprintf("%q", peer.sent)
			if first == "" {
				first = seen
			}
			if seen != first {
				t.Errorf("after %q it sees %s instead of %s", answer, seen, first)
			}
		}
	}
}

// Each end of a peer that says no more, at each frame. No such end is a clean one.
func TestHandshakeCutShort(t *testing.T) {
	right := answerTo(sha256.New, "{sha256}", secret)
	asks := challenge + "{sha256}" + up(40)
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, errors.New("reset")} {
		want := end
		if end == io.EOF {
			want = io.ErrUnexpectedEOF
		}
		for n := range 3 {
			sides := map[string]error{
				"listener": channel.HandshakeServe(background, &scripted{frames: append([]any{right, asks, welcome}[:n:n], end)}, secret, false),
				"client":   channel.HandshakeConnect(background, &scripted{frames: append([]any{asks, welcome, right}[:n:n], end)}, secret, false),
				"sending listener": channel.HandshakeServe(background, &scripted{
					frames: []any{right, asks, welcome}, sends: failing(n, end),
				}, secret, false),
				"sending client": channel.HandshakeConnect(background, &scripted{
					frames: []any{asks, welcome, right}, sends: failing(n, end),
				}, secret, false),
			}
			for side, err := range sides {
				if !errors.Is(err, want) || errors.Is(err, io.EOF) || errors.Is(err, channel.ErrRefused) {
					t.Errorf("%s, at frame %d: %v, want %v", side, n, err, want)
				}
			}
			settled(t)
		}
	}
}

// failing fails at send n.
func failing(n int, err error) func(context.Context, string) error {
	return func(context.Context, string) error {
		if n--; n < 0 {
			return err
		}
		return nil
	}
}

// A refusal that cannot be told is a refusal, and a cancellation on the way is not lost.
func TestRefusalThatCannotBeTold(t *testing.T) {
	ctx, cancel := context.WithCancel(background)
	peer := &scripted{frames: []any{"wrong"}, sends: func(ctx context.Context, frame string) error {
		if frame == failure {
			cancel()
			return ctx.Err()
		}
		return nil
	}}
	err := channel.HandshakeServe(ctx, peer, secret, false)
	refused(t, err, "telling the peer", secret)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is no cancellation", err)
	}
}

// A peer that is silent, at each frame, for as long as the context allows.
func TestSilentPeer(t *testing.T) {
	right := answerTo(sha256.New, "{sha256}", secret)
	asks := challenge + "{sha256}" + up(40)
	steps := map[string]func(context.Context, channel.Frames, string, bool) error{
		"listener": channel.HandshakeServe, "client": channel.HandshakeConnect,
	}
	scripts := map[string][]any{"listener": {right, asks, welcome}, "client": {asks, welcome, right}}
	for side, run := range steps {
		for n := range 3 {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := curio.Run(background, func(ctx context.Context) error {
					return curio.TimeoutAfter(ctx, 10*time.Second, func(ctx context.Context) error {
						return run(ctx, &silentAfter{scripted{frames: scripts[side][:n:n]}}, secret, false)
					})
				})
				if !errors.Is(err, curio.ErrTaskTimeout) || time.Since(began) != 10*time.Second {
					t.Errorf("%s at frame %d: %v after %v", side, n, err, time.Since(began))
				}
			})
			settled(t)
		}
	}
}

// silentAfter waits for ever when its frames have come.
type silentAfter struct{ scripted }

func (s *silentAfter) Recv(ctx context.Context, limit int) ([]byte, error) {
	if len(s.frames) == 0 {
		return nil, new(curio.Event).Wait(ctx)
	}
	return s.scripted.Recv(ctx, limit)
}

// A timeout in a handshake is one to package net, too.
func TestTimeoutOfHandshake(t *testing.T) {
	peer := &scripted{frames: []any{&net.OpError{Op: "recv", Net: "tcp", Err: context.DeadlineExceeded}}}
	err := channel.HandshakeConnect(background, peer, secret, false)
	if wrapped := (&net.OpError{Op: "connect", Net: "tcp", Err: err}); !wrapped.Timeout() || !errors.Is(wrapped, context.DeadlineExceeded) {
		t.Errorf("%v is no timeout", wrapped)
	}
}

func TestEmptyKey(t *testing.T) {
	for _, run := range []func(context.Context, channel.Frames, string, bool) error{channel.HandshakeServe, channel.HandshakeConnect} {
		peer := &scripted{frames: []any{challenge + up(20), welcome}}
		if err := run(background, peer, "", false); err == nil || len(peer.sent) > 0 {
			t.Errorf("an empty key: %v, and it sends %q", err, peer.sent)
		}
	}
	if !channel.KeepsKey() {
		t.Error("the caller's slice is the key")
	}
}

// A challenge is told apart from other messages.
func TestIsChallenge(t *testing.T) {
	for frame, want := range map[string]bool{
		challenge + up(20):                     true,
		challenge + "{sha256}" + up(40):        true,
		challenge + "{md6}" + up(40):           true, // of a version to come
		challenge + strings.Repeat("x", 245):   true,
		challenge + strings.Repeat("x", 246):   false,
		challenge:                              false,
		challenge + up(19):                     false,
		"":                                     false,
		"#CHALLENGE" + strings.Repeat("x", 40): false,
		" " + challenge + up(20):               false,
	} {
		if got := channel.IsChallenge([]byte(frame)); got != want {
			t.Errorf("%q: %v", frame, got)
		}
	}
}

// Random bytes come from the system, and from nowhere else.
func TestChallengesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		peer := &scripted{}
		_ = channel.HandshakeServe(background, peer, secret, false)
		random := strings.TrimPrefix(peer.sent[0], challenge+"{sha256}")
		if len(random) != 40 || seen[random] || bytes.Count([]byte(random), []byte{0}) > 10 {
			t.Fatalf("a challenge of %q", peer.sent[0])
		}
		seen[random] = true
	}
}
