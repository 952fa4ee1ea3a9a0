package network

import (
	"context"
	"net"
	"net/netip"

	"github.com/curio-go/curio/internal/wait"
)

// DialContext connects to addr and returns a net.Conn as [NetConn] makes it. network is "tcp",
// "tcp4", "tcp6", "udp", "udp4" or "udp6", and addr a "host:port"; or network is "unix", and addr a
// path. For streams it does what OpenConnection and OpenUnixConnection do. A UDP connection is also
// a net.PacketConn, as NetPacketConn makes it. Use DialContext for http.Transport.DialContext,
// grpc.WithContextDialer, net.Resolver.Dial and similar hooks. [ConnectConfig.DialContext] does the
// same with settings.
//
// ctx limits only the dialing: if ctx is done first, the error wraps ctx's error. The connection
// does not depend on ctx or on the task that dialed it, so it may go into a pool. Errors are of
// type [*net.OpError] with Op "dial".
func DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return new(ConnectConfig).DialContext(ctx, network, addr)
}

// DialContext connects to addr as the function [DialContext] does, with the settings of c. A nil c
// means the default.
//
//	config := &network.ConnectConfig{Source: source, Control: mark}
//	transport := &http.Transport{DialContext: config.DialContext}
//
// A setting that has no meaning for the network is an error: for UDP all except Source, Resolver
// and Control; for "unix" all except TLS, HandshakeTimeout and Control. With "tcp4" and "tcp6",
// Resolver is asked only for addresses of that family. With TLS, the connection has the methods
// Handshake and ConnectionState, as *tls.Conn has, and is for http.Transport.DialTLSContext. A task
// that waits is in the state CONNECT_WAIT, or one of the states of OpenConnection.
func (c *ConnectConfig) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if c == nil {
		c = new(ConnectConfig)
	}
	conn, err := c.dial(ctx, network, addr)
	if err == nil {
		return adapt(context.Background(), conn, nil), nil
	}
	failed := &net.OpError{Op: "dial", Net: network, Addr: name(addr), Err: causeOf(err)}
	if op, ok := err.(*net.OpError); ok {
		failed.Source = op.Source
		if op.Addr != nil {
			failed.Addr = op.Addr
		}
	}
	return nil, failed
}

func (c *ConnectConfig) dial(ctx context.Context, network, addr string) (Conn, error) {
	if _, err := wait.At(ctx); err != nil {
		return nil, err
	}
	switch network {
	case "tcp":
		return OpenConnection(ctx, addr, c)
	case "tcp4", "tcp6":
		return c.dialFamily(ctx, "ip"+network[3:], addr)
	case "udp", "udp4", "udp6":
		return c.dialUDP(ctx, network, addr)
	case "unix":
		return OpenUnixConnection(ctx, addr, c)
	}
	return nil, net.UnknownNetworkError(network)
}

// dialFamily is OpenConnection with those addresses alone that are of one family, "ip4" or
// "ip6".
func (c *ConnectConfig) dialFamily(ctx context.Context, family, addr string) (Conn, error) {
	if host, port, err := net.SplitHostPort(addr); err == nil {
		ip, err := netip.ParseAddr(host)
		switch {
		case host == "" && family == "ip4":
			addr = net.JoinHostPort("127.0.0.1", port)
		case host == "":
			addr = net.JoinHostPort("::1", port)
		case err == nil && ip.Unmap().Is4() != (family == "ip4"):
			return nil, unsuitable(addr)
		}
	}
	config := *c
	config.Resolver = familyResolver{c.resolver(), family}
	return OpenConnection(ctx, addr, &config)
}

// resolver is what looks names up.
func (c *ConnectConfig) resolver() Resolver {
	if c.Resolver == nil {
		return net.DefaultResolver
	}
	return c.Resolver
}

func unsuitable(addr string) error {
	return &net.AddrError{Err: "no suitable address found", Addr: addr}
}

// A familyResolver finds addresses of one family alone.
type familyResolver struct {
	Resolver
	family string
}

// LookupNetIP implements Resolver.
func (r familyResolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if network != r.family {
		return nil, nil
	}
	return r.Resolver.LookupNetIP(ctx, network, host)
}
