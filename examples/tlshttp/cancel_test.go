package main

import (
	"context"
	"crypto/tls"
	"io"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// Server and client run in one group, which is cancelled at each of their waits.
func TestCancelled(t *testing.T) {
	certificate, authority, err := selfSigned()
	if err != nil {
		t.Fatal(err)
	}
	ca := testutil.WriteFile(t, "ca.pem", authority)
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, "127.0.0.1:0", &network.ServerConfig{
			TLS: &tls.Config{Certificates: []tls.Certificate{certificate}},
		})
		if err != nil {
			return err
		}
		return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			g.Go(func(ctx context.Context) error { return serve(ctx, listener) }, curio.Daemon())
			err := fetch(ctx, io.Discard, listener.LocalAddr().String(), ca, "/hello")
			if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
				return cancelled // and so was the server, which may have gone first
			}
			return err
		})
	})
}
