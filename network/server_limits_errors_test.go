package network_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
)

// On each kind of connection, a handler can tell from the error of its operation which
// limit was reached: the error is that limit and no other.
func TestLimitsAreToldApart(t *testing.T) {
	limits := []error{network.ErrIdle, network.ErrHandshakeTimeout, network.ErrLifetime, curio.ErrStopping}
	const far = 10 * short
	for _, k := range []kind{{name: "TCP"}, {name: "TLS on Unix", unix: true, tls: true}, {name: "PROXY", proxy: true}, {name: "FromListener and TLS", foreign: true, tls: true}} {
		for _, c := range []struct {
			name    string
			config  network.ServerConfig
			handler network.Handler
			want    error // one of limits, or nil
			timeout bool
		}{
			{"idle", network.ServerConfig{IdleTimeout: far, Lifetime: time.Hour}, recv, network.ErrIdle, true},
			{"idle, in a stream", network.ServerConfig{IdleTimeout: far}, func(ctx context.Context, conn network.Conn) error {
				_, err := stream.New(conn).ReadLine(ctx)
				return err
			}, network.ErrIdle, true},
			{"lifetime", network.ServerConfig{IdleTimeout: time.Hour, Lifetime: far}, recv, network.ErrLifetime, true},
			{"lifetime, in a timeout", network.ServerConfig{Lifetime: far}, func(ctx context.Context, conn network.Conn) error {
				inner, cancel := curio.WithTimeout(ctx, time.Hour)
				defer cancel()
				return recv(inner, conn)
			}, network.ErrLifetime, false},
			{"one's own", network.ServerConfig{IdleTimeout: time.Hour, Lifetime: time.Hour}, func(ctx context.Context, conn network.Conn) error {
				inner, cancel := curio.WithTimeout(ctx, short)
				defer cancel()
				return recv(inner, conn)
			}, nil, true},
		} {
			t.Run(k.name+"/"+c.name, func(t *testing.T) {
				p := k.place(t)
				errs := make(chan error, 1)
				s := p.serve(t, c.config, func(ctx context.Context, conn network.Conn) error {
					err := c.handler(ctx, conn)
					if c.want == network.ErrLifetime {
						who, ok := curio.WhoCancelled(err)
						if !ok || who.Reason != network.ErrLifetime || !who.Expired {
							t.Errorf("who has cancelled: %+v", who)
						}
						if cause := context.Cause(ctx); !errors.Is(cause, network.ErrLifetime) {
							t.Errorf("the cause: %v", cause)
						}
					}
					errs <- err
					return nil
				})
				conn := p.dial(t, s.Addr)
				go func() { _, _ = conn.Read(make([]byte, 1)) }() // the handshake
				err := testutil.Receive(t, "error", errs)
				for _, limit := range limits {
					if got := errors.Is(err, limit); got != (limit == c.want) {
						t.Errorf("errors.Is(%v, %v) = %v", err, limit, got)
					}
				}
				var timeout interface{ Timeout() bool }
				if !errors.As(err, &timeout) || timeout.Timeout() != c.timeout || errors.Is(err, os.ErrDeadlineExceeded) != c.timeout {
					t.Errorf("%v is a timeout: %v", err, !c.timeout)
				}
				is(t, s.cancel(), taskCancelled...)
			})
		}
	}
}

// The sentinels are timeouts themselves.
func TestLimitsAreTimeouts(t *testing.T) {
	for _, err := range []error{network.ErrIdle, network.ErrHandshakeTimeout, network.ErrLifetime} {
		if timeout, ok := err.(interface{ Timeout() bool }); !ok || !timeout.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v is no timeout", err)
		}
	}
}

// A context of UntilStop is done as soon as the server stops, and its cause says so. One
// that is made after that is done from the start.
func TestUntilStopTells(t *testing.T) {
	begun, done := new(curio.Event), make(chan bool, 1)
	s := serveWith(t, &network.ServerConfig{Grace: time.Hour}, func(ctx context.Context, conn network.Conn) error {
		idle, cancel := curio.UntilStop(ctx)
		defer cancel()
		begun.Set()
		<-idle.Done()
		for range 2 {
			if cause := context.Cause(idle); !errors.Is(cause, curio.ErrStopping) || idle.Err() != context.Canceled {
				t.Errorf("its cause is %v, and its error %v", cause, idle.Err())
			}
			err := curio.Sleep(idle, time.Hour)
			if who, ok := curio.WhoCancelled(err); !ok || who.Reason != curio.ErrStopping || !errors.Is(err, curio.ErrStopping) {
				t.Errorf("%v, %+v", err, who)
			}
			cancel()
			idle, cancel = curio.UntilStop(ctx)
			if idle.Err() == nil {
				t.Error("a context that is made later has not ended")
			}
		}
		cancel()
		if ctx.Err() != nil {
			t.Error("the handler's own context has ended")
		}
		done <- true
		return nil
	})
	testutil.Dial(t, s.Addr)
	testutil.Await(t, "handler", begun.IsSet)
	is(t, s.cancel(), taskCancelled...)
	testutil.Receive(t, "end of the handler", done)
}
