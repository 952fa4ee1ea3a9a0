package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// Servers and clients run in one group, which is cancelled at each of their waits.
func TestCancelled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dual.sock")
	cert, pool := testutil.Certificate(t)
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		all, err := listen(ctx, "127.0.0.1:0", path, "127.0.0.1:0", cert, network.ServerConfig{Grace: time.Minute})
		if err != nil {
			return err
		}
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
			g.Go(func(ctx context.Context) error { return network.RunServers(ctx, all, echo) }, curio.Daemon())
			tcp, tlsAddr := all[0].LocalAddr().String(), all[2].LocalAddr().String()
			err := errors.Join(
				ask(network.OpenConnection(ctx, tcp, nil))(ctx),
				ask(network.OpenUnixConnection(ctx, path, nil))(ctx),
				ask(network.OpenConnection(ctx, tlsAddr, &network.ConnectConfig{TLS: &tls.Config{RootCAs: pool}}))(ctx),
			)
			if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
				return cancelled // and so were the servers, which may have gone first
			}
			return err
		})
	})
}

// ask sends hello and its end, and expects it back.
func ask(conn network.Conn, err error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.SendAll(ctx, []byte("hello")); err != nil {
			return err
		}
		if err := conn.CloseWrite(ctx); err != nil {
			return err
		}
		var got []byte
		for buf := make([]byte, 10); ; {
			n, err := conn.Recv(ctx, buf)
			got = append(got, buf[:n]...)
			if err == io.EOF && string(got) == "hello" {
				return nil
			}
			if err != nil {
				return fmt.Errorf("after %q: %w", got, err)
			}
		}
	}
}
