package network_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
)

// full makes a TLS connection over which all of data has been sent, and which has no room
// for the end of the stream.
func full(ctx context.Context, t testing.TB, g ground, data []byte) *course {
	t.Helper()
	c := g.start(ctx, t)
	if _, err := c.conn.SendAll(ctx, data); err != nil {
		t.Fatal(err)
	}
	c.valve.shut(0)
	return c
}

// If there is no room for close_notify, closing waits as long as the context allows, and
// fails if that was not long enough.
func TestTLSCloseNotifyWaits(t *testing.T) {
	closings := map[string]func(c *course) func(ctx context.Context) error{
		"CloseWrite":        func(c *course) func(ctx context.Context) error { return c.conn.CloseWrite },
		"CloseContext":      func(c *course) func(ctx context.Context) error { return c.conn.(politeCloser).CloseContext },
		"Close of a stream": func(c *course) func(ctx context.Context) error { return stream.New(c.conn).CloseContext },
	}
	for _, g := range grounds {
		if g.exact || g.frail {
			continue
		}
		for name, closing := range closings {
			t.Run(g.name+"/"+name, func(t *testing.T) {
				testutil.NoLeaks(t)
				ctx, cancel := context.WithTimeout(context.Background(), testutil.Patience)
				defer cancel()
				data := testutil.Pattern(24, 1000)
				c := full(ctx, t, g, data)
				must(t, c.during(ctx, closing(c), func(func()) { c.valve.open() }))
				_ = c.conn.Close()
				c.finish(t, data, len(data), nil)
				must(t, c.peer.err) // it has seen the end of the stream, not a connection that was cut off

				c = full(ctx, t, g, data)
				err := c.during(ctx, closing(c), func(cancel func()) { cancel() })
				is(t, err, taskCancelled...)
				_ = c.conn.Close()
				c.finish(t, data, len(data), nil)
				if !errors.Is(c.peer.err, io.ErrUnexpectedEOF) {
					t.Errorf("the peer sees %v", c.peer.err)
				}
			})
		}
		t.Run(g.name+"/Close", func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), testutil.Patience)
			defer cancel()
			data := testutil.Pattern(24, 1000)
			c := full(ctx, t, g, data)
			err := c.conn.Close()
			if !errors.Is(err, io.ErrShortWrite) {
				t.Errorf("it says %v", err)
			}
			c.finish(t, data, len(data), nil)
		})
	}
}

type politeCloser interface {
	CloseContext(ctx context.Context) error
}

// When a handler has returned, the server still waits for room for the rest of its data and
// for the end of the stream: so a slow client can tell that nothing was cut off.
func TestTLSServerEndsItsStream(t *testing.T) {
	forClient, forServer := configs(t)
	data := testutil.Pattern(25, 64<<20)
	sent := make(chan int, 1)
	s := serveWith(t, &network.ServerConfig{TLS: forServer}, func(ctx context.Context, conn network.Conn) error {
		n, err := cutUntilFull(ctx, conn, data)
		sent <- n
		return err
	})
	conn := tls.Client(testutil.Dial(t, s.Addr), forClient)
	must(t, conn.Handshake())
	n := testutil.Receive(t, "the end of the handler", sent)
	got, err := io.ReadAll(conn)
	must(t, errors.Join(err, same(got, data[:n])))
	testutil.Await(t, "the end of the connection", func() bool { return s.handlers() == 0 })
	is(t, s.cancel(), taskCancelled...)
}

// After a write that a deadline has cut short, everything goes on: Read sends what is left
// while it waits, and so do Write and Close. package net/http uses connections in this way.
func TestTLSNetConnAfterADeadline(t *testing.T) {
	testutil.NoLeaks(t)
	ctx, cancel := context.WithTimeout(context.Background(), testutil.Patience)
	defer cancel()
	data := testutil.Pattern(26, 100_000)
	start := func(t *testing.T) (c *course, conn net.Conn, taken int) {
		c = grounds[1].start(ctx, t)
		conn = network.NetConn(ctx, c.conn)
		c.valve.shut(10_000)
		must(t, conn.SetWriteDeadline(time.Now().Add(short)))
		taken, err := conn.Write(data)
		is(t, err, os.ErrDeadlineExceeded)
		c.valve.again()
		c.peer.promise(ctx, taken)
		return c, conn, taken
	}
	t.Run("Read", func(t *testing.T) {
		c, conn, taken := start(t)
		err := c.during(ctx, func(context.Context) error {
			_, err := io.ReadFull(conn, make([]byte, len(thanks)))
			return err
		}, func(func()) { c.valve.open() })
		must(t, errors.Join(err, conn.Close()))
		c.finish(t, data, taken, nil)
		must(t, c.peer.err)
	})
	t.Run("Write", func(t *testing.T) {
		c, conn, taken := start(t)
		must(t, conn.SetWriteDeadline(time.Time{}))
		err := c.during(ctx, func(context.Context) error {
			_, err := conn.Write(data[taken:])
			return err
		}, func(func()) { c.valve.open() })
		must(t, errors.Join(err, conn.Close()))
		c.finish(t, data, len(data), nil)
		must(t, c.peer.err)
	})
	t.Run("Close", func(t *testing.T) {
		c, conn, taken := start(t)
		must(t, c.during(ctx, func(context.Context) error { return conn.Close() }, func(func()) { c.valve.open() }))
		c.finish(t, data, taken, nil)
		must(t, c.peer.err)
	})
	t.Run("Close of one whose context has ended", func(t *testing.T) {
		c := grounds[1].start(ctx, t)
		gone, cancel := context.WithCancel(ctx)
		conn := network.NetConn(gone, c.conn)
		c.valve.shut(10_000)
		taken := 0
		err := c.during(ctx, func(context.Context) (err error) {
			taken, err = conn.Write(data)
			return err
		}, func(func()) { cancel() })
		is(t, err, foreignCancel...)
		err = conn.Close()
		if missed(err) == nil {
			t.Errorf("it says %v", err)
		}
		c.finish(t, data, taken, err)
	})
}

// Close ends a Recv on whose behalf something is being sent, and says how much was not
// sent.
func TestTLSCloseWhileAReceiverSends(t *testing.T) {
	for _, g := range grounds {
		if g.exact || g.frail {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			testutil.NoLeaks(t)
			ctx, cancel := context.WithTimeout(context.Background(), testutil.Patience)
			defer cancel()
			c := g.start(ctx, t)
			data := testutil.Pattern(27, 1000)
			c.valve.shut(100)
			err := c.during(ctx, func(ctx context.Context) error {
				return second(c.conn.SendAll(ctx, data))
			}, func(cancel func()) { cancel() })
			is(t, err, taskCancelled...)
			c.valve.again()
			var closed error
			err = c.during(ctx, func(ctx context.Context) error { return second(c.conn.Recv(ctx, make([]byte, 1))) }, func(func()) {
				closed = c.conn.Close()
			})
			is(t, err, net.ErrClosed)
			if missed(closed) == nil {
				t.Errorf("it says %v", closed)
			}
			c.finish(t, data, len(data), closed)
		})
	}
}
