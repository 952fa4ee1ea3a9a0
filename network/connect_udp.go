package network

import (
	"context"
	"net"
	"net/netip"

	"github.com/curio-go/curio/socket"
)

// dialUDP connects a datagram socket, with the first of the addresses with which that can be
// done, as package net does.
func (c *ConnectConfig) dialUDP(ctx context.Context, network, addr string) (Conn, error) {
	if err := c.refuseUDP(); err != nil {
		return nil, err
	}
	addrs, err := resolveWith(ctx, c.resolver(), "dial", "udp", addr)
	if err != nil {
		return nil, err
	}
	err = unsuitable(addr)
	if network == "udp" && c.Source.Addr().IsValid() {
		err = c.unreachable(addr)
	}
	for _, a := range addrs {
		if a.IP == nil && (network == "udp6" || network == "udp" && !c.permits(v4)) {
			a.IP = net.IPv6loopback
		} else if a.IP == nil {
			a.IP = net.IPv4(127, 0, 0, 1)
		}
		is4 := a.IP.To4() != nil
		if network != "udp" && is4 != (network == "udp4") || !c.permits(familyNamed(a.AddrPort().Addr())) {
			continue
		}
		conn, failed := c.connectUDP(ctx, &net.UDPAddr{IP: a.IP, Port: a.Port, Zone: a.Zone})
		if failed == nil {
			return conn, nil
		}
		err = failed
	}
	return nil, err
}

// refuseUDP returns an error if c has a setting that is not for UDP.
func (c *ConnectConfig) refuseUDP() error {
	switch {
	case c.TLS != nil || c.HandshakeTimeout != 0:
		return misused("TLS, for UDP")
	case c.AttemptDelay != 0:
		return misused("AttemptDelay, for UDP")
	case c.ResolutionDelay != 0:
		return misused("ResolutionDelay, for UDP")
	case c.KeepAlive != KeepAliveConfig{}:
		return misused("KeepAlive, for UDP")
	}
	return nil
}

func (c *ConnectConfig) connectUDP(ctx context.Context, addr *net.UDPAddr) (Conn, error) {
	s, err := socket.New(familyOf(&net.TCPAddr{IP: addr.IP}), socket.SOCK_DGRAM, 0)
	if err != nil {
		return nil, err
	}
	connected := false
	defer unlessDone(&connected, s)
	err = callControl(c.Control, s, "connect", addr)
	if err == nil && c.Source != (netip.AddrPort{}) {
		err = s.BindAddrPort(c.sourceFor(addr))
	}
	if err == nil {
		err = s.Connect(ctx, addr)
	}
	if err != nil {
		return nil, err
	}
	connected = true
	return s, nil
}

// sourceFor is Source as an address to bind to. Without an address it is any of the family of addr.
func (c *ConnectConfig) sourceFor(addr *net.UDPAddr) netip.AddrPort {
	source := c.Source.Addr().Unmap()
	if !source.IsValid() && addr.IP.To4() != nil {
		source = netip.IPv4Unspecified()
	} else if !source.IsValid() {
		source = netip.IPv6Unspecified()
	}
	return netip.AddrPortFrom(source, c.Source.Port())
}
