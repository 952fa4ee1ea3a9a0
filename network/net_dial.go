package network

import (
	"context"
	"net"
	"net/netip"

	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

// DialContext connects with addr and returns the connection as a net.Conn, as NetConn
// makes it. network is "tcp", "tcp4" or "tcp6", or the like with "udp", and addr a
// "host:port"; or it is "unix", and addr a path. For streams it does what OpenConnection
// and OpenUnixConnection do. A connection of UDP is a net.PacketConn too, as NetPacketConn
// makes it. It is for http.Transport.DialContext, grpc.WithContextDialer, net.Resolver.Dial
// and the like.
//
// ctx bounds the dialing alone. The connection belongs to nobody: it may go into a pool, be
// used for others, and outlive the task that has dialed it. Errors are *net.OpError of
// "dial".
func DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := dial(ctx, network, addr)
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

func dial(ctx context.Context, network, addr string) (Conn, error) {
	if _, err := wait.At(ctx); err != nil {
		return nil, err
	}
	switch network {
	case "tcp":
		return OpenConnection(ctx, addr, nil)
	case "tcp4", "tcp6":
		return dialFamily(ctx, "ip"+network[3:], addr)
	case "udp", "udp4", "udp6":
		return dialUDP(ctx, network, addr)
	case "unix":
		return OpenUnixConnection(ctx, addr, nil)
	}
	return nil, net.UnknownNetworkError(network)
}

// dialFamily is OpenConnection with those addresses alone that are of one family, "ip4" or
// "ip6".
func dialFamily(ctx context.Context, family, addr string) (Conn, error) {
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
	return OpenConnection(ctx, addr, &ConnectConfig{Resolver: familyResolver(family)})
}

func unsuitable(addr string) error {
	return &net.AddrError{Err: "no suitable address found", Addr: addr}
}

// A familyResolver finds addresses of one family alone.
type familyResolver string

// LookupNetIP implements Resolver.
func (r familyResolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if network != string(r) {
		return nil, nil
	}
	return net.DefaultResolver.LookupNetIP(ctx, network, host)
}

// LookupPort implements Resolver.
func (familyResolver) LookupPort(ctx context.Context, network, service string) (int, error) {
	return net.DefaultResolver.LookupPort(ctx, network, service)
}

// dialUDP connects a datagram socket, with the first of the addresses with which that can be
// done, as package net does.
func dialUDP(ctx context.Context, network, addr string) (Conn, error) {
	addrs, err := resolve(ctx, "dial", "udp", addr)
	if err != nil {
		return nil, err
	}
	err = unsuitable(addr)
	for _, a := range addrs {
		if a.IP == nil && network == "udp6" {
			a.IP = net.IPv6loopback
		} else if a.IP == nil {
			a.IP = net.IPv4(127, 0, 0, 1)
		}
		if is4 := a.IP.To4() != nil; network == "udp" || is4 == (network == "udp4") {
			conn, failed := connectUDP(ctx, a)
			if failed == nil {
				return conn, nil
			}
			err = failed
		}
	}
	return nil, err
}

func connectUDP(ctx context.Context, addr *net.TCPAddr) (Conn, error) {
	s, err := socket.New(familyOf(addr), socket.SOCK_DGRAM, 0)
	if err != nil {
		return nil, err
	}
	if err := s.Connect(ctx, &net.UDPAddr{IP: addr.IP, Port: addr.Port, Zone: addr.Zone}); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}
