package proxyproto

import (
	"errors"
	"fmt"
	"net"
)

// A Header describes a connection that a proxy passes on. The zero value is not a valid header: it
// needs addresses or Local.
type Header struct {
	// Version is the version of the format, 1 or 2. For AppendBinary, 0 means 2.
	Version int

	// Local means that the header describes no client, or a client that the format cannot describe:
	// use the addresses of the connection itself. It stands for LOCAL and AF_UNSPEC in version 2,
	// and for UNKNOWN in version 1. All fields below are then empty.
	Local bool

	// Source is the address of the client, and Destination the address that it connected to. Both
	// are *net.TCPAddr or, except in version 1, both *net.UnixAddr.
	Source, Destination net.Addr

	// TLVs holds further information, in version 2. Parse leaves out padding, and the checksum
	// after it has verified that.
	TLVs TLVs
}

// ErrHeader reports data that does not begin with a valid header of the PROXY protocol. Errors of
// [Parse] wrap it.
var ErrHeader = errors.New("bad PROXY header")

func badHeader(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrHeader, fmt.Sprintf(format, args...))
}

const (
	signature1 = "PROXY "
	signature2 = "\r\n\r\n\x00\r\nQUIT\n"

	maxLine   = 107 // of version 1, with its CRLF
	fixedPart = len(signature2) + 4
)

// The bytes 12 and 13 of version 2.
const (
	version2     = 0x20
	commandLocal = 0
	commandProxy = 1

	familyUnspec = 0
	familyInet   = 1
	familyInet6  = 2
	familyUnix   = 3

	protocolStream = 1
	protocolDgram  = 2
)

// unixPath is the length of a Unix address.
const unixPath = 108
