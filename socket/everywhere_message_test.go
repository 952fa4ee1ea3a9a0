package socket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"testing"

	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/socket"
)

// bound makes a datagram socket on loopback, for a function that is cancelled.
func bound(family int, at netip.AddrPort) (*socket.Socket, error) {
	s, err := socket.New(family, socket.SOCK_DGRAM, 0)
	if err != nil {
		return nil, err
	}
	if err := s.BindAddrPort(at); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Datagrams there and back, by address.
func TestEverywhereUDP(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		server, err := bound(socket.AF_INET, anyPort)
		if err != nil {
			return err
		}
		defer server.Close()
		client, err := bound(socket.AF_INET, anyPort)
		if err != nil {
			return err
		}
		defer client.Close()
		return both(ctx, func(ctx context.Context) error {
			buf := make([]byte, 100)
			n, from, err := server.RecvFrom(ctx, buf, 0)
			if err != nil {
				return err
			}
			if _, err := server.SendTo(ctx, buf[:n], 0, from); err != nil {
				return err
			}
			n, to, err := server.RecvFromAddrPort(ctx, buf, 0)
			if err != nil {
				return err
			}
			_, err = server.SendToAddrPort(ctx, buf[:n], 0, to)
			return err
		}, func(ctx context.Context) error {
			for _, text := range []string{"one", "two"} {
				if _, err := client.SendToAddrPort(ctx, []byte(text), 0, server.LocalAddrPort()); err != nil {
					return err
				}
				buf := make([]byte, 100)
				n, err := client.RecvFlags(ctx, buf, 0)
				if err != nil {
					return err
				}
				if string(buf[:n]) != text {
					return fmt.Errorf("received %q, want %q", buf[:n], text)
				}
			}
			return nil
		})
	})
}

// A batch that has no room, and one that has nothing to receive.
func TestEverywhereBatch(t *testing.T) {
	const count = 400 // more than fit at once
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		a, b, err := socket.SocketPair(socket.SOCK_DGRAM)
		if err != nil {
			return err
		}
		defer a.Close()
		defer b.Close()
		return both(ctx, func(ctx context.Context) error {
			out := make([]socket.Message, count)
			for i := range out {
				out[i].Buffers = [][]byte{{byte(i)}, {byte(i >> 8)}}
			}
			n, err := a.SendMMsg(ctx, out, 0)
			if err == nil && n != count {
				err = fmt.Errorf("%d were sent", n)
			}
			return err
		}, func(ctx context.Context) error {
			in := make([]socket.Message, 100)
			for i := range in {
				in[i].Buffers = [][]byte{make([]byte, 2)}
			}
			for received := 0; received < count; {
				n, err := b.RecvMMsg(ctx, in, 0)
				if err != nil {
					return err
				}
				for _, m := range in[:n] {
					if !bytes.Equal(m.Buffers[0], []byte{byte(received), byte(received >> 8)}) {
						return fmt.Errorf("number %d is %v", received, m.Buffers[0])
					}
					received++
				}
			}
			return nil
		})
	})
}

// A descriptor is passed there and back. None is left, wherever it is cut short.
func TestEverywhereDescriptors(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		a, b, err := socket.SocketPair(socket.SOCK_STREAM)
		if err != nil {
			return err
		}
		defer a.Close()
		defer b.Close()
		f, err := os.Open(os.DevNull)
		if err != nil {
			return err
		}
		defer f.Close()
		take := func(ctx context.Context, s *socket.Socket) (int, error) {
			_, fds, err := s.RecvFDs(ctx, make([]byte, 1), 1)
			if err != nil {
				return 0, err
			}
			if len(fds) != 1 {
				return 0, errors.New("no descriptor")
			}
			return fds[0], nil
		}
		return both(ctx, func(ctx context.Context) error {
			if _, err := a.SendFDs(ctx, []byte("x"), int(f.Fd())); err != nil {
				return err
			}
			fd, err := take(ctx, a)
			if err != nil {
				return err
			}
			return syscall.Close(fd)
		}, func(ctx context.Context) error {
			fd, err := take(ctx, b)
			if err != nil {
				return err
			}
			defer syscall.Close(fd)
			_, err = b.SendFDs(ctx, []byte("x"), fd)
			return err
		})
	})
}

// More than there is room for, in one message, all of which is wanted at once.
func TestEverywhereMessages(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<12)
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
		return both(ctx, func(ctx context.Context) error {
			_, err := a.SendMsgAll(ctx, &socket.Message{Buffers: [][]byte{data[:100], data[100:]}}, 0)
			return err
		}, func(ctx context.Context) error {
			m := socket.Message{Buffers: [][]byte{make([]byte, 1000), make([]byte, len(data)-1000)}}
			if _, err := b.RecvMsg(ctx, &m, socket.MSG_WAITALL); err != nil {
				return err
			}
			if !bytes.Equal(bytes.Join(m.Buffers, nil), data) {
				return errors.New("received something else")
			}
			return nil
		})
	})
}
