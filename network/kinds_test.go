package network_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// A kind is what connections of a server are made of.
type kind struct {
	name             string
	unix, proxy, tls bool
	foreign          bool // a listener of package net
}

// kinds are the kinds that tests go through: in a long run all there are, otherwise enough for each
// part to be in one of them.
var kinds = func() []kind {
	few := []kind{{name: "TCP"}, {name: "TLS on Unix", unix: true, tls: true}, {name: "PROXY and TLS", proxy: true, tls: true}}
	if !testutil.Long {
		return few
	}
	more := append(few, kind{name: "Unix", unix: true}, kind{name: "TLS", tls: true}, kind{name: "PROXY", proxy: true})
	return slices.Clip(more) // others append to it
}()

// layered reports whether something comes before the handler, that a peer can get wrong.
func (k kind) layered() bool { return k.proxy || k.tls }

// A place is where servers of a kind listen, and what is needed for clients of theirs.
type place struct {
	kind
	path      string
	authority *testutil.Authority
	client    *tls.Config
	server    *tls.Config
}

func (k kind) place(t testing.TB) *place {
	t.Helper()
	p := &place{kind: k}
	if k.unix {
		p.path = socketPath(t)
	}
	if k.tls {
		p.authority = testutil.NewAuthority(t)
		p.client = &tls.Config{RootCAs: p.authority.Pool, ServerName: "localhost"}
		p.server = &tls.Config{Certificates: []tls.Certificate{p.authority.Certificate(t)}}
	}
	return p
}

// listen makes a listener with config and what the kind needs.
func (p *place) listen(ctx context.Context, config network.ServerConfig) (*network.Listener, error) {
	config.TLS = p.server
	if p.proxy {
		config.Proxy = everyProxy
	}
	if p.foreign {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		if p.tls { // whose TLS is package tls, too
			l, config.TLS = tls.NewListener(l, p.server), nil
		}
		return network.FromListener(l, &config), nil
	}
	if p.unix {
		return network.ListenUnix(ctx, p.path, &config)
	}
	return network.ListenTCP(ctx, "127.0.0.1:0", &config)
}

// serve runs a server, as the function serve does.
func (p *place) serve(t testing.TB, config network.ServerConfig, handler network.Handler) *server {
	t.Helper()
	s := newServer(t)
	listener, err := p.listen(context.Background(), config)
	must(t, err)
	s.Addr = listener.LocalAddr().String()
	s.run(func(ctx context.Context) error { return network.RunServer(ctx, listener, handler) })
	return s
}

// connect is a client of ours.
func (p *place) connect(ctx context.Context, addr string) (conn network.Conn, err error) {
	if p.unix {
		conn, err = network.OpenUnixConnection(ctx, addr, nil)
	} else {
		conn, err = network.OpenConnection(ctx, addr, nil)
	}
	if err == nil && p.proxy {
		_, err = conn.SendAll(ctx, []byte(header4))
	}
	if err != nil {
		if conn != nil {
			conn.Close()
		}
		return nil, err
	}
	if p.tls {
		conn = network.TLSClient(conn, p.client)
	}
	return conn, nil
}

// raw is a connection with the server by package net, on which nothing has been sent.
func (p *place) raw(t testing.TB, addr string) net.Conn {
	t.Helper()
	on := "tcp"
	if p.unix {
		on = "unix"
	}
	conn, err := net.DialTimeout(on, addr, testutil.Patience)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(testutil.Patience)))
	return conn
}

// dress does on a raw connection what a client has to do.
func (p *place) dress(t testing.TB, conn net.Conn) net.Conn {
	t.Helper()
	if p.proxy {
		writeAll(t, conn, header4)
	}
	if p.tls {
		conn = tls.Client(conn, p.client)
	}
	return conn
}

// dial is a client of package net and package tls.
func (p *place) dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	return p.dress(t, p.raw(t, addr))
}

// try is a client of package net that talks, is answered, and ends properly.
func (p *place) try(t testing.TB, addr string) error {
	t.Helper()
	conn := p.dial(t, addr)
	defer conn.Close()
	for i := range 2 {
		if err := testutil.Echo(conn, append(testutil.Pattern(i, 1000), '\n')); err != nil {
			return err
		}
	}
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		return err
	}
	rest, err := io.ReadAll(conn)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("at its end it received %q", rest)
	}
	return err
}

// stillServes checks that the next client is served.
func (p *place) stillServes(t testing.TB, s *server) {
	t.Helper()
	if err := p.try(t, s.Addr); err != nil {
		t.Errorf("the next client: %v", err)
	}
}
