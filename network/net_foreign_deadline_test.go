package network_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// A timeless connection has no deadlines, as those of golang.org/x/crypto/ssh.
type timeless struct{ net.Conn }

func (timeless) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (timeless) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (timeless) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

// What has no deadlines can be cancelled all the same, but is of no use then.
func TestForeignWithoutDeadlines(t *testing.T) {
	for name, op := range map[string]func(ctx context.Context, conn network.Conn) error{
		"recv": func(ctx context.Context, conn network.Conn) error {
			return second(conn.Recv(ctx, make([]byte, 1)))
		},
		"wait": func(ctx context.Context, conn network.Conn) error { return conn.WaitRead(ctx) },
		"send": func(ctx context.Context, conn network.Conn) error {
			return second(conn.SendAll(ctx, make([]byte, 1<<20)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			a, b := net.Pipe()
			defer b.Close()
			conn := network.FromConn(timeless{a})
			var err error
			task := curio.Go(context.Background(), func(ctx context.Context) error {
				err = op(ctx, conn)
				return nil
			})
			testutil.Await(t, "wait", func() bool { return task.State() == "READ_WAIT" || task.State() == "WRITE_WAIT" })
			task.CancelNow()
			_ = end(t, task)
			is(t, err, taskCancelled...)
			isOp(t, name, err)
			err = op(t.Context(), conn)
			is(t, err, net.ErrClosed)
			isOp(t, name, err)
			must(t, conn.Close())
			is(t, conn.Close(), net.ErrClosed)
		})
	}
}

// While nobody is cancelled it works.
func TestForeignWithoutDeadlinesWorks(t *testing.T) {
	testutil.NoLeaks(t)
	a, b := net.Pipe()
	defer b.Close()
	conn := network.FromConn(timeless{a})
	defer conn.Close()
	go func() { _, _ = b.Write([]byte("x")) }()
	err := curio.TimeoutAfter(t.Context(), testutil.Patience, func(ctx context.Context) error {
		return second(conn.Recv(ctx, make([]byte, 1)))
	})
	must(t, err)
}
