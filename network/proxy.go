package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/curio-go/curio/network/proxyproto"
)

// A ProxyConfig says which peers of a server are proxies, which begin each connection
// with a header that tells for whom it is: the PROXY protocol of HAProxy, version 1 or 2. What
// is in a header, and how a proxy makes one, is in package [proxyproto].
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

// ProxyHeaderOf returns the header that conn, or a connection that it is built on, has
// begun with: in a handler, for what else there is in it than the addresses, which conn
// has by itself. ok is false if there was none, for the peer is no proxy, or if it has
// not been read yet. The header must not be changed.
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

// ReadProxyHeader reads the header that conn begins with. Use it for connections that you
// accept yourself and whose peer you know to be a proxy; a server does it as
// ServerConfig.Proxy says. What is received after the header, and the addresses of the client, are those
// of the Conn that it returns, which takes the place of conn. The addresses in its errors
// are those of conn, between which the failure is.
//
// If it is cut short, nothing is lost: ReadProxyHeader with the Conn that it returned
// goes on, and so does that one's Recv. If the header is wrong, the error is
// [proxyproto.ErrHeader], in a *net.OpError, and all there is to do is to close the
// connection. A header of more than 16 KiB counts as wrong. If the peer has closed the
// connection before it sent anything, as those do who only look whether the server is there,
// the error is io.EOF, likewise. How long it may take is for ctx to say. It is safe for
// concurrent use.
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
