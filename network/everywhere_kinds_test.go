package network_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
)

// Client and server of every kind, cancelled at each of their waits: as they are, and with
// streams on top.

func TestEverywhereKinds(t *testing.T) {
	data := testutil.Pattern(6, 20_000)
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			p := k.place(t)
			curiotest.CancelEverywhere(t, func(ctx context.Context) error {
				l, err := p.listen(ctx, network.ServerConfig{})
				if err != nil {
					return err
				}
				return servedOn(ctx, l, echoOfMany, func(ctx context.Context, addr string) error {
					conn, err := p.connect(ctx, addr)
					if err != nil {
						return err
					}
					defer conn.Close()
					return together(ctx, sendsThenEnds(conn, data), receivesAll(conn, data))
				})
			})
		})
	}
}

// echoOfMany is echo by large pieces, so that there are few waits. That the client has
// gone, as it has been cancelled, is no failure.
func echoOfMany(ctx context.Context, conn network.Conn) error {
	for buf := make([]byte, 64<<10); ; {
		if err := conn.WaitRead(ctx); err != nil {
			return departed(ctx, err)
		}
		n, err := conn.Recv(ctx, buf)
		if err != nil {
			return departed(ctx, err)
		}
		if _, err := conn.SendAll(ctx, buf[:n]); err != nil {
			return departed(ctx, err)
		}
	}
}

// departed is nil if err is that the peer has gone.
func departed(ctx context.Context, err error) error {
	if op, ok := errors.AsType[*net.OpError](err); err == io.EOF || ok && curio.CheckCancellation(ctx) == nil && op.Op != "handshake" {
		return nil
	}
	return err
}

func TestEverywhereStreams(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			p := k.place(t)
			curiotest.CancelEverywhere(t, func(ctx context.Context) error {
				l, err := p.listen(ctx, network.ServerConfig{})
				if err != nil {
					return err
				}
				return servedOn(ctx, l, func(ctx context.Context, conn network.Conn) error {
					return departed(ctx, lines(ctx, conn))
				}, func(ctx context.Context, addr string) error {
					conn, err := p.connect(ctx, addr)
					if err != nil {
						return err
					}
					return asksLines(ctx, stream.New(conn))
				})
			})
		})
	}
}

func asksLines(ctx context.Context, s *stream.Stream) error {
	defer func() { _ = curio.DisableCancellation(ctx, s.CloseContext) }()
	long := strings.Repeat("x", 50_000) + "\n"
	for _, line := range []string{"hello\n", long} {
		if _, err := s.WriteString(ctx, line); err != nil {
			return err
		}
		if err := s.Flush(ctx); err != nil {
			return err
		}
		got, err := s.ReadLine(ctx)
		if err != nil {
			return err
		}
		if got != line {
			return fmt.Errorf("%d bytes came back for %d", len(got), len(line))
		}
	}
	return nil
}

// net/http on both sides. Its goroutines wait for what is ours, in nobody's name; who
// cancels the client or stops the server must find nothing of theirs left.
func TestEverywhereHTTP(t *testing.T) {
	body := testutil.Pattern(7, 100_000)
	for _, k := range []kind{{name: "TCP"}, {name: "Unix", unix: true}} {
		t.Run(k.name, func(t *testing.T) {
			p := k.place(t)
			curiotest.CancelEverywhere(t, func(ctx context.Context) error {
				l, err := p.listen(ctx, network.ServerConfig{})
				if err != nil {
					return err
				}
				server := &http.Server{
					ErrorLog: log.New(io.Discard, "", 0),
					Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if all, err := io.ReadAll(r.Body); err == nil {
							_, _ = w.Write(all)
						}
					}),
				}
				ended := make(chan error, 1)
				go func() { ended <- server.Serve(network.NetListener(context.Background(), l)) }()
				err = asksHTTP(ctx, l.LocalAddr(), body)
				stopped := server.Close()
				if e := <-ended; e != http.ErrServerClosed {
					stopped = errors.Join(stopped, e)
				}
				if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
					err = cancelled // net/http says so in words of its own
				}
				return errors.Join(err, stopped)
			})
		})
	}
}

func asksHTTP(ctx context.Context, addr net.Addr, body []byte) error {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return network.DialContext(ctx, addr.Network(), addr.String())
	}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	for range 2 {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/", bytes.NewReader(body))
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		got, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			return err
		}
		if err := same(got, body); err != nil {
			return err
		}
		if err := curio.Sleep(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}
