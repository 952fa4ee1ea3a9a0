package network

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/curio-go/curio/internal/wait"
)

// A Resolver looks up names. [*net.Resolver] implements it. Its methods must be safe for concurrent
// use.
type Resolver interface {
	// LookupNetIP returns the addresses of a host: its IPv4 addresses if network is "ip4", its IPv6
	// addresses if it is "ip6". If there are none, it returns an error or no addresses. It must
	// return soon after ctx is done.
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)

	// LookupPort returns the port of a service that is given by name. network is "tcp". It must
	// return soon after ctx is done.
	LookupPort(ctx context.Context, network, service string) (int, error)
}

// resolve returns the addresses to listen on, or to send datagrams to, that a "host:port"
// stands for: network is "tcp" or "udp". An empty host is one address without IP.
func resolve(ctx context.Context, op, network, addr string) ([]*net.TCPAddr, error) {
	return resolveWith(ctx, net.DefaultResolver, op, network, addr)
}

func resolveWith(ctx context.Context, resolver Resolver, op, network, addr string) ([]*net.TCPAddr, error) {
	failed := func(err error) error {
		return &net.OpError{Op: op, Net: network, Addr: name(addr), Err: orEnded(ctx, err)}
	}
	if _, err := wait.At(ctx); err != nil {
		return nil, failed(err)
	}
	host, port, err := split(ctx, resolver, network, addr)
	if err != nil {
		return nil, failed(err)
	}
	if host == "" {
		return []*net.TCPAddr{{Port: int(port)}}, nil
	}
	ips := make([]netip.Addr, 1)
	if ips[0], err = netip.ParseAddr(host); err != nil {
		ips, err = lookupAny(ctx, resolver, host)
	}
	if err == nil && len(ips) == 0 {
		err = &net.DNSError{Err: "name has no address", Name: host, IsNotFound: true}
	}
	if err != nil {
		return nil, failed(err)
	}
	addrs := make([]*net.TCPAddr, len(ips))
	for i, ip := range ips {
		addrs[i] = net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip.Unmap(), port))
	}
	return addrs, nil
}

// split takes a "host:port" apart. The port may be the name of a service.
func split(ctx context.Context, resolver Resolver, network, addr string) (host string, port uint16, err error) {
	if strings.IndexByte(addr, 0) >= 0 { // some resolvers would cut the name off there
		return "", 0, &net.AddrError{Err: "address with a zero byte", Addr: strconv.Quote(addr)}
	}
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	if number, err := strconv.ParseUint(service, 10, 16); err == nil {
		return host, uint16(number), nil
	}
	number, err := asking(ctx, service, func() (int, error) { return resolver.LookupPort(ctx, network, service) })
	if err == nil && (number < 0 || number > 0xffff) {
		err = &net.AddrError{Err: "invalid port", Addr: strconv.Itoa(number)}
	}
	return host, uint16(number), err
}

// lookup returns the addresses of a name. network is as LookupNetIP wants it.
func lookup(ctx context.Context, resolver Resolver, network, host string) ([]netip.Addr, error) {
	return asking(ctx, host, func() ([]netip.Addr, error) { return resolver.LookupNetIP(ctx, network, host) })
}

// lookupAny returns the addresses of a name, of both families. A Resolver of somebody else's knows of
// one family at a time.
func lookupAny(ctx context.Context, resolver Resolver, host string) ([]netip.Addr, error) {
	if resolver == Resolver(net.DefaultResolver) {
		return lookup(ctx, resolver, "ip", host)
	}
	ips, err := lookup(ctx, resolver, v4.network(), host)
	others, failed := lookup(ctx, resolver, v6.network(), host)
	if len(ips) > 0 || len(others) > 0 {
		return append(ips, others...), nil
	}
	return nil, cmp.Or(err, failed)
}

// asking calls ask, which asks a resolver about name, and shows it as a wait of the task. The
// resolver ends the wait when ctx is done, and has errors of its own for that.
func asking[T any](ctx context.Context, name string, ask func() (T, error)) (answer T, err error) {
	place, err := wait.At(ctx)
	if err != nil {
		return answer, err
	}
	if place.Untrusted() {
		return wait.FollowFor(place, func(p wait.Place) (T, error) { return askingAt(p, name, ask) })
	}
	return askingAt(place, name, ask)
}

func askingAt[T any](place wait.Place, name string, ask func() (T, error)) (answer T, err error) {
	w := place.Waiter("DNS_WAIT", name)
	if !w.Begin() {
		w.Free()
		return answer, place.Failure()
	}
	defer func() { // even if a resolver panics
		ok := w.End()
		w.Free()
		if !ok {
			err = place.Failure()
		}
	}()
	return ask()
}

// orEnded is err, or the error of ctx if that has ended.
func orEnded(ctx context.Context, err error) error {
	if _, ended := wait.At(ctx); ended != nil {
		return ended
	}
	return err
}

// name is an address that has not been resolved, for errors.
type name string

func (n name) Network() string { return "tcp" }
func (n name) String() string  { return string(n) }
