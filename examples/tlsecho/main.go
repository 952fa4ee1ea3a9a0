// Tlsecho is an echo server and its client, over TLS. The server makes a certificate for
// this machine if none is given, and writes it to the file that -ca names, so that clients
// can verify it.
//
//	go run ./examples/tlsecho -ca ca.pem
//	go run ./examples/tlsecho -client -ca ca.pem hello
//	openssl s_client -connect 127.0.0.1:25000 -CAfile ca.pem
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
)

func main() {
	var (
		addr = flag.String("addr", "127.0.0.1:25000", "`HOST:PORT` to listen on, or to connect with")
		cert = flag.String("cert", "", "`FILE` with the server's certificate; without one, the server makes one")
		key  = flag.String("key", "", "`FILE` with the key of the certificate")
		ca   = flag.String("ca", "", "`FILE` with the authority: the client trusts it, and a server that makes its certificate writes it")
		idle = flag.Duration("idle", 5*time.Minute, "how long a client may send nothing, or take no answer")
		asks = flag.Bool("client", false, "be the client: send the arguments and print what comes back")
	)
	flag.Parse()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		if *asks {
			config, err := clientConfig(*addr, *ca)
			if err != nil {
				return err
			}
			reply, err := ask(ctx, *addr, config, strings.Join(flag.Args(), " "))
			if reply != "" {
				fmt.Println(reply)
			}
			return err
		}
		var certs network.Certificates
		if err := load(ctx, &certs, *cert, *key, *ca); err != nil {
			return err
		}
		listener, err := network.ListenTCP(ctx, *addr, &network.ServerConfig{
			TLS: &tls.Config{GetCertificate: certs.GetCertificate}, MaxConnections: 1000, IdleTimeout: *idle,
		})
		if err != nil {
			return err
		}
		fmt.Println("listening on", listener.LocalAddr())
		return network.RunServer(ctx, listener, echo)
	}, curio.StopOnSignals())
	curio.Exit(err)
}

// load puts into certs what is in the files, or a certificate that it makes.
func load(ctx context.Context, certs *network.Certificates, cert, key, ca string) error {
	if cert != "" || key != "" {
		return certs.Load(ctx, cert, key)
	}
	own, authority, err := selfSigned()
	if err != nil {
		return err
	}
	certs.Set(own)
	if ca == "" {
		return nil
	}
	return os.WriteFile(ca, authority, 0o644)
}

// echo sends back what it receives, until the client has sent all.
func echo(ctx context.Context, conn network.Conn) error {
	buf := make([]byte, 16<<10)
	for {
		n, err := conn.Recv(ctx, buf)
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

// clientConfig trusts the authority in a file, or the system's authorities.
func clientConfig(addr, ca string) (*tls.Config, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{ServerName: host}
	if ca == "" {
		return config, nil
	}
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: no certificate in it", ca)
	}
	return config, nil
}

// ask is the client: it sends text and its end, and returns what comes back.
func ask(ctx context.Context, addr string, config *tls.Config, text string) (reply string, err error) {
	conn, err := network.OpenConnection(ctx, addr, &network.ConnectConfig{TLS: config})
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := conn.SendAll(ctx, []byte(text)); err != nil {
		return "", err
	}
	if err := conn.CloseWrite(ctx); err != nil {
		return "", err
	}
	for buf := make([]byte, 4096); ; {
		n, err := conn.Recv(ctx, buf)
		reply += string(buf[:n])
		if len(reply) > len(text) {
			return reply, errors.New("that is no echo")
		}
		if err == io.EOF {
			return reply, nil
		}
		if err != nil {
			return reply, err
		}
	}
}
