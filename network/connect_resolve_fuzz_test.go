package network_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/curio-go/curio/network"
)

// nobody is a resolver that knows no name.
type nobody struct{}

var errNobody = errors.New("unknown")

func (nobody) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return nil, errNobody
}

func (nobody) LookupPort(context.Context, string, string) (int, error) { return 0, errNobody }

// FuzzAddress: an address is taken apart as package net does it, or is an error; and what
// comes of it, put together again, is the same.
func FuzzAddress(f *testing.F) {
	for _, addr := range []string{"", ":", ":80", "a:80", "[::1]:443", "[fe80::1%lo]:1", "::1:80", "[a]:b", "1.2.3.4:70000", "x:-1", "x:+1", "x:00080", "a\x00b:80", ":\x00"} {
		f.Add(addr)
	}
	f.Fuzz(func(t *testing.T, addr string) {
		host, port, err := network.Split(t.Context(), nobody{}, "tcp", addr)
		wantHost, service, wantErr := net.SplitHostPort(addr)
		if strings.IndexByte(addr, 0) >= 0 { // package net accepts it, but resolvers cut the name off there
			if err == nil {
				t.Errorf("%q is host %q and port %d", addr, host, port)
			}
			return
		}
		switch {
		case err == nil && (wantErr != nil || host != wantHost):
			t.Errorf("%q: host %q, want %q, %v", addr, host, wantHost, wantErr)
		case err != nil && wantErr == nil && !errors.Is(err, errNobody):
			t.Errorf("%q: %v", addr, err)
		case err != nil:
			if n, wrong := strconv.ParseUint(service, 10, 16); wantErr == nil && wrong == nil {
				t.Errorf("%q: port %d: %v", addr, n, err)
			}
		default:
			again, samePort, err := network.Split(t.Context(), nobody{}, "tcp", net.JoinHostPort(host, strconv.Itoa(int(port))))
			if err != nil || again != host || samePort != port {
				t.Errorf("%q: %q and %d become %q and %d, %v", addr, host, port, again, samePort, err)
			}
		}
	})
}
