package network

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// usualHandshake is how long the TLS handshake of a client may take.
const usualHandshake = 10 * time.Second

// secure puts TLS on top of conn, a connection with host, if config says so. If the
// handshake fails it closes conn.
func secure(ctx context.Context, conn Conn, host string, config *ConnectConfig) (Conn, error) {
	if config.TLS == nil {
		return conn, nil
	}
	secured := TLSClient(conn, config.tlsFor(host))
	err := handshake(ctx, secured, config)
	if err == nil {
		return secured, nil
	}
	if op, ok := errors.AsType[*net.OpError](err); !ok || op.Addr == nil { // as the alerts of crypto/tls
		network := "tcp"
		if peer := conn.RemoteAddr(); peer != nil {
			network = peer.Network()
		}
		err = &net.OpError{Op: "handshake", Net: network, Source: conn.LocalAddr(), Addr: conn.RemoteAddr(), Err: err}
	}
	conn.Close() // not the TLS one, which would say good-bye
	return nil, err
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

// handshake returns an error that says whose time was up, if it was that.
func handshake(ctx context.Context, conn interface{ Handshake(context.Context) error }, config *ConnectConfig) error {
	limit := config.HandshakeTimeout
	switch {
	case limit == 0:
		limit = usualHandshake
	case limit < 0:
		limit = curio.NoTimeout
	}
	limited, cancel := curio.WithTimeout(ctx, limit)
	defer cancel()
	err := conn.Handshake(limited)
	if !errors.Is(err, curio.ErrCancelled) {
		return err
	}
	if _, ended := wait.At(ctx); ended != nil {
		return ended
	}
	if _, ended := wait.At(limited); ended != nil {
		return lateHandshake(limit)
	}
	return err
}

// A lateHandshake is a handshake that has not ended in time. It is not the error of the
// timeout in which it was: what is around it is not to take that for its own affair.
type lateHandshake time.Duration

func (l lateHandshake) Error() string {
	return fmt.Sprintf("TLS handshake not done after %v", time.Duration(l))
}
func (lateHandshake) Timeout() bool { return true }
func (lateHandshake) Is(target error) bool {
	return target == os.ErrDeadlineExceeded || target == context.DeadlineExceeded
}
