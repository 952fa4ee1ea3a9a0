package channel

import (
	"bytes"
	"context"
	"crypto/fips140"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
)

// The handshake of multiprocessing.connection, in which each side proves to the other that it has the
// key. Six frames go to and fro, always in this order:
//
//	listener → client   #CHALLENGE# and a message     client → listener   #CHALLENGE# and a message
//	client → listener   the answer                    listener → client   the answer
//	listener → client   #WELCOME# or #FAILURE#        client → listener   #WELCOME# or #FAILURE#
//
// The answer is a MAC of the whole message under the key. Until 3.11, Python's messages are 20 random
// bytes, and the answer is a bare HMAC-MD5. Since 3.12 a message begins with the name of a digest in
// braces, and so does the answer, which need not be the same one. Both kinds take our messages, and we
// take both kinds of answer.
//
// A peer that fails is told #FAILURE# and nothing else, whatever was wrong. After a failure the
// connection is of no use, and is to be closed.

// The parts of frames.
const (
	challengePrefix = "#CHALLENGE#"
	welcome         = "#WELCOME#"
	failure         = "#FAILURE#"
)

const (
	// A frame of a handshake has at most this many bytes, on either side.
	maxHandshakeFrame = 256

	// What a message of ours begins with, and how many random bytes come after it.
	ourDigest   = "{sha256}"
	randomBytes = 40

	// A shorter message is refused. One of exactly this length is of Python 3.11 or older, and wants a
	// bare MD5.
	minMessage = 20

	// With a shorter key, HMAC panics if only FIPS 140 is allowed: 112 bits.
	minKeyFIPS = 14
)

// What makes a key impossible.
var (
	errNoKey    = misused("Config.Key is empty; nil means no authentication")
	errShortKey = fmt.Errorf("%w: FIPS 140 asks for a Config.Key of at least %d bytes", errors.ErrUnsupported, minKeyFIPS)
)

// readRandom is replaced by tests that want to know what it reads.
var readRandom = rand.Read

// An authenticator does the handshakes for one shared key. It is made by newAuthenticator, keeps
// nothing of a handshake, and is safe for concurrent use.
type authenticator struct {
	key       []byte
	refuseMD5 bool // from both sides
}

// newAuthenticator keeps a copy of key, which must not be one that refuseKey refuses.
func newAuthenticator(key []byte, refuseMD5 bool) (*authenticator, error) {
	if err := refuseKey(key); err != nil {
		return nil, err
	}
	return &authenticator{key: bytes.Clone(key), refuseMD5: refuseMD5}, nil
}

// refuseKey returns what is wrong with a key: Python up to 3.12 takes an empty one for none on one side of
// a connection and for a key on the other, and HMAC panics if a key is too short for FIPS 140 and the
// program is to do nothing else.
func refuseKey(key []byte) error {
	switch {
	case len(key) == 0:
		return errNoKey
	case fips140.Enforced() && len(key) < minKeyFIPS:
		return errShortKey
	}
	return nil
}

// serve is the listener's side of a handshake. If it is cut short the connection is out of step.
func (a *authenticator) serve(ctx context.Context, f frames) error {
	if err := a.challenge(ctx, f); err != nil {
		return err
	}
	return a.answer(ctx, f)
}

// connect is the client's side. It answers the listener before it asks anything itself, so a false
// listener gets a MAC of a message of its choice: see the documentation of the package.
func (a *authenticator) connect(ctx context.Context, f frames) error {
	if err := a.answer(ctx, f); err != nil {
		return err
	}
	return a.challenge(ctx, f)
}

// challenge has the peer prove that it has the key.
func (a *authenticator) challenge(ctx context.Context, f frames) error {
	message := newMessage()
	defer issue(message, endsOf(f))()
	if err := f.sendFrame(ctx, append([]byte(challengePrefix), message...)); err != nil {
		return &stepError{sendingChallenge, unfinished(err)}
	}
	answer, err := f.recvFrame(ctx, maxHandshakeFrame)
	if isMalformed(err) {
		answer, err = nil, nil // as wrong as any other
	}
	if err != nil {
		return &stepError{waitingForAnswer, unfinished(err)}
	}
	if why := a.verify(message, answer); why != "" {
		err := refusal(why)
		if sent := f.sendFrame(ctx, []byte(failure)); sent != nil {
			err = fmt.Errorf("%w; telling the peer: %w", err, causeOf(sent)) // a cancellation is not to be lost
		}
		return err
	}
	if err := f.sendFrame(ctx, []byte(welcome)); err != nil {
		return &stepError{acceptingAnswer, unfinished(err)}
	}
	return nil
}

