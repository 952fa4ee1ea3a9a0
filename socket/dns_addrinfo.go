package socket

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
)

// An AddrInfo describes one way to reach a service: what to pass to New, and to Connect or Bind.
type AddrInfo struct {
	Family   int // AF_INET or AF_INET6
	Type     int // SOCK_STREAM and so on
	Protocol int // IPPROTO_TCP and so on

	// CanonicalName is the host's canonical name, if the hints ask for it. Only the first AddrInfo
	// has it.
	CanonicalName string

	// Addr is a *net.TCPAddr, *net.UDPAddr or *net.IPAddr, depending on Type.
	Addr net.Addr
}

// AddrInfoHints restricts what [GetAddrInfo] looks for. The zero value asks for everything.
type AddrInfoHints struct {
	Family   int // AF_INET or AF_INET6, 0 for both
	Type     int // SOCK_STREAM, SOCK_DGRAM or SOCK_RAW, 0 for all
	Protocol int // IPPROTO_TCP and so on, 0 for the protocol of each Type

	Passive        bool // without a host, return the address to listen on, not the loopback address
	NumericHost    bool // the host is an address: do not look up a name
	NumericService bool // the service is a number
	CanonicalName  bool // look up the host's canonical name

	Resolver *net.Resolver // nil means net.DefaultResolver
}

// GetAddrInfo returns the addresses of a host and a service, best first: getaddrinfo(3). host is a
// name or an IPv4 or IPv6 address; "" means this machine. service is a name such as "http", or a
// number; "" means port 0. At least one of the two must be given. Nil hints mean the default: each
// address appears once for each type of socket.
//
// GetAddrInfo waits in the state DNS_WAIT. If ctx is done first, it returns an error that wraps
// ctx's error at once; the resolver may finish its query in the background. Errors are of type
// [*net.OpError], which wrap ctx's error or, in most other cases, a [*net.DNSError].
func GetAddrInfo(ctx context.Context, host, service string, hints *AddrInfoHints) ([]AddrInfo, error) {
	if hints == nil {
		hints = new(AddrInfoHints)
	}
	q := addrQuery{query{"getaddrinfo", host, service}, *hints, resolver(hints.Resolver)}
	numeric := hints.NumericHost || host == "" || isAddr(host)
	if numeric && (hints.NumericService || service == "" || isPort(service)) {
		return answerNow(ctx, q.query, q.look)
	}
	return answer(ctx, q.query, q.look)
}

type addrQuery struct {
	query
	hints AddrInfoHints
	r     *net.Resolver
}

// A kind is a kind of socket, and the port that the service has there.
type kind struct {
	typ, protocol int
	network       string // "" if it has no services
	port          int
}

func (q *addrQuery) look(ctx context.Context) ([]AddrInfo, error) {
	kinds, err := q.kinds()
	if err == nil {
		kinds, err = q.ports(ctx, kinds)
	}
	if err != nil {
		return nil, err
	}
	addrs, err := q.addrs(ctx)
	if err != nil {
		return nil, err
	}
	found := make([]AddrInfo, 0, len(addrs)*len(kinds))
	for _, a := range addrs {
		for _, k := range kinds {
			found = append(found, AddrInfo{Family: familyOf(a), Type: k.typ, Protocol: k.protocol, Addr: k.addr(a)})
		}
	}
	if q.hints.CanonicalName && q.host != "" {
		found[0].CanonicalName = q.host
		if !isAddr(q.host) {
			found[0].CanonicalName = canonical(ctx, q.r, q.host)
		}
	}
	return found, nil
}

// kinds are the kinds of socket that the hints mean.
func (q *addrQuery) kinds() (kinds []kind, err error) {
	h := q.hints
	if h.Family != 0 && h.Family != AF_INET && h.Family != AF_INET6 {
		return nil, os.NewSyscallError(q.op, syscall.EAFNOSUPPORT)
	}
	wanted := func(typ, protocol int) bool {
		return (h.Type == 0 || h.Type == typ) && (h.Protocol == 0 || h.Protocol == protocol)
	}
	if wanted(syscall.SOCK_STREAM, syscall.IPPROTO_TCP) {
		kinds = append(kinds, kind{syscall.SOCK_STREAM, syscall.IPPROTO_TCP, "tcp", 0})
	}
	if wanted(syscall.SOCK_DGRAM, syscall.IPPROTO_UDP) {
		kinds = append(kinds, kind{syscall.SOCK_DGRAM, syscall.IPPROTO_UDP, "udp", 0})
	}
	// Raw sockets accept any protocol, but TCP over a raw socket is not what the caller means.
	if h.Type == syscall.SOCK_RAW || h.Type == 0 && len(kinds) != 1 {
		kinds = append(kinds, kind{syscall.SOCK_RAW, h.Protocol, "", 0})
	}
	if len(kinds) == 0 {
		return nil, os.NewSyscallError(q.op, errWrongType)
	}
	return kinds, nil
}

// ports finds out the ports of the service, and drops the kinds that do not have it.
func (q *addrQuery) ports(ctx context.Context, kinds []kind) (found []kind, err error) {
	if q.service == "" || isPort(q.service) {
		port, _ := strconv.Atoi(q.service)
		for _, k := range kinds {
			k.port = port
			found = append(found, k)
		}
		return found, nil
	}
	err = &net.DNSError{Err: "unknown port", Name: q.service, IsNotFound: true}
	if q.hints.NumericService {
		return nil, err
	}
	for _, k := range kinds {
		if k.network == "" {
			continue
		}
		port, failed := q.r.LookupPort(ctx, k.network, q.service)
		if failed != nil {
			err = failed
			continue
		}
		k.port = port
		found = append(found, k)
	}
	if len(found) == 0 {
		return nil, err
	}
	return found, nil
}

func (q *addrQuery) addrs(ctx context.Context) (found []netip.Addr, err error) {
	given, err := netip.ParseAddr(q.host)
	switch {
	case q.host == "" && q.service == "":
		return nil, &net.DNSError{Err: "neither host nor service", IsNotFound: true}
	case q.host == "" && q.hints.Passive:
		found = []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	case q.host == "":
		found = []netip.Addr{netip.IPv6Loopback(), netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	case err == nil:
		found = []netip.Addr{given}
	case q.hints.NumericHost:
		return nil, &net.DNSError{Err: "not a numeric address", Name: q.host, IsNotFound: true}
	default:
		return lookupAddrs(ctx, q.r, q.hints.Family, q.host)
	}
	suitable := found[:0]
	for _, a := range found {
		if q.hints.Family == 0 || q.hints.Family == familyOf(a) {
			suitable = append(suitable, a)
		}
	}
	if len(suitable) == 0 {
		return nil, noAddress(q.host)
	}
	return suitable, nil
}

func (k kind) addr(a netip.Addr) net.Addr {
	switch k.typ {
	case syscall.SOCK_STREAM:
		return &net.TCPAddr{IP: a.AsSlice(), Port: k.port, Zone: a.Zone()}
	case syscall.SOCK_DGRAM:
		return &net.UDPAddr{IP: a.AsSlice(), Port: k.port, Zone: a.Zone()}
	}
	return &net.IPAddr{IP: a.AsSlice(), Zone: a.Zone()}
}

func familyOf(a netip.Addr) int {
	if a.Is4() {
		return AF_INET
	}
	return AF_INET6
}

func isAddr(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

func isPort(service string) bool {
	_, err := strconv.ParseUint(service, 10, 16)
	return err == nil
}
