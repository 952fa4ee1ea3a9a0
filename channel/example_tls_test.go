package channel_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"math/big"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/network"
)

// selfSigned makes a certificate for a name, and a pool of authorities that has it.
func selfSigned(name string) (tls.Certificate, *x509.CertPool) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{name},
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

// A shared key is used over a network, with TLS below it. The certificate proves the listener's identity to
// the client before the client answers a challenge, and the key proves to the listener that this is a
// client. Without TLS, a false listener could pass on the challenge of the right one.
func Example_tls() {
	key := make([]byte, 32)
	rand.Read(key) // in practice both programs read it from a file
	certificate, trusted := selfSigned("primes.example")
	forged, _ := selfSigned("primes.example")

	listen := func(ctx context.Context, certificate tls.Certificate) (*channel.Listener, error) {
		return channel.Listen(ctx, "tcp", "127.0.0.1:0", &channel.Config{
			Key:       key,
			RefuseMD5: true,
			Server:    &network.ServerConfig{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}},
		})
	}
	connect := func(ctx context.Context, l *channel.Listener, key []byte) (*channel.Conn, error) {
		ctx, cancel := curio.WithTimeout(ctx, time.Minute) // for connecting
		defer cancel()
		return channel.Connect(ctx, "tcp", l.LocalAddr().String(), &channel.Config{
			Key:       key,
			RefuseMD5: true,
			Client:    &network.ConnectConfig{TLS: &tls.Config{RootCAs: trusted, ServerName: "primes.example"}},
		})
	}
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		right, err := listen(ctx, certificate)
		if err != nil {
			return err
		}
		defer right.Close()
		imposter, err := listen(ctx, forged)
		if err != nil {
			return err
		}
		defer imposter.Close()
		curio.Go(ctx, func(ctx context.Context) error {
			conn, err := right.Accept(ctx)
			if err != nil {
				return err
			}
			defer conn.Close()
			return conn.Send(ctx, []int{2, 3, 5, 7})
		})

		_, err = connect(ctx, imposter, key)
		var untrusted *tls.CertificateVerificationError
		fmt.Println("false listener refused:", errors.As(err, &untrusted))

		_, err = connect(ctx, right, []byte("a guess"))
		fmt.Println("guess refused:", errors.Is(err, channel.ErrRefused))

		conn, err := connect(ctx, right, key)
		if err != nil {
			return err
		}
		defer conn.Close()
		var primes []int
		if err := conn.Recv(ctx, &primes); err != nil {
			return err
		}
		fmt.Println(primes)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// false listener refused: true
	// guess refused: true
	// [2 3 5 7]
}
