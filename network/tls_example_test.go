package network_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// forLocalhost makes a certificate for localhost, and a pool for clients that trust it.
func forLocalhost() (tls.Certificate, *x509.CertPool) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{"localhost"},
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		log.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		log.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, pool
}

// Both sides of a TLS connection run over a pair of sockets.
func ExampleTLSClient() {
	certificate, pool := forLocalhost()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		a, b, err := socket.SocketPair(socket.SOCK_STREAM)
		if err != nil {
			return err
		}
		client := network.TLSClient(a, &tls.Config{
			RootCAs: pool, ServerName: "localhost", NextProtos: []string{"greeting"},
		})
		defer client.Close()
		curio.Go(ctx, func(ctx context.Context) error {
			server := network.TLSServer(b, &tls.Config{
				Certificates: []tls.Certificate{certificate}, NextProtos: []string{"greeting"},
			})
			defer server.Close()
			if err := curio.TimeoutAfter(ctx, 10*time.Second, server.Handshake); err != nil {
				return err
			}
			return greet(ctx, server)
		})

		if err := curio.TimeoutAfter(ctx, 10*time.Second, client.Handshake); err != nil {
			return err
		}
		fmt.Println(client.ConnectionState().NegotiatedProtocol)
		if _, err := client.SendAll(ctx, []byte("Guido")); err != nil {
			return err
		}
		buf := make([]byte, 100)
		n, err := client.Recv(ctx, buf)
		if err != nil {
			return err
		}
		fmt.Printf("%s\n", buf[:n])
		_, err = client.Recv(ctx, buf)
		fmt.Println(err == io.EOF)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// greeting
	// Hello, Guido
	// true
}

// The configurations of a server and a client turn TLS on.
func ExampleServerConfig_tls() {
	certificate, pool := forLocalhost()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, "127.0.0.1:0", &network.ServerConfig{
			TLS:              &tls.Config{Certificates: []tls.Certificate{certificate}},
			HandshakeTimeout: 5 * time.Second,
			IdleTimeout:      time.Minute,
			MaxConnections:   1000,
		})
		if err != nil {
			return err
		}
		curio.Go(ctx, func(ctx context.Context) error {
			return network.RunServer(ctx, listener, greet)
		}, curio.Daemon())

		conn, err := network.OpenConnection(ctx, listener.LocalAddr().String(), &network.ConnectConfig{
			TLS: &tls.Config{RootCAs: pool, ServerName: "localhost"},
		})
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.SendAll(ctx, []byte("Ada")); err != nil {
			return err
		}
		buf := make([]byte, 100)
		n, err := conn.Recv(ctx, buf)
		fmt.Printf("%s\n", buf[:n])
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: Hello, Ada
}