// answer proves to the peer that we have the key.
func (a *authenticator) answer(ctx context.Context, f frames) error {
	frame, err := f.recvFrame(ctx, maxHandshakeFrame)
	if isMalformed(err) {
		return refusal(noChallenge)
	}
	if err != nil {
		return &stepError{waitingForChallenge, unfinished(err)}
	}
	message, ok := bytes.CutPrefix(frame, []byte(challengePrefix))
	if !ok {
		return refusal(noChallenge)
	}
	if isRelayed(message, f) {
		return refusal(relayed)
	}
	answer, why := a.reply(message)
	if why != "" {
		return refusal(why)
	}
	if err := f.sendFrame(ctx, answer); err != nil {
		return &stepError{answering, unfinished(err)}
	}
	verdict, err := f.recvFrame(ctx, maxHandshakeFrame)
	switch {
	case err != nil && !isMalformed(err):
		return &stepError{waitingForVerdict, unfinished(err)}
	case string(verdict) == welcome:
		return nil
	case string(verdict) == failure:
		return refusal(refusedByPeer)
	}
	return refusal(noVerdict)
}

// Why a handshake fails, for our own side. The peer is told none of it.
const (
	noChallenge   = "the peer begins with something else than a challenge, so it uses no key or another protocol"
	relayed       = "the peer's challenge is one that this process has sent to somebody else: the peer relays it, or is this process itself"
	badChallenge  = "the peer's challenge is too short, or for a digest that is not known"
	md5Challenge  = "the peer wants an answer by MD5, which is refused here"
	badAnswer     = "the peer's answer is not one of this protocol"
	md5Answer     = "the peer answers by MD5, which is refused here"
	wrongAnswer   = "the peer has another key"
	refusedByPeer = "the peer refuses our answer, so it has another key or does not accept the digest"
	noVerdict     = "the peer neither accepts our answer nor refuses it"
)

func refusal(why string) error { return fmt.Errorf("%w: %s", ErrRefused, why) }

// The steps of a handshake, in errors.
const (
	sendingChallenge    = "sending a challenge"
	waitingForAnswer    = "waiting for the answer to a challenge"
	acceptingAnswer     = "accepting the peer's answer"
	waitingForChallenge = "waiting for the challenge of the peer, which sends none if it uses no key"
	answering           = "answering the peer's challenge"
	waitingForVerdict   = "waiting for what the peer says to our key"
)

// A stepError is what a step of a handshake has failed with.
type stepError struct {
	step string
	err  error
}

func (e *stepError) Error() string { return e.step + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

// Timeout is for package net, which does not look at wrapped errors.
func (e *stepError) Timeout() bool {
	timeout, ok := e.err.(interface{ Timeout() bool })
	return ok && timeout.Timeout()
}

// unfinished is err for a handshake, in which no end of the stream is a clean one. It names no addresses:
// those are in the error of the whole.
func unfinished(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return causeOf(err)
}

// isMalformed reports whether what has come is no frame of a handshake.
func isMalformed(err error) bool { return errors.Is(err, ErrTooLong) || errors.Is(err, ErrProtocol) }

// newMessage returns what a challenge asks to be signed.
func newMessage() []byte {
	message := make([]byte, len(ourDigest)+randomBytes)
	copy(message, ourDigest)
	readRandom(message[len(ourDigest):]) // it never fails
	return message
}

// isChallenge reports whether a frame is the first one of a listener that wants a key: on a connection
// without one, nothing else is likely to look like that.
func isChallenge(frame []byte) bool {
	message, ok := bytes.CutPrefix(frame, []byte(challengePrefix))
	return ok && len(message) >= minMessage && len(frame) <= maxHandshakeFrame
}
