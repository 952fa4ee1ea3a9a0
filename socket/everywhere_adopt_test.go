package socket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/socket"
)

// withPair calls f with two connected sockets that have little room, and closes them.
func withPair(f func(a, b *socket.Socket) error) error {
	a, b, err := socket.SocketPair(socket.SOCK_STREAM)
	if err != nil {
		return err
	}
	defer a.Close()
	defer b.Close()
	if err := errors.Join(socket.SendBufferSize.Set(a, 1<<14), socket.SendBufferSize.Set(b, 1<<14)); err != nil {
		return err
	}
	return f(a, b)
}

// A file is sent by one, received in buffers of the pool by the other.
func TestEverywhereSendFileAndRecvBuffer(t *testing.T) {
	file, content := fileOf(t, 1<<17)
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		return withPair(func(a, b *socket.Socket) error {
			return both(ctx, func(ctx context.Context) error {
				if _, err := a.SendFile(ctx, file, 0, -1); err != nil {
					return err
				}
				return a.CloseWrite(ctx)
			}, func(ctx context.Context) error {
				var got []byte
				for {
					buf, err := b.RecvBuffer(ctx)
					switch {
					case err == io.EOF && bytes.Equal(got, content):
						return nil
					case err == io.EOF:
						return fmt.Errorf("%d bytes, and not those of the file", len(got))
					case err != nil:
						return err
					}
					got = append(got, buf.Bytes()...)
					buf.Release()
				}
			})
		})
	})
}

// One lends the socket to a function, another waits for his turn meanwhile.
func TestEverywhereBlocking(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		return withPair(func(a, b *socket.Socket) error {
			return both(ctx, func(ctx context.Context) error {
				return a.Blocking(ctx, func(file *os.File) error {
					_, err := file.Write([]byte("x"))
					if errors.Is(err, syscall.EPIPE) { // b will miss the byte, unless both were given up before
						err = nil
					}
					return err
				})
			}, func(ctx context.Context) error {
				_, err := a.SendAll(ctx, []byte("x"))
				return err
			}, func(ctx context.Context) error {
				return expect(ctx, b, []byte("xx"))
			})
		})
	})
}

// Duplicates that wait, and a descriptor that goes from one Socket to another.
func TestEverywhereDupAndDetach(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		return withPair(func(a, b *socket.Socket) error {
			twin, err := a.Dup()
			if err != nil {
				return err
			}
			fd, err := twin.Detach()
			if err != nil {
				return err
			}
			again, err := socket.FromFD(fd)
			if err != nil {
				return err
			}
			defer again.Close()
			return both(ctx, func(ctx context.Context) error {
				if err := expect(ctx, again, []byte("x")); err != nil {
					return err
				}
				_, err := a.SendAll(ctx, []byte("y"))
				return err
			}, func(ctx context.Context) error {
				if _, err := b.SendAll(ctx, []byte("x")); err != nil {
					return err
				}
				return expect(ctx, b, []byte("y"))
			})
		})
	})
}
