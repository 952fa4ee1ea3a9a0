package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// A ProxyConfig says which peers of a server are proxies, which begin each connection
// with a header that tells for whom it is: the PROXY protocol of HAProxy, version 1 or 2.
//
// A peer that is a proxy must send a header; if there is none, or it is wrong, its
// connection is closed. The connection of anybody else is taken as it is, header or not,
// for anybody can claim to come from anywhere.
type ProxyConfig struct {
	// From is where proxies connect from. An IPv4 peer of an IPv6 socket counts as
	// what it is, and zones do not count.
	From []netip.Prefix

	// Unix says that all who connect to a Unix socket are proxies.
	Unix bool

	// MaxHeader is how many bytes a header may have. 0 means 16 KiB. The format
	// itself allows 64 KiB and 15 bytes.
	MaxHeader int
}

const defaultMaxHeader = 16 << 10

// check says what makes no sense. A configuration that trusts nobody is a mistake: the
// connections of all proxies would be taken as they are, header and all.
func (c *ProxyConfig) check() error {
	if len(c.From) == 0 && !c.Unix {
		return errors.New("ProxyConfig names no proxies; set From or Unix")
	}
	if c.MaxHeader < 0 {
		return fmt.Errorf("ProxyConfig.MaxHeader is %d; it must not be negative", c.MaxHeader)
	}
	for _, prefix := range c.From {
		switch {
		case !prefix.IsValid():
			return errors.New("ProxyConfig.From has a prefix that is not valid; make it with netip.ParsePrefix")
		case prefix.Addr().Is4In6():
			return fmt.Errorf("ProxyConfig.From has %v, which matches nobody; write it as a prefix of IPv4", prefix)
		}
	}
	return nil
}

// trusts reports whether the peer of conn is a proxy.
func (c *ProxyConfig) trusts(conn Conn) bool {
	switch peer := conn.RemoteAddr().(type) {
	case *net.TCPAddr:
		addr := peer.AddrPort().Addr().Unmap().WithZone("")
		for _, prefix := range c.From {
			if prefix.Contains(addr) {
				return true
			}
		}
		return false
	case *net.UnixAddr:
		return c.Unix
	case nil: // a Unix client without a name
		_, unix := conn.LocalAddr().(*net.UnixAddr)
		return unix && c.Unix
	}
	return false
}

// A ProxyHeader is what a proxy says of a connection that it passes on: the header of
// the PROXY protocol.
type ProxyHeader struct {
	// Version is 1 or 2. When a header is made, 0 means 2.
	Version int

	// Local says that the header is about no client, or about one that it cannot
	// describe: the addresses of the connection itself count. It is what LOCAL and
	// AF_UNSPEC are in version 2, and UNKNOWN in version 1. All that follows is empty.
	Local bool

	// Source is the address of the client, and Destination the one that it has
	// connected to: both *net.TCPAddr, or both *net.UnixAddr, which version 1 does not
	// have.
	Source, Destination net.Addr

	// TLVs is what else the proxy tells, in version 2, without what says nothing
	// by itself: padding, and a checksum, which is right.
	TLVs ProxyTLVs
}

// A ProxyTLV is a further piece of information in a ProxyHeader.
type ProxyTLV struct {
	Type  byte
	Value []byte
}

// Types of a ProxyTLV. Those from 0xe0 to 0xef are for whatever proxy and server have
// agreed upon.
const (
	ProxyALPN      = 0x01 // the application's protocol, as TLS has negotiated it
	ProxyAuthority = 0x02 // the name of the host that the client wants, of TLS: SNI
	ProxyChecksum  = 0x03 // CRC32c of the header; in a header that is made, its value is filled in
	ProxyPadding   = 0x04 // nothing
	ProxyUniqueID  = 0x05 // names the connection
	ProxyTLS       = 0x20 // the client's TLS: see ProxyTLVs.TLS
	ProxyNetns     = 0x30 // the name of the network namespace
)

