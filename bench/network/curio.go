//go:build linux

package main

import (
	"context"
	"os"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// serveCurio is the same on this library.
func (s *site) serveCurio() error {
	return curio.Run(context.Background(), func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, "127.0.0.1:0", &network.ServerConfig{TLS: s.tls})
		if err != nil {
			return err
		}
		listening(listener.LocalAddr())
		handler := s.handleCurio
		if s.work.name == "idle-pooled" {
			handler = handlePooled
		}
		return network.RunServer(ctx, listener, handler)
	})
}

func (s *site) handleCurio(ctx context.Context, conn network.Conn) error {
	buf := make([]byte, bufferSize(s.work.size))
	for {
		n, err := conn.Recv(ctx, buf)
		if err != nil {
			return nil // the client has gone
		}
		if s.file != nil {
			err = s.sendCurio(ctx, conn)
		} else {
			_, err = conn.SendAll(ctx, buf[:n])
		}
		if err != nil || s.work.is("accept") {
			return nil
		}
	}
}

// sendCurio opens the file anew, as sendNet must.
func (s *site) sendCurio(ctx context.Context, conn network.Conn) error {
	f, err := os.Open(pathOf(s.file))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = conn.(*socket.Socket).SendFile(ctx, f, 0, int64(s.work.size))
	return err
}

// handlePooled has a buffer only while there is something in it.
func handlePooled(ctx context.Context, conn network.Conn) error {
	for {
		buf, err := conn.(*socket.Socket).RecvBuffer(ctx)
		if err != nil {
			return nil // the client has gone
		}
		_, err = conn.SendAll(ctx, buf.Bytes())
		buf.Release()
		if err != nil {
			return nil
		}
	}
}
