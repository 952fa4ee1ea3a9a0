package network

import (
	"context"
	"crypto/tls"
	"net/netip"
)

// secure puts TLS on top of conn, a connection with host, if config has TLS. If the handshake
// fails, or a function of the TLS configuration panics, it closes conn.
func secure(ctx context.Context, conn Conn, host string, config *ConnectConfig) (Conn, error) {
	if config.TLS == nil {
		return conn, nil
	}
	done := false
	defer func() {
		if !done {
			conn.Close() // not the TLS one, which would say good-bye
		}
	}()
	secured := TLSClient(conn, config.tlsFor(host))
	if err := handshakeWithin(ctx, secured, config.HandshakeTimeout); err != nil {
		return nil, err
	}
	done = true
	return secured, nil
}

func (c *ConnectConfig) tlsFor(host string) *tls.Config {
	if c.TLS.ServerName != "" {
		return c.TLS
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		host = ip.WithZone("").String() // certificates know nothing of zones
	}
	config := c.TLS.Clone()
	config.ServerName = host
	return config
}
