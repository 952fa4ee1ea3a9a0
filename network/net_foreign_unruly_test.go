package network_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
)

// A tunnel is like a channel of golang.org/x/crypto/ssh: it has no deadlines, and its Close
// writes to the other side and so may hang.
type tunnel struct {
	net.Conn
	deadline func() error
	release  chan struct{}
}

func (c tunnel) SetDeadline(time.Time) error      { return c.deadline() }
func (c tunnel) SetReadDeadline(time.Time) error  { return c.deadline() }
func (c tunnel) SetWriteDeadline(time.Time) error { return c.deadline() }
func (c tunnel) Close() error                     { <-c.release; return c.Conn.Close() }

// A connection whose methods hang or panic holds up neither a timeout nor CancelNow, nor
// anything else that these end.
func TestUnrulyConnHoldsUpNobody(t *testing.T) {
	for name, deadline := range map[string]func(release chan struct{}) error{
		"no deadlines":      func(chan struct{}) error { return errors.New("deadline not supported") },
		"deadlines hang":    func(release chan struct{}) error { <-release; return nil },
		"deadlines panic":   func(chan struct{}) error { panic("no") },
		"deadlines ignored": func(chan struct{}) error { return nil },
	} {
		for _, how := range []string{"timeout", "CancelNow"} {
			t.Run(name+"/"+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					release := make(chan struct{})
					a, b := net.Pipe()
					conn := network.FromConn(tunnel{a, func() error { return deadline(release) }, release})
					const many = 100
					var ended atomic.Int32
					sleep := func(ctx context.Context) error {
						defer ended.Add(1)
						return curio.Sleep(ctx, time.Hour)
					}
					done := make(chan error, 1)
					k := curio.NewKernel()
					go func() {
						done <- k.Run(t.Context(), func(ctx context.Context) error {
							group := func(ctx context.Context) error {
								return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[any]) error {
									for range many {
										g.Go(sleep)
									}
									g.Go(func(ctx context.Context) error { return second(conn.Recv(ctx, make([]byte, 1))) })
									return g.Join(ctx)
								})
							}
							task := curio.Go(ctx, func(ctx context.Context) error {
								return curio.TimeoutAfter(ctx, time.Minute, group)
							})
							if how == "CancelNow" {
								if err := curio.Sleep(ctx, time.Second); err != nil {
									return err
								}
								task.CancelNow()
							}
							return errors.Join(task.Wait(ctx), task.Err())
						})
					}()
					time.Sleep(time.Minute)
					synctest.Wait()
					if n := ended.Load(); n != many {
						t.Errorf("%d of %d sleepers have ended", n, many)
					}
					close(release)
					if err := <-done; !errors.Is(err, curio.ErrCancelled) {
						t.Errorf("%v", err)
					}
					b.Close()
					_ = k.Shutdown(context.Background())
				})
			})
		}
	}
}
