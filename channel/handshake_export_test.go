package channel

import (
	"context"
	"hash"
	"io"
	"net"
)

// Handshakes by themselves, over frames that a test makes.

// Frames is what a handshake goes over.
type Frames interface {
	Send(ctx context.Context, b []byte) error
	Recv(ctx context.Context, limit int) ([]byte, error)
}

type testFrames struct{ Frames }

func (f testFrames) sendFrame(ctx context.Context, b []byte) error { return f.Send(ctx, b) }

func (f testFrames) recvFrame(ctx context.Context, limit int) ([]byte, error) {
	return f.Recv(ctx, limit)
}

type testFramesWithEnds struct {
	testFrames
	local, remote net.Addr
	peer          int
}

func (f testFramesWithEnds) ends() ends { return ends{nameOf(f.local), nameOf(f.remote), f.peer} }

func framesOf(f Frames) frames {
	if e, ok := f.(interface {
		Ends() (local, remote net.Addr, peer int)
	}); ok {
		local, remote, peer := e.Ends()
		return testFramesWithEnds{testFrames{f}, local, remote, peer}
	}
	return testFrames{f}
}

// HandshakeServe and HandshakeConnect do one side of a handshake.
func HandshakeServe(ctx context.Context, f Frames, key string, refuseMD5 bool) error {
	a, err := newAuthenticator([]byte(key), refuseMD5)
	if err != nil {
		return err
	}
	return a.serve(ctx, framesOf(f))
}

func HandshakeConnect(ctx context.Context, f Frames, key string, refuseMD5 bool) error {
	a, err := newAuthenticator([]byte(key), refuseMD5)
	if err != nil {
		return err
	}
	return a.connect(ctx, framesOf(f))
}

// Reply is the answer to a message.
func Reply(key, message string) (answer []byte, why string) {
	a, err := newAuthenticator([]byte(key), false)
	if err != nil {
		return nil, err.Error()
	}
	return a.reply([]byte(message))
}

// KeepsKey reports whether an authenticator notices that the slice with its key is overwritten.
func KeepsKey() bool {
	key := []byte("secret")
	a, _ := newAuthenticator(key, false)
	clear(key)
	return string(a.key) == "secret"
}

var IsChallenge = isChallenge

// HandshakeErrors are the texts of all errors that a handshake ends with when the peer sends whatever it
// likes and then no more.
var HandshakeErrors = func() (texts []string) {
	for _, why := range []string{
		noChallenge, relayed, badChallenge, md5Challenge, badAnswer, md5Answer, wrongAnswer, refusedByPeer, noVerdict,
	} {
		texts = append(texts, refusal(why).Error())
	}
	for _, step := range []string{waitingForAnswer, waitingForChallenge, waitingForVerdict} {
		texts = append(texts, (&stepError{step, io.ErrUnexpectedEOF}).Error())
	}
	return texts
}()

// Issued is how many challenges have not been settled, -1 if there is only memory for some.
func Issued() int {
	issued.mu.Lock()
	defer issued.mu.Unlock()
	if issued.messages != nil && len(issued.messages) == 0 {
		return -1
	}
	return len(issued.messages)
}

// SetRandom has challenges made of what fill fills in, until restore is called.
func SetRandom(fill func(b []byte)) (restore func()) {
	old := readRandom
	readRandom = func(b []byte) (int, error) { fill(b); return len(b), nil }
	return func() { readRandom = old }
}

// CountMACs counts from now on the MACs that are made and the comparisons, until restore is called. What
// hmac.Equal would not look at all, as the lengths differ, is told as lopsided.
func CountMACs() (made, compared, lopsided *int, restore func()) {
	made, compared, lopsided = new(int), new(int), new(int)
	oldNew, oldEqual := newHMAC, macEqual
	newHMAC = func(h func() hash.Hash, key []byte) hash.Hash { *made++; return oldNew(h, key) }
	macEqual = func(a, b []byte) bool {
		*compared++
		if len(a) != len(b) {
			*lopsided++
		}
		return oldEqual(a, b)
	}
	return made, compared, lopsided, func() { newHMAC, macEqual = oldNew, oldEqual }
}
