package network_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// A network that cannot be reached, by each way to connect: the error says so, at once,
// and with whom.
func TestUnreachable(t *testing.T) {
	testutil.NoLeaks(t)
	inNetwork(t, func() {
		for op, connect := range map[string]func(ctx context.Context, addr string) error{
			"connect": func(ctx context.Context, addr string) error {
				_, err := network.OpenConnection(ctx, addr, nil)
				return err
			},
			"dial": func(ctx context.Context, addr string) error {
				_, err := network.DialContext(ctx, "tcp", addr)
				return err
			},
		} {
			for _, addr := range []string{"192.0.2.1:80", "[2001:db8::1]:80"} {
				err := connect(t.Context(), addr)
				failed, ok := err.(*net.OpError)
				if !ok || failed.Op != op || failed.Net != "tcp" || failed.Addr.String() != addr ||
					!errors.Is(err, syscall.ENETUNREACH) || !strings.Contains(err.Error(), addr+": connect: network is unreachable") {
					t.Errorf("%v", err)
				}
			}
		}
		// An address of somebody else cannot be listened on.
		_, err := network.ListenTCP(t.Context(), "192.0.2.1:80", nil)
		if failed, ok := err.(*net.OpError); !ok || !strings.Contains(failed.Error(), "192.0.2.1:80") || !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("%v", err)
		}
	})
}

// A name that has no address, of IPv4 or at all.
func TestNameWithoutAddress(t *testing.T) {
	testutil.NoLeaks(t)
	useNames(t, map[string][]string{"four.test": {"127.0.0.1"}})
	for op, connect := range map[string]func(ctx context.Context) error{
		"connect": func(ctx context.Context) error {
			_, err := network.OpenConnection(ctx, "none.test:80", nil)
			return err
		},
		"dial": func(ctx context.Context) error {
			_, err := network.DialContext(ctx, "tcp6", "four.test:80")
			return err
		},
		"listen": func(ctx context.Context) error {
			return network.TCPServer(ctx, "none.test:80", echo, nil)
		},
	} {
		err := connect(t.Context())
		failed, ok := err.(*net.OpError)
		var dns *net.DNSError
		if !ok || failed.Op != op || !errors.As(err, &dns) || !dns.IsNotFound || !strings.Contains(err.Error(), ".test") {
			t.Errorf("%s: %v", op, err)
		}
	}
}
