package network_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// acceptingUnix listens with package net and hands over what connects, which has to be
// received.
func acceptingUnix(t *testing.T, path string) <-chan net.Conn {
	t.Helper()
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	return acceptingOn(t, listener)
}

// muteUnix returns the path of a Unix socket that has no room for another connection.
func muteUnix(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mute")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fd)
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		client, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		syscall.CloseOnExec(client)
		t.Cleanup(func() { syscall.Close(client) })
		if err := syscall.SetNonblock(client, true); err != nil {
			t.Fatal(err)
		}
		switch err := syscall.Connect(client, &syscall.SockaddrUnix{Name: path}); err {
		case nil:
		case syscall.EAGAIN:
			return path
		default:
			t.Skipf("connecting with a socket whose queue is full fails here: %v", err)
		}
	}
	t.Fatal("the queue is never full")
	panic("unreachable")
}

func TestOpenUnixConnection(t *testing.T) {
	testutil.NoLeaks(t)
	path := filepath.Join(t.TempDir(), "socket")
	conns := acceptingUnix(t, path)
	conn, err := network.OpenUnixConnection(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	peer := testutil.Receive(t, "connection", conns)
	defer peer.Close()
	if _, err := conn.SendAll(t.Context(), []byte("x")); err != nil {
		t.Error(err)
	}
	if n, err := peer.Read(make([]byte, 2)); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if got := conn.RemoteAddr().String(); got != path {
		t.Errorf("it is connected with %s", got)
	}
}

// W8: what cannot be says why, and with what.
func TestUnixErrors(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	listener.Close()
	secret := filepath.Join(dir, "file")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := "/" + strings.Repeat("x", 200)
	for _, c := range []struct {
		path   string
		config *network.ConnectConfig
		want   error
		says   string
	}{
		{filepath.Join(dir, "none"), nil, fs.ErrNotExist, "no such file"},
		{dir, nil, nil, "connect unix " + dir},
		{secret, nil, nil, "connect unix " + secret},
		{stale, nil, syscall.ECONNREFUSED, "refused"},
		{long, nil, nil, "path longer than"},
		{"", nil, syscall.EINVAL, "missing path"},
		{"a\x00b", nil, syscall.EINVAL, "zero byte"},
		{stale, &network.ConnectConfig{Source: netip.MustParseAddrPort("127.0.0.1:0")}, syscall.EINVAL, "Source, for a Unix socket"},
		{stale, &network.ConnectConfig{AttemptDelay: time.Second}, syscall.EINVAL, "AttemptDelay, for a Unix socket"},
		{stale, &network.ConnectConfig{ResolutionDelay: time.Second}, syscall.EINVAL, "ResolutionDelay, for a Unix socket"},
		{stale, &network.ConnectConfig{Resolver: new(net.Resolver)}, syscall.EINVAL, "Resolver, for a Unix socket"},
		{stale, &network.ConnectConfig{HandshakeTimeout: time.Second}, syscall.EINVAL, "HandshakeTimeout without TLS"},
		{stale, &network.ConnectConfig{TLS: new(tls.Config)}, syscall.EINVAL, "TLS without ServerName"},
		{stale, &network.ConnectConfig{TLS: &tls.Config{ServerName: "example.com"}}, syscall.ECONNREFUSED, "refused"},
	} {
		conn, err := network.OpenUnixConnection(context.Background(), c.path, c.config)
		if conn != nil || err == nil {
			t.Fatalf("%q: %v, %v", c.path, conn, err)
		}
		if !strings.Contains(err.Error(), c.says) || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%q: %v, want %v that says %q", c.path, err, c.want, c.says)
		}
		op, ok := err.(*net.OpError)
		if !ok || op.Op != "connect" || op.Net != "unix" || op.Addr.String() != c.path {
			t.Errorf("%q: %#v", c.path, err)
		}
	}
}

// The same of OpenConnection: options and addresses that make no sense.
func TestConnectionErrors(t *testing.T) {
	testutil.NoLeaks(t)
	for _, c := range []struct {
		addr   string
		config *network.ConnectConfig
		says   string
	}{
		{"127.0.0.1", nil, "missing port"},
		{"127.0.0.1:nothing", nil, "unknown port"},
		{"127.0.0.1:65536", nil, "invalid port"},
		{"127.0.0.1:-1", nil, "invalid port"},
		{"::1:80", nil, "too many colons"},
		{"127.0.0.1:80", &network.ConnectConfig{HandshakeTimeout: -1}, "HandshakeTimeout without TLS"},
		{":80", &network.ConnectConfig{TLS: new(tls.Config)}, "TLS without ServerName"},
	} {
		conn, err := network.OpenConnection(t.Context(), c.addr, c.config)
		if conn != nil || err == nil {
			t.Fatalf("%q: %v, %v", c.addr, conn, err)
		}
		checkOpening(t, err, c.addr, []string{c.says})
	}
}
