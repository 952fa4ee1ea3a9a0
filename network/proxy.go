package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/curio-go/curio/network/proxyproto"
)

// A ProxyConfig identifies the peers of a server that are proxies. A proxy begins each connection
// with a header that names its client: the PROXY protocol of HAProxy, version 1 or 2. Package
// [proxyproto] parses and formats the header. The zero value accepts no proxies.
//
// A peer that is a proxy must send a header; if it is missing or wrong, the connection is closed.
// On connections of other peers a header is not read, as any peer could claim to be somebody else.
type ProxyConfig struct {
	// From holds the addresses that proxies connect from. An IPv4 peer of an IPv6 socket is
	// compared as an IPv4 address, and zones are ignored.
	From []netip.Prefix

	// Unix means that all peers of a Unix socket are proxies.
	Unix bool

	// MaxHeader is the maximum length of a header in bytes. 0 means 16 KiB. The format itself
	// allows 64 KiB and 15 bytes.
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
			return fmt.Errorf("ProxyConfig.From has %v, which matches no peer; write it as an IPv4 prefix", prefix)
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

// ProxyHeaderOf returns the PROXY header that conn, or a connection that it is built on, began
// with. A handler calls it for the information other than the addresses, which conn itself returns.
// ok is false if there was no header, because the peer is not a proxy, or if it has not been read
// yet. The header must not be modified.
func ProxyHeaderOf(conn Conn) (header *proxyproto.Header, ok bool) {
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

// ReadProxyHeader reads the PROXY header that conn begins with, and returns it with a Conn to use
// instead of conn. Use it for connections that you accept yourself and whose peer is known to be a
// proxy; a server with ServerConfig.Proxy reads the header by itself. The returned Conn receives
// the data after the header, and its addresses are the client's. Errors have the addresses of conn
// itself.
//
// If ctx is done first, the error wraps ctx's error and nothing is lost: call ReadProxyHeader again
// with the Conn that it returned, or call that Conn's Recv. If the header is wrong, or longer than
// 16 KiB, the error wraps [proxyproto.ErrHeader], and the connection can only be closed. If the
// peer closes the connection before it sends anything, as a health check may, the error wraps
// io.EOF. There is no timeout except ctx. Errors are of type [*net.OpError]. ReadProxyHeader is
// safe for concurrent use.
func ReadProxyHeader(ctx context.Context, conn Conn) (*proxyproto.Header, Conn, error) {
	p, ok := conn.(*proxied)
	if !ok {
		p = &proxied{conn: conn, limit: defaultMaxHeader}
	}
	if err := p.Handshake(ctx); err != nil {
		return nil, p, err
	}
	return p.header, p, nil
}
