package network_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// An authority has made a certificate for host.test, 127.0.0.1 and ::1, and says so to
// clients.
type authority struct {
	server *tls.Config
	roots  *x509.CertPool
}

var newAuthority = sync.OnceValue(func() authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"host.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	a := authority{roots: x509.NewCertPool()}
	a.roots.AddCert(cert)
	a.server = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		NextProtos:   []string{"echo/2", "echo/1"},
	}
	return a
})

// echoing serves TLS with package crypto/tls, and echoes.
func echoing(t *testing.T, kind, addr string) string {
	t.Helper()
	listener, err := tls.Listen(kind, addr, newAuthority().server)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		serving.Wait()
	})
	return listener.Addr().String()
}

// echoes checks that conn says what it is told.
func echoes(t *testing.T, conn network.Conn) {
	t.Helper()
	if _, err := conn.SendAll(t.Context(), []byte("x")); err != nil {
		t.Error(err)
	}
	buf := make([]byte, 2)
	if n, err := conn.Recv(t.Context(), buf); n != 1 || buf[0] != 'x' || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// The server's name is the host's, be it a name or an address, unless the configuration
// has another.
func TestSecureConnection(t *testing.T) {
	testutil.NoLeaks(t)
	addr := echoing(t, "tcp", "127.0.0.1:0")
	resolver := &hosts{v4: reply{addrs: "127.0.0.1"}}
	for at, config := range map[string]*tls.Config{
		addr:                        {RootCAs: newAuthority().roots},
		byName("host.test", addr):   {RootCAs: newAuthority().roots, NextProtos: []string{"echo/1"}},
		byName("other.test", addr):  {RootCAs: newAuthority().roots, ServerName: "host.test"},
		byName("third.test", addr):  {InsecureSkipVerify: true},
		byName("", addr):            {InsecureSkipVerify: true},
		byName("fourth.test", addr): {RootCAs: newAuthority().roots, ServerName: "127.0.0.1"},
	} {
		name := config.ServerName
		conn, err := network.OpenConnection(t.Context(), at, &network.ConnectConfig{TLS: config, Resolver: resolver})
		if err != nil {
			t.Errorf("%s: %v", at, err)
			continue
		}
		if _, ok := conn.(*network.TLSConn); !ok {
			t.Errorf("%s: it is a %T", at, conn)
		}
		echoes(t, conn)
		conn.Close()
		if config.ServerName != name {
			t.Errorf("%s: the configuration has changed", at)
		}
	}
}

func TestSecureUnixConnection(t *testing.T) {
	testutil.NoLeaks(t)
	path := echoing(t, "unix", filepath.Join(t.TempDir(), "socket"))
	conn, err := network.OpenUnixConnection(t.Context(), path, &network.ConnectConfig{
		TLS: &tls.Config{RootCAs: newAuthority().roots, ServerName: "host.test"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	echoes(t, conn)
}

// W8: a certificate that is of somebody else, or of nobody known, is an error that says
// for which host and with whom, and the connection is closed.
func TestInsecureConnection(t *testing.T) {
	testutil.NoLeaks(t)
	addr := echoing(t, "tcp", "127.0.0.1:0")
	resolver := &hosts{v4: reply{addrs: "127.0.0.1"}}
	before := len(testutil.Descriptors(os.Getpid()))
	for _, c := range []struct {
		at     string
		config *tls.Config
		says   string
	}{
		{byName("other.test", addr), &tls.Config{RootCAs: newAuthority().roots}, "not other.test"},
		{byName("host.test", addr), &tls.Config{RootCAs: newAuthority().roots, ServerName: "name.test"}, "not name.test"},
		{byName("host.test", addr), &tls.Config{}, "unknown authority"},
		{byName("host.test", addr), &tls.Config{RootCAs: newAuthority().roots, NextProtos: []string{"other"}}, "no application protocol"},
	} {
		conn, err := network.OpenConnection(t.Context(), c.at, &network.ConnectConfig{TLS: c.config, Resolver: resolver})
		if err == nil {
			conn.Close()
			t.Errorf("%s with %q: no error", c.at, c.config.ServerName)
		}
		checkOpening(t, err, c.at, []string{c.says, addr})
		testutil.NoMoreDescriptors(t, before)
	}
}

// A peer that says nothing ends in a timeout of the handshake's own, which no timeout
// around it takes for its own.
func TestHandshakeTimeout(t *testing.T) {
	testutil.NoLeaks(t)
	addr, conns := accepting(t, "127.0.0.1:0")
	before := len(testutil.Descriptors(os.Getpid()))
	err := curio.TimeoutAfter(t.Context(), time.Hour, func(ctx context.Context) error {
		_, err := network.OpenConnection(ctx, addr, &network.ConnectConfig{
			TLS: &tls.Config{InsecureSkipVerify: true}, HandshakeTimeout: short,
		})
		return err
	})
	is(t, err, context.DeadlineExceeded, os.ErrDeadlineExceeded)
	checkOpening(t, err, addr, []string{"handshake", short.String(), addr})
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v is no timeout", err)
	}
	testutil.Receive(t, "connection", conns).Close()
	testutil.NoMoreDescriptors(t, before)
}

// The scope's end counts for the handshake too, whatever its own time limit is.
func TestCancelledHandshake(t *testing.T) {
	for _, limit := range []time.Duration{0, -1, time.Hour} {
		t.Run(limit.String(), func(t *testing.T) {
			s := newServer(t)
			addr, conns := accepting(t, "127.0.0.1:0")
			before := len(testutil.Descriptors(os.Getpid()))
			s.run(func(ctx context.Context) error {
				_, err := network.OpenConnection(ctx, addr, &network.ConnectConfig{
					TLS: &tls.Config{InsecureSkipVerify: true}, HandshakeTimeout: limit,
				})
				return err
			})
			peer := testutil.Receive(t, "connection", conns)
			if _, err := peer.Read(make([]byte, 1)); err != nil { // the handshake has begun
				t.Fatal(err)
			}
			err := s.cancel()
			is(t, err, taskCancelled...)
			checkOpening(t, err, addr, []string{addr})
			peer.Close()
			testutil.NoMoreDescriptors(t, before)
		})
	}
}

func TestEverywhereSecure(t *testing.T) {
	addr := echoing(t, "tcp", "127.0.0.1:0")
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		conn, err := network.OpenConnection(ctx, byName("host.test", addr), &network.ConnectConfig{
			Resolver: &hosts{v4: reply{addrs: "127.0.0.1"}},
			TLS:      &tls.Config{RootCAs: newAuthority().roots},
		})
		if err != nil {
			return err
		}
		return conn.Close()
	})
}