// Types of the TLVs inside of one of the type ProxyTLS.
const (
	ProxyTLSVersion    = 0x21 // as "TLSv1.3"
	ProxyTLSCommonName = 0x22 // of the client's certificate
	ProxyTLSCipher     = 0x23
	ProxyTLSSignature  = 0x24 // the algorithm of the proxy's certificate's signature
	ProxyTLSKey        = 0x25 // the algorithm of the proxy's certificate's key
)

// ProxyTLVs are the TLVs of a header, in its order.
type ProxyTLVs []ProxyTLV

// Get returns the value of the first TLV of a type, and whether there is one.
func (t ProxyTLVs) Get(typ byte) (value []byte, ok bool) {
	for _, tlv := range t {
		if tlv.Type == typ {
			return tlv.Value, true
		}
	}
	return nil, false
}

// A ProxyTLSInfo is what a proxy says of the TLS that its client speaks with it.
type ProxyTLSInfo struct {
	// TLS: the client speaks TLS. Certificate: it has shown a certificate, on this
	// connection or earlier in its TLS session. Verified: and that was a good one.
	TLS, Certificate, Verified bool

	// TLVs has the types from ProxyTLSVersion on.
	TLVs ProxyTLVs
}

// TLS returns what the TLV of type ProxyTLS says. It is false if there is none, or one
// that makes no sense.
func (t ProxyTLVs) TLS() (info ProxyTLSInfo, ok bool) {
	value, ok := t.Get(ProxyTLS)
	if !ok || len(value) < 5 {
		return ProxyTLSInfo{}, false
	}
	inner, err := parseTLVs(value[5:])
	if err != nil {
		return ProxyTLSInfo{}, false
	}
	info.TLS = value[0]&1 != 0
	info.Certificate = value[0]&6 != 0
	info.Verified = info.Certificate && [4]byte(value[1:5]) == [4]byte{}
	info.TLVs = inner
	return info, true
}

// ErrProxyHeader is in the error of a connection that has begun with something else than
// a header of the PROXY protocol, or with one that is wrong.
var ErrProxyHeader = errors.New("bad PROXY header")

// ProxyHeaderOf returns the header that conn, or a connection that it is built on, has
// begun with: in a handler, for what else there is in it than the addresses, which conn
// has by itself. It is false if there was none, for the peer is no proxy, or if it has
// not been read yet. The header must not be changed.
func ProxyHeaderOf(conn Conn) (*ProxyHeader, bool) {
	p := behindProxy(conn)
	if p == nil {
		return nil, false
	}
	return p.header, true
}

// behindProxy is the layer of conn whose header has been read, nil if there is none.
func behindProxy(conn Conn) *proxied {
	for c := range layersOf(conn) {
		if p, ok := c.(*proxied); ok && p.phase.Load() != proxyUnread {
			return p
		}
	}
	return nil
}

// ReadProxyHeader reads the header that conn begins with, for who accepts connections
// himself and knows that the peer is a proxy; a server does it as ServerConfig.Proxy
// says. What is received after the header, and the addresses of the client, are those
// of the Conn that it returns, which takes the place of conn. The addresses in its errors
// are those of conn, between which the failure is.
//
// If it is cut short, nothing is lost: ReadProxyHeader with the Conn that it returned
// goes on, and so does that one's Recv. If the header is wrong, the error is
// ErrProxyHeader, in a *net.OpError, and all there is to do is to close the connection.
// If the peer has closed it before it sent anything, as those do who only look whether
// the server is there, the error is io.EOF, likewise. How long it may take is for ctx to
// say. It is safe for concurrent use.
func ReadProxyHeader(ctx context.Context, conn Conn) (*ProxyHeader, Conn, error) {
	p, ok := conn.(*proxied)
	if !ok {
		p = &proxied{conn: conn, limit: defaultMaxHeader}
	}
	if err := p.Handshake(ctx); err != nil {
		return nil, p, err
	}
	return p.header, p, nil
}
