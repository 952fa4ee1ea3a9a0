package network_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// tlsAbuses are what peers of a TLS server do that is no error of the server.
var tlsAbuses = map[string]struct {
	abuse func(t *testing.T, conn net.Conn, client *tls.Config)
	says  string // in the error that is logged
}{
	"garbage": {func(t *testing.T, conn net.Conn, _ *tls.Config) {
		writeAll(t, conn, strings.Repeat("\xff", 100))
	}, "first record does not look like a TLS handshake"},
	"plain HTTP": {func(t *testing.T, conn net.Conn, _ *tls.Config) {
		writeAll(t, conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	}, "first record does not look like a TLS handshake"},
	"silence": {func(*testing.T, net.Conn, *tls.Config) {}, "not done within " + short.String()},
	"only looks": {func(_ *testing.T, conn net.Conn, _ *tls.Config) {
		conn.Close()
	}, "ended during the handshake"},
	"aborts in the middle": {func(t *testing.T, conn net.Conn, _ *tls.Config) {
		writeAll(t, conn, "\x16\x03\x01\x02\x00\x01")
		conn.Close()
	}, "ended during the handshake"},
	"resets in the middle": {func(t *testing.T, conn net.Conn, _ *tls.Config) {
		writeAll(t, conn, "\x16\x03\x01\x02\x00\x01")
		reset(t, conn)
	}, "connection reset by peer"},
	"does not trust": {func(t *testing.T, conn net.Conn, _ *tls.Config) {
		if err := tls.Client(conn, &tls.Config{ServerName: "localhost"}).Handshake(); err == nil {
			t.Error("it trusts")
		}
	}, "tls: bad certificate"},
	"ends without good-bye": {func(t *testing.T, conn net.Conn, client *tls.Config) {
		testutil.EchoTwice(t, tls.Client(conn, client))
		conn.Close()
	}, "without close_notify"},
	"resets later": {func(t *testing.T, conn net.Conn, client *tls.Config) {
		testutil.EchoTwice(t, tls.Client(conn, client))
		reset(t, conn)
	}, "connection reset by peer"},
	"garbage later": {func(t *testing.T, conn net.Conn, client *tls.Config) {
		testutil.EchoTwice(t, tls.Client(conn, client))
		writeAll(t, conn, "\x17\x03\x03\x00\x20"+strings.Repeat("\xff", 32))
	}, "tls: bad record MAC"},
	"nonsense later": {func(t *testing.T, conn net.Conn, client *tls.Config) {
		testutil.EchoTwice(t, tls.Client(conn, client))
		writeAll(t, conn, strings.Repeat("\xff", 100))
	}, "tls: "},
}

// Whatever goes wrong with TLS because of the peer is logged at the debug level, once, and
// names the peer; and the server goes on.
func TestTLSAbuses(t *testing.T) {
	for name, c := range tlsAbuses {
		t.Run(name, func(t *testing.T) {
			client, server := configs(t)
			config := &network.ServerConfig{TLS: server, HandshakeTimeout: testutil.Patience}
			if name == "silence" {
				config.HandshakeTimeout = short
			}
			s := serveWith(t, config, echo)
			conn := testutil.Dial(t, s.Addr)
			c.abuse(t, conn, client)
			record := s.Log.TakeOne(t, msgLost)
			if record.Level != slog.LevelDebug || !strings.Contains(fmt.Sprint(record.Attrs["err"]), c.says) {
				t.Errorf("logged: %v", record)
			}
			if peer := conn.LocalAddr().String(); record.Attrs["peer"] != peer {
				t.Errorf("%v does not name the peer, %s", record, peer)
			}
			if err := conn.SetDeadline(time.Now().Add(testutil.Patience)); err == nil {
				_, _ = io.Copy(io.Discard, conn) // up to its end, for the server has closed it
			}
			s.talkTLS(t, client)
			is(t, s.cancel(), taskCancelled...)
			s.Log.Empty(t, slog.LevelDebug)
		})
	}
}

// talkTLS is a client that does as it should.
func (s *server) talkTLS(t *testing.T, config *tls.Config) {
	t.Helper()
	conn := tls.Client(testutil.Dial(t, s.Addr), config)
	testutil.EchoTwice(t, conn)
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	testutil.Await(t, "end of the handler", func() bool { return s.handlers() == 0 })
}

// A handler that fails with an error of its own is heard, TLS or not.
func TestTLSHandlerFails(t *testing.T) {
	client, server := configs(t)
	s := serveWith(t, &network.ServerConfig{TLS: server}, func(context.Context, network.Conn) error {
		return fmt.Errorf("boom")
	})
	conn := tls.Client(testutil.Dial(t, s.Addr), client)
	atEnd(t, conn)
	if r := s.Log.TakeOne(t, msgFailed); r.Level != slog.LevelError {
		t.Errorf("logged: %v", r)
	}
	is(t, s.cancel(), taskCancelled...)
}
