package main

import (
	"context"
	"crypto/tls"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// Server and client run in one group, which is cancelled at each of their waits.
func TestCancelled(t *testing.T) {
	cert, pool := testutil.Certificate(t)
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, "127.0.0.1:0", &network.ServerConfig{
			TLS: &tls.Config{Certificates: []tls.Certificate{cert}},
		})
		if err != nil {
			return err
		}
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
			g.Spawn(func(ctx context.Context) (struct{}, error) {
				return struct{}{}, network.RunServer(ctx, listener, echo)
			}, curio.Daemon())
			_, err := ask(ctx, listener.LocalAddr().String(), &tls.Config{RootCAs: pool, ServerName: "localhost"}, "hello")
			if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
				return cancelled // and so was the server, which may have gone first
			}
			return err
		})
	})
}

// The certificate is loaded in a thread.
func TestLoadCancelled(t *testing.T) {
	cert, _ := testutil.Certificate(t)
	certFile, keyFile := testutil.WriteCertificate(t, cert)
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		var certs network.Certificates
		return load(ctx, &certs, certFile, keyFile, "")
	})
}
