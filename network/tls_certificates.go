package network

import (
	"context"
	"crypto/tls"
	"errors"
	"sync/atomic"

	"github.com/curio-go/curio"
)

// Certificates holds the certificates of a server and can be changed while the server runs. Use its
// GetCertificate method in a TLS configuration:
//
//	var certs network.Certificates
//	if err := certs.Load(ctx, "cert.pem", "key.pem"); err != nil {
//		return err
//	}
//	config := &tls.Config{GetCertificate: certs.GetCertificate}
//
// The zero value is empty and ready to use. Certificates must not be copied, and is safe for
// concurrent use. A change applies to connections that are made afterwards; open connections go on.
type Certificates struct {
	current atomic.Pointer[[]tls.Certificate]
}

// Load reads a certificate chain and its key from two PEM files and replaces the certificates of c.
// To reload them, call Load again. If it fails, or ctx is done first, c does not change; the error
// is then ctx's error or the error of [tls.LoadX509KeyPair]. Load reads the files in a thread: see
// curio.RunInThread.
func (c *Certificates) Load(ctx context.Context, certFile, keyFile string) error {
	certificate, err := curio.RunInThread(ctx, func() (tls.Certificate, error) {
		return tls.LoadX509KeyPair(certFile, keyFile)
	}, func(tls.Certificate, error) {})
	if err != nil {
		return err
	}
	c.Set(certificate)
	return nil
}

// Set replaces the certificates of c. If there are several, each client gets the first one that
// fits the server name and the features in its request, or the first one if none fits.
func (c *Certificates) Set(certificates ...tls.Certificate) {
	own := append([]tls.Certificate(nil), certificates...)
	c.current.Store(&own)
}

// GetCertificate returns the certificate for a client. It does not block. It returns an error if c
// is empty.
func (c *Certificates) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	current := c.current.Load()
	if current == nil || len(*current) == 0 {
		return nil, errors.New("curio/network: there is no certificate: call Load or Set of Certificates first")
	}
	all := *current
	for i := range all {
		if len(all) == 1 || hello.SupportsCertificate(&all[i]) == nil {
			return &all[i], nil
		}
	}
	return &all[0], nil
}
