package proxyproto

import (
	"errors"
	"fmt"
	"net"
)

// A Header is what a proxy says of a connection that it passes on.
type Header struct {
	// Version is 1 or 2. When a header is formatted, 0 means 2.
	Version int

	// Local says that the header is about no client, or about one that it cannot
	// describe: the addresses of the connection itself count. It is what LOCAL and
	// AF_UNSPEC are in version 2, and UNKNOWN in version 1. All that follows is empty.
	Local bool

	// Source is the address of the client, and Destination the one that it has
	// connected to: both *net.TCPAddr, or both *net.UnixAddr, which version 1 does not
	// have.
	Source, Destination net.Addr

	// TLVs is what else the proxy says, in version 2. A header that was parsed has them
	// without what says nothing by itself: padding, and a checksum, which is right.
	TLVs TLVs
}

// ErrHeader is in the error of [Parse] if the data does not begin with a header of the PROXY
// protocol, or with one that is wrong.
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
