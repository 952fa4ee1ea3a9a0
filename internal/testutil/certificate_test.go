package testutil_test

import (
	"crypto/tls"
	"crypto/x509"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestCertificate(t *testing.T) {
	c, pool := testutil.Certificate(t)
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, stranger := testutil.Certificate(t, "localhost")
	if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: stranger}); err == nil {
		t.Error("another authority verifies it")
	}
	a := testutil.NewAuthority(t)
	if _, err := a.Expired(t).Leaf.Verify(x509.VerifyOptions{Roots: a.Pool}); err == nil {
		t.Error("it has not expired")
	}
	loaded, err := tls.LoadX509KeyPair(testutil.WriteCertificate(t, c))
	if err != nil || !loaded.Leaf.Equal(c.Leaf) {
		t.Errorf("the files have another certificate, or %v", err)
	}
}
