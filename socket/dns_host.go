package socket

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
)

// A HostEntry holds the names and addresses of a host.
type HostEntry struct {
	Name    string       // the canonical name
	Aliases []string     // other names
	Addrs   []netip.Addr // at least one
}

// GetHostByName returns the first IPv4 address of a host: gethostbyname(3). If name is an IPv4
// address, GetHostByName returns that address. It uses net.DefaultResolver. Waiting, cancellation
// and errors are as for GetAddrInfo.
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

// GetHostByNameEx returns all IPv4 and IPv6 addresses of a host and its canonical name. If the
// canonical name differs from name, name is in Aliases. It uses net.DefaultResolver. Waiting,
// cancellation and errors are as for GetAddrInfo.
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

// GetHostByAddr returns the names of the host that has an address: gethostbyaddr(3). It uses
// net.DefaultResolver. Waiting, cancellation and errors are as for GetAddrInfo.
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

// GetFQDN returns the fully qualified name of a host, or of this machine if name is "". It looks up
// the host's address and returns the first name of that address that contains a dot. If there is
// none, it returns the first name, and if the lookup fails, it returns name. It therefore fails
// only if ctx is done, if name contains a zero byte, or if name is "" and the system does not know
// the name of this machine. Waiting and cancellation are as for GetAddrInfo. It is Curio's getfqdn.
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
