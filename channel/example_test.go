package channel_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/socket"
)

// A server doubles numbers, and a client connects, perhaps before the server listens.
func Example() {
	dir, err := os.MkdirTemp("", "channel")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "doubler")
	key := make([]byte, 32)
	rand.Read(key) // in practice both programs read it from a file
	config := &channel.Config{Key: key, MaxMessage: 1 << 10, HandshakeTimeout: 10 * time.Second}

	serve := func(ctx context.Context) error {
		l, err := channel.Listen(ctx, "unix", path, config)
		if err != nil {
			return err
		}
		defer l.Close()
		conn, err := l.Accept(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		for {
			var n int
			if err := conn.Recv(ctx, &n); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
			if err := conn.Send(ctx, 2*n); err != nil {
				return err
			}
		}
	}
	ask := func(ctx context.Context) error {
		connecting, cancel := curio.WithTimeout(ctx, time.Minute) // Connect tries again until then
		conn, err := channel.Connect(connecting, "unix", path, config)
		cancel()
		if err != nil {
			return err
		}
		defer conn.Close()
		for n := range 3 {
			if err := conn.Send(ctx, n); err != nil {
				return err
			}
			var doubled int
			if err := conn.Recv(ctx, &doubled); err != nil {
				return err
			}
			fmt.Println(n, doubled)
		}
		return nil
	}
	err = curio.Run(context.Background(), func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			g.Go(ask)
			g.Go(serve)
			return nil
		})
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 0 0
	// 1 2
	// 2 4
}

// If a message is cut short, both sides get an error.
func ExampleConn_Send() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		a, b, err := socket.SocketPair(socket.SOCK_STREAM)
		if err != nil {
			return err
		}
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

		// The system has no room for all of it, and the peer does not receive.
		sender := curio.Go(ctx, func(ctx context.Context) error {
			return from.SendBytes(ctx, make([]byte, 16<<20))
		}, curio.ReportCrash(false))
		if err := b.WaitRead(ctx); err != nil { // it has begun to arrive
			return err
		}
		sender.CancelNow()
		_, err = sender.Join(ctx)
		fmt.Println("cut:", errors.Is(err, channel.ErrCut))
		err = from.Send(ctx, "hello")
		fmt.Println("the next one:", errors.Is(err, channel.ErrCut), errors.Is(err, net.ErrClosed))
		_, err = to.RecvBytes(ctx)
		fmt.Println("the other side:", errors.Is(err, io.ErrUnexpectedEOF))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// cut: true
	// the next one: true true
	// the other side: true
}
