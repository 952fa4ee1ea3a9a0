package socket

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
)

// A HostEntry is what is known of a host.
type HostEntry struct {
	Name    string       // the canonical one
	Aliases []string     // other names
	Addrs   []netip.Addr // at least one
}

// GetHostByName returns the first IPv4 address of a host: gethostbyname(3). An address of
// IPv4 is its own. It asks net.DefaultResolver, and waits and fails as GetAddrInfo does.
func GetHostByName(ctx context.Context, name string) (netip.Addr, error) {
	q := query{op: "gethostbyname", host: name}
	if addr, err := netip.ParseAddr(name); err == nil {
		return answerNow(ctx, q, func(context.Context) (netip.Addr, error) {
			if !addr.Is4() {
				return netip.Addr{}, noAddress(name)
			}
			return addr, nil
		})
	}
	r := resolver(nil)
	return answer(ctx, q, func(ctx context.Context) (netip.Addr, error) {
		addrs, err := lookupAddrs(ctx, r, AF_INET, name)
		if err != nil {
			return netip.Addr{}, err
		}
		return addrs[0], nil
	})
}

// GetHostByNameEx returns all addresses of a host, of IPv4 and IPv6, and its canonical name;
// if that is another than the one given, that one is an alias. It asks net.DefaultResolver,
// and waits and fails as GetAddrInfo does.
func GetHostByNameEx(ctx context.Context, name string) (HostEntry, error) {
	q := query{op: "gethostbyname", host: name}
	if addr, err := netip.ParseAddr(name); err == nil {
		return answerNow(ctx, q, func(context.Context) (HostEntry, error) {
			return HostEntry{Name: name, Addrs: []netip.Addr{addr}}, nil
		})
	}
	r := resolver(nil)
	return answer(ctx, q, func(ctx context.Context) (HostEntry, error) {
		addrs, err := lookupAddrs(ctx, r, 0, name)
		if err != nil {
			return HostEntry{}, err
		}
		found := HostEntry{Name: canonical(ctx, r, name), Addrs: addrs}
		if !strings.EqualFold(found.Name, relative(name)) {
			found.Aliases = []string{name}
		}
		return found, nil
	})
}

// GetHostByAddr returns the names of the host with an address: gethostbyaddr(3). It asks
// net.DefaultResolver, and waits and fails as GetAddrInfo does.
func GetHostByAddr(ctx context.Context, addr netip.Addr) (HostEntry, error) {
	q := query{op: "gethostbyaddr", host: addr.String()}
	if !addr.IsValid() {
		return HostEntry{}, q.failed(ctx, &net.AddrError{Err: "missing address"})
	}
	r := resolver(nil)
	return answer(ctx, q, func(ctx context.Context) (HostEntry, error) {
		names, err := lookupNames(ctx, r, addr)
		if err != nil {
			return HostEntry{}, err
		}
		return HostEntry{Name: names[0], Aliases: names[1:], Addrs: []netip.Addr{addr}}, nil
	})
}

// GetFQDN returns the full name of a host, of this machine if name is "": the first name
// with a dot in it that its address has. If there is none, it is the first name of the
// address, and if nothing can be found out, name. So it fails only if ctx is done, or if
// name has a zero byte. It waits as GetAddrInfo does. It is Curio's getfqdn.
func GetFQDN(ctx context.Context, name string) (string, error) {
	q := query{op: "getfqdn", host: name}
	if name == "" {
		own, err := os.Hostname()
		if err != nil {
			return "", q.failed(ctx, err)
		}
		q.host = own
	}
	r := resolver(nil)
	return answer(ctx, q, func(ctx context.Context) (string, error) {
		names, err := namesOf(ctx, r, q.host)
		switch {
		case err != nil && late(ctx):
			return "", err
		case err != nil:
			return q.host, nil
		}
		for _, n := range names {
			if strings.Contains(n, ".") {
				return n, nil
			}
		}
		return names[0], nil
	})
}

// namesOf returns the names of a host's first address.
func namesOf(ctx context.Context, r *net.Resolver, host string) ([]string, error) {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		addrs, err := lookupAddrs(ctx, r, 0, host)
		if err != nil {
			return nil, err
		}
		addr = addrs[0]
	}
	return lookupNames(ctx, r, addr)
}
