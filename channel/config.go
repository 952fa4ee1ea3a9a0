package channel

import (
	"errors"
	"fmt"
	"math"
	"net"
	"syscall"
	"time"

	"github.com/curio-go/curio/network"
)

// A Config configures connections and the messages on them. The zero value is the default, and so
// is a nil *Config. The functions of this package do not modify it, so it may be used by any number
// of tasks at the same time.
type Config struct {
	// Key is the secret that both sides share. nil means no authentication. A key that is empty but
	// not nil is an error, as it usually comes from a missing setting. Check the length of a key
	// that was read from a file: bytes.TrimSpace returns nil if there is nothing but white space.
	Key []byte

	// RefuseMD5 refuses peers that support only HMAC-MD5, such as Python up to version 3.11: this
	// side neither accepts nor gives such an answer. It is always on if only FIPS 140 is allowed
	// (GODEBUG=fips140=only); a Key of less than 14 bytes is then an error.
	RefuseMD5 bool

	// Codec encodes the values of Send and Recv. The zero value is JSON. Both sides must use the
	// same.
	Codec Codec

	// MaxMessage is the maximum length of a received message in bytes. 0 means 64 MiB; a negative
	// value means no limit. For a longer message, the error wraps ErrTooLong and the connection is
	// closed. Messages that are sent have no limit.
	MaxMessage int

	// HandshakeTimeout limits the time before the first message: the TLS handshake, a proxy's
	// header, and the authentication. In Connect, the TLS handshake and the authentication have
	// this time each. If it is exceeded, the error wraps network.ErrHandshakeTimeout. 0 means 10
	// seconds; a negative value means no limit except the context.
	HandshakeTimeout time.Duration

	// Backlog is how many connections a Listener holds that Accept has not returned yet, in the
	// handshake or ready. Others wait in the system's backlog. 0 means 64.
	Backlog int

	// Check, if not nil, decides whether a Listener accepts a peer. It is called before the
	// handshake, but after a proxy's header, which has the client's address. If it returns false,
	// the connection is closed. Check runs in the handshake's task, possibly for several peers at
	// the same time, and cannot be interrupted. Most peers of a Unix socket have no address. It is
	// the check_address of Curio's Channel.
	Check func(peer net.Addr) bool

	// Server holds the settings of Listen: the permissions of a Unix socket's file, TLS, keep-alive
	// and others. nil means the default. A Mode of 0 means 0600 here: only this user may connect.
	// It is an error to set its HandshakeTimeout, for which there is Config.HandshakeTimeout, or
	// its Grace.
	Server *network.ServerConfig

	// Client holds the settings of Connect: TLS, keep-alive and others. nil means the default. It
	// is an error to set its HandshakeTimeout, for which there is Config.HandshakeTimeout.
	Client *network.ConnectConfig
}

// What 0 stands for in a Config.
const (
	usualMessage   = 64 << 20
	usualHandshake = 10 * time.Second
	usualBacklog   = 64
)

// socketMode has the permissions of a Unix socket's file. Only a user with permission to write may connect.
const socketMode = 0o600

// refuse returns what is wrong with c, which may be nil.
func (c *Config) refuse() error {
	switch {
	case c == nil:
		return nil
	case c.Key != nil && refuseKey(c.Key) != nil:
		return refuseKey(c.Key)
	case c.Codec != JSON && c.Codec != Gob:
		return misused(fmt.Sprintf("unknown Codec(%d)", int(c.Codec)))
	case c.Backlog < 0:
		return misused("negative Backlog")
	case c.Server != nil && c.Server.Grace != 0:
		return misused("Server.Grace, which is for network.RunServer")
	case c.Server != nil && c.Server.HandshakeTimeout != 0, c.Client != nil && c.Client.HandshakeTimeout != 0:
		return misused("Server or Client has a HandshakeTimeout; set Config.HandshakeTimeout instead")
	}
	return nil
}

// misused says what is wrong with a configuration.
func misused(what string) error { return fmt.Errorf("%s: %w", what, syscall.EINVAL) }

// orDefault returns c, or the default for nil.
func (c *Config) orDefault() *Config {
	if c == nil {
		return new(Config)
	}
	return c
}

// most is how long a message may be.
func (c *Config) most() int {
	switch {
	case c.MaxMessage == 0:
		return usualMessage
	case c.MaxMessage < 0:
		return math.MaxInt
	}
	return c.MaxMessage
}

// patience is how long a handshake may take, 0 for any time.
func (c *Config) patience() time.Duration {
	if c.HandshakeTimeout == 0 {
		return usualHandshake
	}
	return max(c.HandshakeTimeout, 0)
}

// backlog is how many connections a Listener may have in hand.
func (c *Config) backlog() int64 {
	if c.Backlog == 0 {
		return usualBacklog
	}
	return int64(c.Backlog)
}

// A Codec selects the encoding of the values of [Conn.Send] and [Conn.Recv].
type Codec int

const (
	// JSON is encoding/json, for peers in any language. A decoded message takes at most the memory
	// of its length times the size of the largest element in the type that it is decoded into.
	JSON Codec = iota

	// Gob is encoding/gob, for two Go programs that trust each other. It is faster than JSON for
	// many values of the same type, and supports all of Go's integers, maps with any keys, and NaN.
	// Both sides must register the concrete types in interfaces with gob.Register.
	//
	// The description of a type is sent once for each connection. Receive with Recv what was sent
	// with Send: if RecvBytes receives such a message, a later Recv may fail without it.
	Gob
)

// String returns the name of the constant.
func (c Codec) String() string {
	switch c {
	case JSON:
		return "JSON"
	case Gob:
		return "Gob"
	}
	return fmt.Sprintf("Codec(%d)", int(c))
}

var errUnusable = errors.New("not made by Connect, Accept, Server or Client")
