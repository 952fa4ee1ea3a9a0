package network_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/signal"
)

// A server reads its certificate again at each SIGHUP.
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
					log.Print(err) // the server goes on with the previous certificate
				}
			}
			return nil
		}, curio.Daemon())

		return network.TCPServer(ctx, "127.0.0.1:25000", greet, &network.ServerConfig{
			TLS:            &tls.Config{GetCertificate: certs.GetCertificate},
			MaxConnections: 1000,
			IdleTimeout:    time.Minute,
		})
	}
	_ = serve
}

// A client connects to a server whose certificate comes from a private authority.
func ExampleConnectConfig() {
	ask := func(ctx context.Context, authority []byte) error {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(authority) {
			return errors.New("no certificate of the authority")
		}
		ctx, cancel := curio.WithTimeout(ctx, time.Minute) // for all that follows
		defer cancel()
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
