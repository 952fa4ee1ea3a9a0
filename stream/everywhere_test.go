package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/stream"
)

// Small programs over streams, which are cancelled at each of their waits.

// both runs the sides of a connection as tasks of a group. If all are cancelled, one may
// see first that the other has gone: that the whole was cancelled is what counts.
func both(whole context.Context, sides ...func(ctx context.Context) error) error {
	return curio.Group(whole, func(_ context.Context, g *curio.TaskGroup[struct{}]) error {
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

// closed closes s whatever has become of ctx.
func closed(ctx context.Context, s *stream.Stream) {
	_ = curio.DisableCancellation(ctx, s.CloseContext)
}

// talk has a client ask for blocks by lines, and a server send them.
func talk(ctx context.Context, server, client *stream.Stream) error {
	const size = 50_000
	return both(ctx, func(ctx context.Context) error {
		defer closed(ctx, server)
		server.SetWriteBuffer(1000)
		for line, err := range server.Lines(ctx) {
			if err != nil {
				return err
			}
			if _, err := server.WriteString(ctx, line); err != nil {
				return err
			}
			if _, err := server.Write(ctx, bytes.Repeat([]byte(line[:1]), size)); err != nil {
				return err
			}
			if err := server.Flush(ctx); err != nil {
				return err
			}
		}
		return nil
	}, func(ctx context.Context) error {
		defer closed(ctx, client)
		if _, err := client.WriteLines(ctx, slices.Values([]string{"a\n", "b\n"})); err != nil {
			return err
		}
		for _, letter := range []string{"a", "b"} {
			line, err := client.ReadLine(ctx)
			if err != nil {
				return err
			}
			block, err := client.ReadExactly(ctx, size)
			if err != nil {
				return err
			}
			if line != letter+"\n" || len(bytes.Trim(block, letter)) != 0 {
				return fmt.Errorf("received %q and something", line)
			}
		}
		return nil
	})
}

func TestEverywhereSocket(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		a, b, err := socket.SocketPair(socket.SOCK_STREAM)
		if err != nil {
			return err
		}
		if err := errors.Join(socket.SendBufferSize.Set(a, 1<<14), socket.SendBufferSize.Set(b, 1<<14)); err != nil {
			return err
		}
		return talk(ctx, stream.New(a), stream.New(b))
	})
}

func TestEverywhereConn(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		a, b := net.Pipe()
		return talk(ctx, stream.FromConn(a), stream.FromConn(b))
	})
}

// Two read the lines of a pipe, of which each goes to one of them, and is complete.
func TestEverywherePipe(t *testing.T) {
	for name, open := range pipes {
		if name == "FIFO" {
			continue // to open it blocks, and is not what is tested here
		}
		t.Run(name, func(t *testing.T) {
			curiotest.CancelEverywhere(t, func(ctx context.Context) error {
				return readInTurn(ctx, func() (r, w *os.File) { return open(t) })
			})
		})
	}
}

func readInTurn(ctx context.Context, open func() (r, w *os.File)) error {
	source, sink := open()
	r, err := stream.FromFile(source)
	if err != nil {
		return err
	}
	defer closed(ctx, r)
	w, err := stream.FromFile(sink)
	if err != nil {
		return err
	}
	defer closed(ctx, w)
	reader := func(ctx context.Context) error {
		for line, err := range r.Lines(ctx) {
			if err != nil {
				return err
			}
			if line != "0123456789\n" {
				return fmt.Errorf("received %q", line)
			}
		}
		return nil
	}
	return both(ctx, reader, reader, func(ctx context.Context) error {
		for range 3 {
			for _, half := range []string{"01234", "56789\n"} {
				if _, err := w.WriteString(ctx, half); err != nil {
					return err
				}
			}
		}
		return w.CloseContext(ctx)
	})
}
