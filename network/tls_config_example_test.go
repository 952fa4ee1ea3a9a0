package network_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"syscall"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/signal"
)

// A server whose certificate is read again at each SIGHUP.
func ExampleCertificates() {
	serve := func(ctx context.Context) error {
		var certs network.Certificates
		if err := certs.Load(ctx, "cert.pem", "key.pem"); err != nil {
			return err
		}
		hangups := signal.NewQueue(syscall.SIGHUP)
		defer hangups.Close()
		curio.Go(ctx, func(ctx context.Context) error {
			for _, err := range hangups.All(ctx) {
				if err == nil {
					err = certs.Load(ctx, "cert.pem", "key.pem")
				}
				if cancelled := curio.CheckCancellation(ctx); cancelled != nil {
					return cancelled
				}
				if err != nil {
					log.Print(err) // the former ones are still good
				}
			}
			return nil
		}, curio.Daemon())

		return network.TCPServer(ctx, "127.0.0.1:25000", greet, &network.ServerConfig{
			TLS: &tls.Config{GetCertificate: certs.GetCertificate},
		})
	}
	_ = serve
}

// A client of a server that has a certificate of an authority of its own.
func ExampleConnectConfig() {
	ask := func(ctx context.Context, authority []byte) error {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(authority)
		conn, err := network.OpenConnection(ctx, "localhost:25000", &network.ConnectConfig{
			TLS: &tls.Config{RootCAs: pool},
		})
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.SendAll(ctx, []byte("Guido")); err != nil {
			return err
		}
		buf := make([]byte, 100)
		n, err := conn.Recv(ctx, buf)
		fmt.Printf("%s\n", buf[:n])
		return err
	}
	_ = ask
}
