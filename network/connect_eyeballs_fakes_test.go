package network_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
)

// never is later than all that matters.
const never = 365 * 24 * time.Hour

// A reply is what a resolver says, after a while.
type reply struct {
	after time.Duration
	addrs string // separated by blanks
	err   error
}

// A hosts is a Resolver that knows one host, by its two replies. It does not know the
// service "nothing".
type hosts struct{ v6, v4 reply }

func (h *hosts) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	r := map[string]reply{"ip6": h.v6, "ip4": h.v4}[network]
	if err := curio.Sleep(ctx, r.after); err != nil {
		return nil, &net.DNSError{Err: "operation was canceled", Name: host}
	}
	var addrs []netip.Addr
	for a := range strings.FieldsSeq(r.addrs) {
		addrs = append(addrs, netip.MustParseAddr(a))
	}
	return addrs, r.err
}

func (h *hosts) LookupPort(_ context.Context, _, service string) (int, error) {
	if service == "nothing" {
		return 0, &net.DNSError{Err: "unknown port", Name: service, IsNotFound: true}
	}
	return 80, nil
}

func absent(host string) error {
	return &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// A pretence makes attempts to connect that end as they are told to, and writes down
// what happens and when.
type pretence struct {
	after map[string]time.Duration
	fails map[string]error

	mu     sync.Mutex
	began  time.Time
	events []string
	open   map[*pretended]bool
}

// A pretended is a connection.
type pretended struct {
	network.Conn
	to string
	p  *pretence
}

func (c *pretended) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.to))
}

func (c *pretended) Close() error {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	delete(c.p.open, c)
	return nil
}

func (p *pretence) note(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, fmt.Sprintf("%v %s", time.Since(p.began), what))
}

// dial connects at once with an address of which nothing else is said.
func (p *pretence) dial(ctx context.Context, to netip.AddrPort, _ *network.ConnectConfig) (network.Conn, error) {
	ip := to.Addr().String()
	p.note(ip)
	if err := curio.Sleep(ctx, p.after[ip]); err != nil {
		return nil, &net.OpError{Op: "connect", Net: "tcp", Addr: net.TCPAddrFromAddrPort(to), Err: err}
	}
	if err := p.fails[ip]; err != nil {
		return nil, &net.OpError{Op: "connect", Net: "tcp", Addr: net.TCPAddrFromAddrPort(to), Err: err}
	}
	conn := &pretended{to: to.String(), p: p}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[conn] = true
	return conn, nil
}

// connect runs one OpenConnection with "host:80" in a task, and checks that nothing is
// left of it. It notes how long it took.
func (p *pretence) connect(t *testing.T, ctx context.Context, config *network.ConnectConfig) (conn network.Conn, err error) {
	t.Helper()
	p.began, p.open = time.Now(), make(map[*pretended]bool)
	conn, err = network.OpenWith(ctx, "host:80", config, p.dial)
	p.note("end")
	won, _ := conn.(*pretended)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, won)
	for c := range p.open {
		t.Errorf("%s has been left open", c.to)
	}
	if (conn == nil) == (err == nil) {
		t.Errorf("it returned %v and %v", conn, err)
	}
	return conn, err
}
