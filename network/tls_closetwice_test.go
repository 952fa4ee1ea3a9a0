package network_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// An interrupted is a Conn that calls a function after it has sent the next message.
type interrupted struct {
	network.Conn
	after func()
}

func (c *interrupted) SendAll(ctx context.Context, buf []byte) (int, error) {
	n, err := c.Conn.SendAll(ctx, buf)
	if after := c.after; after != nil {
		c.after = nil
		after()
	}
	return n, err
}

// A second Close that comes when the first has sent the end of the stream, and not yet
// closed the connection below: the first has closed the connection, and the second is told
// that it came too late.
func TestTLSClosedTwiceAtOnce(t *testing.T) {
	closeContext := func(c *network.TLSConn) func() error {
		return func() error { return c.CloseContext(t.Context()) }
	}
	closeIt := func(c *network.TLSConn) func() error { return c.Close }
	onNetConn := func(c *network.TLSConn) func() error {
		return network.NetConn(context.Background(), c).Close
	}
	for name, closing := range map[string]func(c *network.TLSConn) (first, second func() error){
		"CloseContext, Close":        func(c *network.TLSConn) (_, _ func() error) { return closeContext(c), closeIt(c) },
		"CloseContext, CloseContext": func(c *network.TLSConn) (_, _ func() error) { return closeContext(c), closeContext(c) },
		"NetConn, NetConn":           func(c *network.TLSConn) (_, _ func() error) { f := onNetConn(c); return f, f },
	} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			a, b := socketPair(t)
			below := &interrupted{Conn: a}
			client, server := tlsOver(t, below, b)
			inTasks(t, client.Handshake, server.Handshake)
			first, second := closing(client)
			calls := 0
			below.after = func() {
				calls++
				is(t, second(), net.ErrClosed)
			}
			must(t, first())
			if calls != 1 {
				t.Fatal("the first Close has sent nothing")
			}
			inTasks(t, receivesAll(server, nil))
			is(t, client.Close(), net.ErrClosed)
		})
	}
}

// The same at any moment: whoever comes first, one of two has closed it.
func TestRaceTLSClosedTwice(t *testing.T) {
	testutil.NoLeaks(t)
	for range 300 {
		client, server := tlsPair(t)
		conn := network.NetConn(context.Background(), client)
		errs := make(chan error, 2)
		go func() { errs <- conn.Close() }()
		inTasks(t, receivesAll(server, nil)) // the end of the stream has been sent
		errs <- conn.Close()
		one, two := testutil.Receive(t, "end of Close", errs), testutil.Receive(t, "end of Close", errs)
		if one == nil {
			one, two = two, one
		}
		if two != nil || !errors.Is(one, net.ErrClosed) {
			t.Fatalf("they return %v and %v", one, two)
		}
		must(t, server.Close())
	}
}
