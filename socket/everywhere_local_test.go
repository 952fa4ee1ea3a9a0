package socket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/socket"
)

// local makes a socket of the Unix domain with a name, for a function that is cancelled.
func local(typ int, on, name string) (*socket.Socket, error) {
	_ = os.Remove(name)
	s, err := socket.New(socket.AF_UNIX, typ, 0)
	if err != nil {
		return nil, err
	}
	if err := s.Bind(&net.UnixAddr{Name: name, Net: on}); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "curio")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// A server and a client of datagrams by name, more than the server, as a rule, has room for.
func TestEverywhereUnixgram(t *testing.T) {
	dir := shortDir(t)
	const count = 30
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		server, err := local(socket.SOCK_DGRAM, "unixgram", filepath.Join(dir, "server"))
		if err != nil {
			return err
		}
		defer server.Close()
		client, err := local(socket.SOCK_DGRAM, "unixgram", filepath.Join(dir, "client"))
		if err != nil {
			return err
		}
		defer client.Close()
		return both(ctx, func(ctx context.Context) error {
			buf := make([]byte, 100)
			for i := range count {
				n, from, err := server.RecvFrom(ctx, buf, 0)
				if err != nil {
					return err
				}
				if want := fmt.Sprint("number ", i); string(buf[:n]) != want {
					return fmt.Errorf("received %q, want %q", buf[:n], want)
				}
				if i == count-1 {
					_, err = server.SendTo(ctx, []byte("thanks"), 0, from)
					return err
				}
			}
			return nil
		}, func(ctx context.Context) error {
			for i := range count {
				if _, err := client.SendTo(ctx, fmt.Append(nil, "number ", i), 0, server.LocalAddr()); err != nil {
					return err
				}
			}
			return expect(ctx, client, []byte("thanks"))
		})
	})
}

// A server and a client of packets: connect, accept, packets, their end.
func TestEverywhereSeqpacket(t *testing.T) {
	if runtime.GOOS == "darwin" {
		t.Skip("macOS has no such sockets")
	}
	dir := shortDir(t)
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		l, err := local(socket.SOCK_SEQPACKET, "unixpacket", filepath.Join(dir, "server"))
		if err != nil {
			return err
		}
		defer l.Close()
		if err := l.Listen(0); err != nil {
			return err
		}
		return both(ctx, func(ctx context.Context) error {
			conn, err := l.Accept(ctx)
			if err != nil {
				return err
			}
			defer conn.Close()
			for buf := make([]byte, 1000); ; {
				n, err := conn.Recv(ctx, buf)
				if err == io.EOF {
					return nil
				}
				if err != nil {
					return err
				}
				if _, err := conn.SendAll(ctx, buf[:n]); err != nil {
					return err
				}
			}
		}, func(ctx context.Context) error {
			conn, err := socket.New(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0)
			if err != nil {
				return err
			}
			defer conn.Close()
			if err := conn.Connect(ctx, l.LocalAddr()); err != nil {
				return err
			}
			buf := make([]byte, 1000)
			for _, text := range []string{"one", "two"} {
				if _, err := conn.SendAll(ctx, []byte(text)); err != nil {
					return err
				}
			}
			for _, want := range []string{"one", "two"} { // not together
				n, err := conn.Recv(ctx, buf)
				if err != nil {
					return err
				}
				if string(buf[:n]) != want {
					return fmt.Errorf("received %q, want %q", buf[:n], want)
				}
			}
			if err := conn.CloseWrite(ctx); err != nil {
				return err
			}
			if _, err := conn.Recv(ctx, buf); !errors.Is(err, io.EOF) {
				return fmt.Errorf("at the end: %w", err)
			}
			return nil
		})
	})
}
