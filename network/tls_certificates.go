package network

import (
	"context"
	"crypto/tls"
	"errors"
	"sync/atomic"

	"github.com/curio-go/curio"
)

// Certificates are those of a server, which can be replaced while it runs. Its
// GetCertificate is for a configuration of TLS:
//
//	var certs network.Certificates
//	if err := certs.Load(ctx, "cert.pem", "key.pem"); err != nil {
//		return err
//	}
//	config := &tls.Config{GetCertificate: certs.GetCertificate}
//
// The zero value is empty. It must not be copied, and is safe for concurrent use. What it
// changes is for connections that are made from then on; those that are open go on.
type Certificates struct {
	current atomic.Pointer[[]tls.Certificate]
}

// Load reads a certificate, with those that lead to its authority, and its key from two
// files in PEM form, and puts it in the place of what was there. To reload it, call Load
// again. If it fails, or ctx ends while it reads, nothing changes. The files are read in a
// thread: see curio.RunInThread.
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

// Set puts certificates in the place of what was there. Of several, each client gets the
// first that fits the name that it asks for, and what else it can do; if none does, the
// first.
func (c *Certificates) Set(certificates ...tls.Certificate) {
	own := append([]tls.Certificate(nil), certificates...)
	c.current.Store(&own)
}

// GetCertificate returns the certificate for a client. It never blocks. It is an error if
// there is none.
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
