package network_test

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// A function of the configuration that panics leaves no socket.
func TestOpenConnectionCallbackPanics(t *testing.T) {
	testutil.NoLeaks(t)
	addr := echoing(t, "tcp", "127.0.0.1:0")
	before := len(testutil.Descriptors(os.Getpid()))
	mustPanic(t, "kaboom", func() {
		_, _ = network.OpenConnection(t.Context(), addr, &network.ConnectConfig{TLS: &tls.Config{
			InsecureSkipVerify: true,
			VerifyConnection:   func(tls.ConnectionState) error { panic("kaboom") },
		}})
	})
	testutil.NoMoreDescriptors(t, before)
}

// What TLSClient cannot do is refused before there is a connection.
func TestOpenConnectionWithRenegotiation(t *testing.T) {
	testutil.NoLeaks(t)
	conn, err := network.OpenConnection(t.Context(), testutil.Refusing(t), &network.ConnectConfig{
		TLS: &tls.Config{InsecureSkipVerify: true, Renegotiation: tls.RenegotiateOnceAsClient},
	})
	if conn != nil || !errors.Is(err, syscall.EINVAL) {
		t.Errorf("%v, %v", conn, err)
	}
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "connect" {
		t.Errorf("%#v", err)
	}
}
