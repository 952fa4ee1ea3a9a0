package socket_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/socket"
)

// What curiotest.CancelEverywhere promises its users, it is to find of this package too:
// small programs that are cancelled at each of their waits. There is real I/O in them, so
// there are no bubbles, and nothing sleeps.

// both runs the sides of a connection as tasks of a group. If all are cancelled, one may
// see first that the other has gone, and even before the cancellation has reached it: that
// the whole was cancelled is what counts.
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

// expect receives want.
func expect(ctx context.Context, s *socket.Socket, want []byte) error {
	got := make([]byte, len(want))
	for n := 0; n < len(got); {
		k, err := s.Recv(ctx, got[n:])
		if err != nil {
			return err
		}
		n += k
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("received %.20q, want %.20q", got, want)
	}
	return nil
}

// end receives the end of the stream.
func end(ctx context.Context, s *socket.Socket) error {
	n, err := s.Recv(ctx, make([]byte, 1))
	if err == io.EOF {
		return nil
	}
	return cmp.Or(err, fmt.Errorf("%d bytes, want the end", n))
}

// meet has a client connect with a listener at addr, and both talk.
func meet(ctx context.Context, family int, addr net.Addr) error {
	l, err := socket.New(family, socket.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := errors.Join(l.Bind(addr), l.Listen(1)); err != nil {
		return err
	}
	return both(ctx, func(ctx context.Context) error {
		if err := l.WaitRead(ctx); err != nil {
			return err
		}
		s, err := l.Accept(ctx)
		if err != nil {
			return err
		}
		defer s.Close()
		if err := expect(ctx, s, []byte("ping")); err != nil {
			return err
		}
		if _, err := s.Send(ctx, []byte("pong")); err != nil {
			return err
		}
		return end(ctx, s)
	}, func(ctx context.Context) error {
		s, err := socket.New(family, socket.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.Connect(ctx, l.LocalAddr()); err != nil {
			return err
		}
		if _, err := s.SendAll(ctx, []byte("ping")); err != nil {
			return err
		}
		return expect(ctx, s, []byte("pong"))
	})
}

func TestEverywhereLoopback(t *testing.T) {
	t.Run("IPv4", func(t *testing.T) {
		curiotest.CancelEverywhere(t, func(ctx context.Context) error { return meet(ctx, socket.AF_INET, localhost) })
	})
	t.Run("IPv6", func(t *testing.T) {
		addr := &net.TCPAddr{IP: net.IPv6loopback}
		if probe, err := net.ListenTCP("tcp6", addr); err != nil {
			t.Skipf("no IPv6 here: %v", err)
		} else {
			probe.Close()
		}
		curiotest.CancelEverywhere(t, func(ctx context.Context) error { return meet(ctx, socket.AF_INET6, addr) })
	})
	t.Run("Unix", func(t *testing.T) {
		curiotest.CancelEverywhere(t, func(ctx context.Context) error {
			dir, err := os.MkdirTemp("", "curio") // short, as a socket's name has to be
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			return meet(ctx, socket.AF_UNIX, &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"})
		})
	})
}

// Both sides send more than there is room for, and receive it.
func TestEverywhereSocketPair(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<12)
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
		sends := func(s *socket.Socket) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				if _, err := s.SendAll(ctx, data); err != nil {
					return err
				}
				return s.Shutdown(socket.ShutWR)
			}
		}
		receives := func(s *socket.Socket) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				if err := expect(ctx, s, data); err != nil {
					return err
				}
				return end(ctx, s)
			}
		}
		return both(ctx, sends(a), sends(b), receives(a), receives(b))
	})
}

// Two send at once through one socket, and what they send is not mixed in.
func TestEverywhereSendAllInTurn(t *testing.T) {
	const size = 1 << 15
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		a, b, err := socket.SocketPair(socket.SOCK_STREAM)
		if err != nil {
			return err
		}
		defer a.Close()
		defer b.Close()
		if err := socket.SendBufferSize.Set(a, 1<<14); err != nil {
			return err
		}
		sends := func(letter string) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				_, err := a.SendAll(ctx, bytes.Repeat([]byte(letter), size))
				return err
			}
		}
		return both(ctx, sends("a"), sends("b"), func(ctx context.Context) error {
			for range 2 {
				first := make([]byte, 1)
				if _, err := b.Recv(ctx, first); err != nil {
					return err
				}
				if err := expect(ctx, b, bytes.Repeat(first, size-1)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// Who waits for room or for data, without sending or receiving.
func TestEverywhereWaitReadAndWaitWrite(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		a, b, err := socket.SocketPair(socket.SOCK_STREAM)
		if err != nil {
			return err
		}
		defer a.Close()
		defer b.Close()
		if err := socket.SendBufferSize.Set(a, 1<<12); err != nil {
			return err
		}
		const times = 4
		block := make([]byte, 1<<12)
		return both(ctx, func(ctx context.Context) error {
			for range times {
				if err := a.WaitWrite(ctx); err != nil {
					return err
				}
				if _, err := a.SendAll(ctx, block); err != nil {
					return err
				}
			}
			return a.Shutdown(socket.ShutWR)
		}, func(ctx context.Context) error {
			for range times {
				if err := b.WaitRead(ctx); err != nil {
					return err
				}
				if err := expect(ctx, b, block); err != nil {
					return err
				}
			}
			return end(ctx, b)
		})
	})
}

// Closed by another task while one waits in Recv: the error says so, unless the task was
// cancelled before.
func TestEverywhereClosedWhileWaiting(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		a, b, err := socket.SocketPair(socket.SOCK_STREAM)
		if err != nil {
			return err
		}
		defer a.Close()
		defer b.Close()
		return both(ctx, func(ctx context.Context) error {
			_, err := b.Recv(ctx, make([]byte, 1))
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return cmp.Or(err, errors.New("it has received something"))
		}, func(ctx context.Context) error {
			if err := curio.Sleep(ctx, 0); err != nil {
				return err
			}
			return b.Close()
		})
	})
}
