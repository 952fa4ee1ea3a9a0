package network

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"github.com/curio-go/curio/internal/wait"
)

// resolve returns the TCP addresses that a "host:port" stands for. An empty host is
// one address without IP.
func resolve(ctx context.Context, op, addr string) ([]*net.TCPAddr, error) {
	failed := func(err error) error {
		if _, ended := wait.At(ctx); ended != nil {
			err = ended // the resolver has errors of its own for that
		}
		return &net.OpError{Op: op, Net: "tcp", Addr: name(addr), Err: err}
	}
	if _, err := wait.At(ctx); err != nil {
		return nil, failed(err)
	}
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, failed(err)
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if err != nil {
		return nil, failed(err)
	}
	if host == "" {
		return []*net.TCPAddr{{Port: port}}, nil
	}
	ips, err := lookup(ctx, host)
	if err != nil {
		return nil, failed(err)
	}
	addrs := make([]*net.TCPAddr, len(ips))
	for i, ip := range ips {
		addrs[i] = net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip.Unmap(), uint16(port)))
	}
	return addrs, nil
}

func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", strings.TrimSpace(host))
	if err == nil && len(ips) == 0 {
		err = &net.DNSError{Err: "name has no address", Name: host, IsNotFound: true}
	}
	return ips, err
}

// name is an address that has not been resolved, for errors.
type name string

func (n name) Network() string { return "tcp" }
func (n name) String() string  { return string(n) }
