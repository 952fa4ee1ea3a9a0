package network_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// A trickle takes a few bytes at a time, however much there is to send.
type trickle struct {
	slowConn
	at int // how many at a time
}

func (c *trickle) SendAll(ctx context.Context, buf []byte) (n int, err error) {
	for n < len(buf) {
		if err := curio.Sleep(ctx, c.takes); err != nil {
			return n, err
		}
		k := min(c.at, len(buf)-n)
		c.got = append(c.got, buf[n:n+k]...)
		n += k
	}
	return n, nil
}

// A peer that takes a little all the time is slow, and not idle.
func TestPatienceWithATrickle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below := &trickle{slowConn{takes: 3 * time.Second}, 1000}
		conn := network.Impatient(below, 10*time.Second)
		data := testutil.Pattern(1, 100_000)
		if n, err := conn.SendAll(t.Context(), data); n != len(data) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if string(below.got) != string(data) {
			t.Errorf("%d bytes are received", len(below.got))
		}
		below.takes = 11 * time.Second
		if n, err := conn.SendAll(t.Context(), data); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d, %v", n, err)
		}
	})
}

// With TLS, a peer's silence ends Recv, and so does SendAll end if it takes nothing. That
// does the connection no harm. Time here is the bubble's.
func TestPatienceBelowTLS(t *testing.T) {
	forClient, forServer := configs(t)
	forServer.SessionTicketsDisabled = true // nobody would read them
	now := time.Now()
	forClient.Time = func() time.Time { return now } // in the bubble the certificate is not valid yet
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe() // in which there is no room: each Write waits for its Read
		server := network.TLSServer(network.Impatient(network.FromConn(a), 10*time.Second), forServer)
		client := tls.Client(b, forClient)
		received := make(chan byte, 1)
		go func() {
			defer close(received)
			if err := client.Handshake(); err != nil {
				t.Error(err)
			}
			time.Sleep(15 * time.Second)
			buf := make([]byte, 1)
			for range 2 {
				if _, err := io.ReadFull(client, buf); err != nil {
					t.Error(err)
				}
				received <- buf[0]
			}
		}()
		must(t, server.Handshake(t.Context()))
		idle := func(op string, err error) {
			t.Helper()
			is(t, err, os.ErrDeadlineExceeded)
			isOp(t, op, err)
			if !strings.Contains(err.Error(), "idle for 10s") {
				t.Errorf("%v", err)
			}
		}
		_, err := server.Recv(t.Context(), make([]byte, 1))
		idle("recv", err)
		for _, b := range []byte("ab") {
			if _, err := server.SendAll(t.Context(), []byte{b}); err != nil {
				t.Error(err)
			}
			if got := <-received; got != b {
				t.Errorf("received %q", got)
			}
		}
		n, err := server.SendAll(t.Context(), make([]byte, 1<<20)) // nobody receives any more
		idle("send", err)
		if n == 1<<20 {
			t.Error("it says that all is sent")
		}
		err = server.Close() // returns an error about what has not reached the peer
		isOp(t, "close", err)
		if !errors.Is(err, io.ErrShortWrite) || !strings.Contains(err.Error(), "bytes of records have not been sent") {
			t.Errorf("%v", err)
		}
		must(t, b.Close())
	})
}

// Whatever else is set, with TLS the handler gets a *TLSConn.
func TestHandlersGetATLSConn(t *testing.T) {
	client, server := configs(t)
	s := serveWith(t, &network.ServerConfig{TLS: server, IdleTimeout: testutil.Patience, Lifetime: time.Hour, MaxConnections: 1},
		func(ctx context.Context, conn network.Conn) error {
			if _, ok := conn.(*network.TLSConn); !ok {
				t.Errorf("it is a %T", conn)
			}
			return echo(ctx, conn)
		})
	s.talkTLS(t, client)
	is(t, s.cancel(), taskCancelled...)
}

// The handshake of somebody else's connections is within its own time, too.
func TestPatienceWithForeignTLS(t *testing.T) {
	_, server := configs(t)
	s := newServer(t)
	theirs, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l := network.FromListener(tls.NewListener(theirs, server), &network.ServerConfig{
		HandshakeTimeout: short, IdleTimeout: testutil.Patience,
	})
	s.run(func(ctx context.Context) error {
		return network.RunServer(ctx, l, func(context.Context, network.Conn) error {
			t.Error("there was no handshake")
			return nil
		})
	})
	conn := testutil.Dial(t, theirs.Addr().String())
	must(t, conn.SetDeadline(time.Now().Add(testutil.Patience)))
	atEnd(t, conn)
	if r := s.Log.TakeOne(t, msgLost); !strings.Contains(r.String(), "not done within "+short.String()) {
		t.Errorf("logged: %v", r)
	}
	is(t, s.cancel(), taskCancelled...)
}
