package balancer

import (
	"context"
	"io"
	"log/slog"
	"net"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
)

// ServeCurio balances until ctx is done, and returns an error that is ctx's.
func ServeCurio(ctx context.Context, addr string, settings Settings, ready func(net.Addr)) error {
	listener, err := network.ListenTCP(ctx, addr, &network.ServerConfig{
		MaxConnections: settings.MaxConnections,
		Grace:          settings.Grace,
	})
	if err != nil {
		return err
	}
	return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
		for _, b := range settings.Backends {
			g.Go(func(ctx context.Context) error { return settings.checkCurio(ctx, b) })
		}
		ready(listener.LocalAddr())
		return network.RunServer(ctx, listener, func(ctx context.Context, conn network.Conn) error {
			if err := settings.serveCurio(ctx, conn); err != nil { // a backend's failure is none of the handler
				slog.Debug("connection failed", "peer", conn.RemoteAddr(), "err", err)
			}
			return nil
		})
	}, curio.WaitNone)
}

// checkCurio checks a backend, now and at each interval.
func (s *Settings) checkCurio(ctx context.Context, b *Backend) error {
	for {
		conn, err := s.dialCurio(ctx, b)
		if err == nil {
			err = conn.Close()
		}
		if ctx.Err() == nil {
			b.report(err)
		}
		if err := curio.Sleep(ctx, s.Interval); err != nil {
			return err
		}
	}
}

func (s *Settings) dialCurio(ctx context.Context, b *Backend) (network.Conn, error) {
	ctx, cancel := curio.WithTimeout(ctx, s.Timeout)
	defer cancel()
	return network.OpenConnection(ctx, b.Addr, nil)
}

// serveCurio serves one client: it looks for a backend that can be reached.
func (s *Settings) serveCurio(ctx context.Context, client network.Conn) error {
	for {
		b, err := s.pick()
		if err != nil {
			return err
		}
		server, err := s.dialCurio(ctx, b)
		if err == nil {
			defer b.connections.Add(-1)
			defer server.Close()
			return s.joinCurio(ctx, client, server)
		}
		b.connections.Add(-1)
		if ctx.Err() != nil {
			return err
		}
		b.report(err)
	}
}

// joinCurio passes on what both sides send.
func (s *Settings) joinCurio(ctx context.Context, client, server network.Conn) error {
	var idle curio.CancelScope
	idle.SetTimeout(s.Idle)
	pass := func(ctx context.Context, to, from network.Conn) error {
		buf := make([]byte, 16<<10)
		for {
			n, err := from.Recv(ctx, buf)
			if err == io.EOF {
				return to.CloseWrite(ctx)
			}
			if err != nil {
				return err
			}
			idle.SetTimeout(s.Idle)
			if _, err := to.SendAll(ctx, buf[:n]); err != nil {
				return err
			}
		}
	}
	_, err := idle.Ignore(idle.Run(ctx, func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			g.Go(func(ctx context.Context) error { return pass(ctx, client, server) })
			return pass(ctx, server, client)
		})
	}))
	return err
}
