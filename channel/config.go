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

// A Config says how connections are made, and what they carry. The zero value is the default, and so is a nil
// *Config. It is only read, and may be used for any number of connections at the same time.
type Config struct {
	// Key is the secret that both sides share. nil means no authentication. A key that is empty and not nil is
	// an error: it is the trace of a setting that is missing. So look at the length of a key that was read from a
	// file: bytes.TrimSpace returns nil if there is nothing but space.
	Key []byte

	// RefuseMD5 refuses to talk with a peer that knows only HMAC-MD5, as Python up to version 3.11 does: such
	// an answer is refused, and none is given. It is on by itself where only FIPS 140 is allowed
	// (GODEBUG=fips140=only); there, a Key of less than 14 bytes is an error.
	RefuseMD5 bool

	// Codec encodes the values of Send and Recv. The zero value is JSON. It must be the same on both sides.
	Codec Codec

	// MaxMessage is how many bytes a message that is received may have. 0 means 64 MiB, a negative value no
	// limit. A longer one is ErrTooLong, and the end of the connection. What is sent has no limit.
	MaxMessage int

	// HandshakeTimeout bounds what comes before the first message: the handshake of TLS, the header of a proxy,
	// and the authentication. In Connect, the handshake of TLS and the authentication have this time each. If it
	// is exceeded, the error is network.ErrHandshakeTimeout. 0 means 10 s. With a negative value only the
	// context bounds it.
	HandshakeTimeout time.Duration

	// Backlog is how many connections a Listener has that Accept has not returned yet: those whose handshake
	// goes on, and those that are ready. Others wait in the system's backlog. 0 means 64.
	Backlog int

	// Check is asked by a Listener about each peer, before the handshake, but after the header of a proxy, which
	// has the client's address. If it returns false, the connection is closed. It is called in the handshake's
	// task, and may be called for several peers at the same time. It cannot be cut short. nil means that every
	// peer is welcome. Most peers of a Unix socket have no address. It is the check_address of Curio's Channel.
	Check func(peer net.Addr) bool

	// Server says how Listen listens: the permissions of a Unix socket's file, TLS, keep-alive and more. nil
	// means the default. A Mode of 0 is 0600 here: only this user may connect. HandshakeTimeout is this
	// Config's, and Grace is an error.
	Server *network.ServerConfig

	// Client says how Connect connects: TLS, keep-alive and more. nil means the default. HandshakeTimeout is
	// this Config's.
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
		return misused(fmt.Sprintf("Codec(%d), which there is not", int(c.Codec)))
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

// A Codec encodes the values of Conn.Send and Conn.Recv.
type Codec int

const (
	// JSON is encoding/json: for any peer, in any language. The memory that a message takes when it is decoded
	// is bounded by its length times the size of the largest element in the type that it is decoded into.
	JSON Codec = iota

	// Gob is encoding/gob: for two Go programs that trust each other. It is faster than JSON if many values of
	// the same type are sent, and has all of Go's integers, maps with keys of any kind, and NaN. A concrete
	// type in an interface must have been registered with gob.Register on both sides.
	//
	// The description of a type is sent once for each connection. So what was sent by Send must be received by
	// Recv: a message that RecvBytes has taken may be missing to the next Recv.
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
