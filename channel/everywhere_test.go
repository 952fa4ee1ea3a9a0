package channel_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/stream"
)

// Small programs with messages, which are cancelled at each of their waits.

// both runs the sides of a connection as tasks of a group. If all are cancelled, one may see first that the
// other has gone: that the whole was cancelled is what counts.
func both(whole context.Context, sides ...func(ctx context.Context) error) error {
	return curio.Group(whole, func(_ context.Context, g *curio.Tasks) error {
		for _, side := range sides {
			g.Go(func(ctx context.Context) error {
				err := side(ctx)
				if cancelled := curio.CheckCancellation(whole); err != nil && cancelled != nil {
					return cancelled
				}
				return err
			})
		}
		return nil
	})
}

const blockSize = 50_000

// answersNames answers each name by itself and a block.
func answersNames(ctx context.Context, c *channel.Conn) error {
	defer c.Close()
	for {
		var name string
		err := c.Recv(ctx, &name)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := errors.Join(c.Send(ctx, person{Name: name}), c.SendBytes(ctx, bytes.Repeat([]byte(name[:1]), blockSize))); err != nil {
			return err
		}
	}
}

// asksNames asks for two names at once, and says then that there are no more.
func asksNames(ctx context.Context, c *channel.Conn) error {
	defer c.Close()
	names := []string{"ada", "bob"}
	for _, name := range names {
		if err := c.Send(ctx, name); err != nil {
			return err
		}
	}
	if err := c.CloseWrite(ctx); err != nil {
		return err
	}
	buf := make([]byte, blockSize)
	for _, name := range names {
		var p person
		if err := c.Recv(ctx, &p); err != nil {
			return err
		}
		n, err := c.RecvBytesInto(ctx, buf)
		if err != nil {
			return err
		}
		if p.Name != name || n != blockSize || len(bytes.Trim(buf, name[:1])) != 0 {
			return fmt.Errorf("received %+v and %d bytes", p, n)
		}
	}
	if _, err := c.RecvBytes(ctx); err != io.EOF {
		return fmt.Errorf("at the end %w", err)
	}
	return nil
}

// side is one side of a talk over t, with its handshake.
func side(make func(context.Context, stream.Transport, *channel.Config) (*channel.Conn, error), t stream.Transport, config *channel.Config,
	talk func(context.Context, *channel.Conn) error,
) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		c, err := make(ctx, t, config)
		if err != nil {
			return err
		}
		return talk(ctx, c)
	}
}

func TestEverywhereSocket(t *testing.T) {
	for _, codec := range []channel.Codec{channel.JSON, channel.Gob} {
		config := &channel.Config{Codec: codec}
		t.Run(codec.String(), func(t *testing.T) {
			curiotest.CancelEverywhere(t, func(ctx context.Context) error {
				a, b, err := socket.SocketPair(socket.SOCK_STREAM)
				if err != nil {
					return err
				}
				defer a.Close()
				defer b.Close()
				if err := errors.Join(socket.SendBufferSize.Set(a, 1<<14), socket.SendBufferSize.Set(b, 1<<14)); err != nil {
					return err
				}
				return both(ctx, side(channel.Server, a, config, answersNames), side(channel.Client, b, config, asksNames))
			})
		})
	}
}

func TestEverywhereListener(t *testing.T) {
	dir := t.TempDir()
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		path := filepath.Join(dir, "s")
		l, err := channel.Listen(ctx, "unix", path, &channel.Config{Key: []byte("secret"), Backlog: 1})
		if err != nil {
			return err
		}
		defer l.Close()
		return both(ctx, func(ctx context.Context) error {
			c, err := l.Accept(ctx)
			if err != nil {
				return err
			}
			return answersNames(ctx, c)
		}, func(ctx context.Context) error {
			c, err := channel.Connect(ctx, "unix", path, withKey)
			if err != nil {
				return err
			}
			return asksNames(ctx, c)
		})
	})
}

// The client is there first, and tries again.
func TestEverywhereConnect(t *testing.T) {
	dir := t.TempDir()
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		path := filepath.Join(dir, "s")
		refused := new(curio.Event)
		return both(ctx, func(ctx context.Context) error {
			if err := refused.Wait(ctx); err != nil {
				return err
			}
			l, err := channel.Listen(ctx, "unix", path, nil)
			if err != nil {
				return err
			}
			defer l.Close()
			c, err := l.Accept(ctx)
			if err == nil {
				err = c.Close()
			}
			return err
		}, func(ctx context.Context) error {
			refused.Set()
			c, err := channel.Connect(ctx, "unix", path, nil)
			if err == nil {
				err = c.Close()
			}
			return err
		})
	})
}

// Two receive what two send, in turn.
func TestEverywhereInTurn(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		a, b, err := socket.SocketPair(socket.SOCK_STREAM)
		if err != nil {
			return err
		}
		defer a.Close()
		defer b.Close()
		from, err := channel.Server(ctx, a, nil)
		if err != nil {
			return err
		}
		defer from.Close()
		to, err := channel.Client(ctx, b, nil)
		if err != nil {
			return err
		}
		defer to.Close()
		send := func(ctx context.Context) error {
			return errors.Join(from.Send(ctx, 1), from.Send(ctx, 2))
		}
		recv := func(ctx context.Context) error {
			var n int
			return errors.Join(to.Recv(ctx, &n), to.Recv(ctx, &n))
		}
		return both(ctx, recv, recv, send, send)
	})
}
