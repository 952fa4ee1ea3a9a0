package network_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
)

// A server whose certificate is read again at each SIGHUP.
func ExampleCertificates() {
	serve := func(ctx context.Context) error {
		var certs network.Certificates
		if err := certs.Load(ctx, "cert.pem", "key.pem"); err != nil {
			return err
		}
		hangups := make(chan os.Signal, 1)
		signal.Notify(hangups, syscall.SIGHUP)
		curio.Go(ctx, func(ctx context.Context) error {
			for {
				if _, err := curio.Receive(ctx, hangups); err != nil {
					return err
				}
				if err := certs.Load(ctx, "cert.pem", "key.pem"); err != nil {
					log.Print(err) // the former ones are still good
				}
			}
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
