package socket

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
)

// NameInfoHints selects what [GetNameInfo] returns. The zero value asks for names where there are
// any, and otherwise for numbers.
type NameInfoHints struct {
	NumericHost    bool // return the host's address, not its name
	NumericService bool // return the port's number, not the service's name
	NameRequired   bool // fail if the host has no name

	Resolver *net.Resolver // nil means net.DefaultResolver
}

// GetNameInfo returns the names of the host and the service at addr: getnameinfo(3). addr is a
// *net.TCPAddr, *net.UDPAddr or, without a service, a *net.IPAddr. Names of services come from
// /etc/services. Nil hints mean the default.
//
// Waiting, cancellation and errors are as for GetAddrInfo. If the host has no name, GetNameInfo
// returns its address, unless the hints make that an error.
func GetNameInfo(ctx context.Context, addr net.Addr, hints *NameInfoHints) (host, service string, err error) {
	if hints == nil {
		hints = new(NameInfoHints)
	}
	q := query{op: "getnameinfo"}
	ip, port, err := endpoint(addr)
	if err != nil {
		q.host = fmt.Sprint(addr)
		return "", "", q.failed(ctx, err)
	}
	q.host = ip.String()
	if port >= 0 {
		service = strconv.Itoa(port)
		q.service = service
	}
	r := resolver(hints.Resolver)
	answers := answer[string]
	if hints.NumericHost {
		answers = answerNow[string]
	}
	host, err = answers(ctx, q, func(ctx context.Context) (string, error) {
		if hints.NumericHost {
			return q.host, nil
		}
		names, err := lookupNames(ctx, r, ip)
		switch {
		case err == nil:
			return names[0], nil
		case isNotFound(err) && !hints.NameRequired:
			return q.host, nil
		}
		return "", err
	})
	if err != nil {
		return "", "", err
	}
	if name, ok := services()[service+"/"+addr.Network()]; ok && !hints.NumericService {
		service = name
	}
	return host, service, nil
}

// endpoint is the address and port of addr; the port is -1 if it has none.
func endpoint(addr net.Addr) (ip netip.Addr, port int, err error) {
	var bytes net.IP
	var zone string
	switch a := addr.(type) {
	case *net.TCPAddr:
		if a != nil {
			bytes, port, zone = a.IP, a.Port, a.Zone
		}
	case *net.UDPAddr:
		if a != nil {
			bytes, port, zone = a.IP, a.Port, a.Zone
		}
	case *net.IPAddr:
		if a != nil {
			bytes, port, zone = a.IP, -1, a.Zone
		}
	case nil:
	default:
		return ip, 0, &net.AddrError{Err: fmt.Sprintf("unexpected type %T of address", addr), Addr: addr.String()}
	}
	ip, ok := netip.AddrFromSlice(bytes)
	if !ok {
		return ip, 0, &net.AddrError{Err: "missing address"}
	}
	return ip.Unmap().WithZone(zone), port, nil
}

// services are the names of services by port and network, as "80/tcp".
var services = sync.OnceValue(func() map[string]string {
	text, err := os.ReadFile("/etc/services")
	if err != nil {
		return nil // without names there are numbers
	}
	return parseServices(string(text))
})

// parseServices reads lines as in services(5): "name port/network alias ... # comment". The
// first name of a port counts.
func parseServices(text string) map[string]string {
	names := map[string]string{}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		if _, known := names[fields[1]]; !known {
			names[fields[1]] = fields[0]
		}
	}
	return names
}
