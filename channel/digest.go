package channel

import (
	"bytes"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"hash"
)

// A digest is one by which an answer may be made.
type digest struct {
	name string // as in a message and in an answer, with its braces
	new  func() hash.Hash
	size int
}

// digests are those that Python knows since 3.12.
var digests = []*digest{
	md5Digest,
	sha256Digest,
	{"{sha384}", sha512.New384, sha512.Size384},
	{"{sha3_256}", func() hash.Hash { return sha3.New256() }, 32},
	{"{sha3_384}", func() hash.Hash { return sha3.New384() }, 48},
}

var (
	md5Digest    = &digest{"{md5}", md5.New, md5.Size}
	sha256Digest = &digest{"{sha256}", sha256.New, sha256.Size}
)

// How a MAC is made, and compared in the same time wherever it differs. Tests count the calls.
var (
	newHMAC  = hmac.New
	macEqual = hmac.Equal
)

// named splits off the digest's name. d is nil if there is none that is known.
func named(b []byte) (d *digest, rest []byte) {
	for _, d := range digests {
		if rest, ok := bytes.CutPrefix(b, []byte(d.name)); ok {
			return d, rest
		}
	}
	return nil, nil
}

// mac is the MAC of a message: of all of it, with the name of the digest that it begins with.
func (a *authenticator) mac(d *digest, message []byte) []byte {
	h := newHMAC(d.new, a.key)
	h.Write(message)
	return h.Sum(nil)
}

// allows reports whether d may be used. MD5 panics where only FIPS 140 is allowed.
func (a *authenticator) allows(d *digest) bool {
	return d != md5Digest || !a.refuseMD5 && !fips140.Enforced()
}

// reply returns the answer to a peer's message, by the digest that it asks for, or why there is none.
func (a *authenticator) reply(message []byte) (answer []byte, why string) {
	if len(message) < minMessage {
		return nil, badChallenge
	}
	d, _ := named(message)
	bare := len(message) == minMessage // whatever it begins with
	if bare {
		d = md5Digest
	}
	switch {
	case d == nil:
		return nil, badChallenge
	case !a.allows(d):
		return nil, md5Challenge
	case bare:
		return a.mac(d, message), ""
	}
	return append([]byte(d.name), a.mac(d, message)...), ""
}

// verify checks the answer to a message of ours, and returns why it is refused, "" if it is right. The
// peer chooses the digest. Every answer costs one MAC and one comparison in constant time, also one that
// cannot be right: how long the refusal takes tells no more than the peer knows.
func (a *authenticator) verify(message, answer []byte) (why string) {
	d, mac := md5Digest, answer // as Python up to 3.11 answers everything
	if len(answer) != md5.Size {
		d, mac = named(answer)
	}
	switch {
	case d == nil:
		d, mac, why = sha256Digest, nil, badAnswer
	case !a.allows(d):
		d, mac, why = sha256Digest, nil, md5Answer
	case len(mac) != d.size:
		mac, why = nil, badAnswer
	}
	want := a.mac(d, message)
	if mac == nil {
		mac = make([]byte, len(want))
	}
	if !macEqual(want, mac) && why == "" {
		why = wrongAnswer
	}
	return why
}
