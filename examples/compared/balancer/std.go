package balancer

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// ServeStd balances until ctx is done, and returns an error that is ctx's.
func ServeStd(ctx context.Context, addr string, settings Settings, ready func(net.Addr)) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	defer listener.Close()

	var checks, clients sync.WaitGroup
	defer checks.Wait()
	for _, b := range settings.Backends {
		checks.Go(func() { settings.checkStd(ctx, b) })
	}
	ready(listener.Addr())

	killed, kill := context.WithCancel(context.WithoutCancel(ctx)) // after the grace time
	defer kill()
	slots := make(chan struct{}, settings.MaxConnections)
	for ctx.Err() == nil {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		conn, err := listener.Accept()
		if err != nil {
			<-slots
			if ctx.Err() == nil { // out of descriptors, for example
				slog.Warn("cannot accept", "err", err)
				pause(ctx, 50*time.Millisecond)
			}
			continue
		}
		clients.Go(func() {
			defer func() { <-slots }()
			defer conn.Close()
			if err := settings.serveStd(killed, conn); err != nil {
				slog.Debug("connection failed", "peer", conn.RemoteAddr(), "err", err)
			}
		})
	}

	finished := make(chan struct{})
	go func() {
		clients.Wait()
		close(finished)
	}()
	select {
	case <-finished:
	case <-time.After(settings.Grace):
		kill()
		<-finished
	}
	return ctx.Err()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// checkStd checks a backend, now and at each interval.
func (s *Settings) checkStd(ctx context.Context, b *Backend) {
	for ctx.Err() == nil {
		conn, err := s.dialStd(ctx, b)
		if err == nil {
			err = conn.Close()
		}
		if ctx.Err() == nil {
			b.report(err)
		}
		pause(ctx, s.Interval)
	}
}

func (s *Settings) dialStd(ctx context.Context, b *Backend) (net.Conn, error) {
	dialer := net.Dialer{Timeout: s.Timeout}
	return dialer.DialContext(ctx, "tcp", b.Addr)
}

// serveStd serves one client: it looks for a backend that can be reached.
func (s *Settings) serveStd(ctx context.Context, client net.Conn) error {
	for {
		b, err := s.pick()
		if err != nil {
			return err
		}
		server, err := s.dialStd(ctx, b)
		if err == nil {
			defer b.connections.Add(-1)
			defer server.Close()
			return s.joinStd(ctx, client, server)
		}
		b.connections.Add(-1)
		if ctx.Err() != nil {
			return err
		}
		b.report(err)
	}
}

// joinStd passes on what both sides send.
func (s *Settings) joinStd(ctx context.Context, client, server net.Conn) error {
	g, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, func() { // one direction has failed, or the grace time is over
		client.Close()
		server.Close()
	})()
	active := func() {
		deadline := time.Now().Add(s.Idle)
		client.SetDeadline(deadline)
		server.SetDeadline(deadline)
	}
	pass := func(to, from net.Conn) error {
		buf := make([]byte, 16<<10)
		for {
			n, err := from.Read(buf)
			if n > 0 {
				active()
				if _, err := to.Write(buf[:n]); err != nil {
					return err
				}
			}
			if err == io.EOF {
				return to.(*net.TCPConn).CloseWrite()
			}
			if err != nil {
				return err
			}
		}
	}
	active()
	g.Go(func() error { return pass(client, server) })
	g.Go(func() error { return pass(server, client) })
	if err := g.Wait(); !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return nil
}
