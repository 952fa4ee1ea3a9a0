package foreign_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"
)

var certificate = sync.OnceValues(func() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{"test"},
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
})

// secure puts TLS on both sides of a connection.
func secure(t testing.TB, a, b net.Conn) (client, server *tls.Conn) {
	t.Helper()
	own, err := certificate()
	check(t, err)
	parsed, err := x509.ParseCertificate(own.Certificate[0])
	check(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Client(a, &tls.Config{RootCAs: roots, ServerName: "test"}),
		tls.Server(b, &tls.Config{Certificates: []tls.Certificate{own}})
}
