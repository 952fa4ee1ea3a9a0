// Dual is one echo handler, served on TCP, on a Unix socket and with TLS at once. The
// certificate, for this machine, is made at the start, and written to the file that -ca
// names, so that clients can verify it. Ctrl-C stops the server: clients that have sent
// something get their answer, which may take as long as -grace says; a second Ctrl-C ends
// that. Clients that are idle for longer than -idle are disconnected.
//
//	go run ./examples/dual -ca ca.pem
//	nc 127.0.0.1 25000
//	socat - UNIX-CONNECT:/tmp/dual.sock
//	openssl s_client -connect 127.0.0.1:25443 -CAfile ca.pem
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
)

func main() {
	var (
		tcp    = flag.String("tcp", "127.0.0.1:25000", "`HOST:PORT` to listen on")
		secure = flag.String("tls", "127.0.0.1:25443", "`HOST:PORT` to listen on with TLS")
		path   = flag.String("unix", filepath.Join(os.TempDir(), "dual.sock"), "`FILE` of the Unix socket to listen on")
		ca     = flag.String("ca", "", "`FILE` to write the authority of the certificate to")
		idle   = flag.Duration("idle", 5*time.Minute, "how long a client may send nothing, or take no answer")
		grace  = flag.Duration("grace", 5*time.Second, "how long answers may take when the server stops")
	)
	flag.Parse()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		cert, err := selfSigned(*ca)
		if err != nil {
			return err
		}
		listeners, err := listen(ctx, *tcp, *path, *secure, cert, network.ServerConfig{
			MaxConnections: 1000, IdleTimeout: *idle,
		})
		if err != nil {
			return err
		}
		for i, name := range []string{"tcp", "unix", "tls"} {
			fmt.Println("listening on", name, listeners[i].LocalAddr())
		}
		return network.RunServers(ctx, listeners, echo)
	}, curio.StopOnSignals(), curio.Grace(*grace))
	curio.Exit(err)
}

// listen listens on all three, each with a configuration of its own, or on none.
func listen(ctx context.Context, tcp, path, secure string, cert tls.Certificate, config network.ServerConfig) (all []*network.Listener, err error) {
	defer func() {
		if err != nil {
			for _, l := range all {
				l.Close()
			}
		}
	}()
	withMode, withTLS := config, config
	withMode.Mode = 0o600
	withTLS.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	for _, one := range []struct {
		listen func(ctx context.Context, addr string, config *network.ServerConfig) (*network.Listener, error)
		addr   string
		config network.ServerConfig
	}{
		{network.ListenTCP, tcp, config},
		{network.ListenUnix, path, withMode},
		{network.ListenTCP, secure, withTLS},
	} {
		l, err := one.listen(ctx, one.addr, &one.config)
		if err != nil {
			return all, err
		}
		all = append(all, l)
	}
	return all, nil
}

// echo sends back what it receives, until the client has sent all or the server stops. It
// is the same for all connections.
func echo(ctx context.Context, conn network.Conn) error {
	buf := make([]byte, 16<<10)
	for {
		idle, cancel := curio.UntilStop(ctx)
		n, err := conn.Recv(idle, buf)
		cancel()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := conn.SendAll(ctx, buf[:n]); err != nil {
			return err
		}
	}
}

// selfSigned makes a certificate for this machine, which is its own authority.
func selfSigned(ca string) (cert tls.Certificate, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return cert, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "dual"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err == nil && ca != "" {
		err = os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
