package network_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// A handshake with a peer that sends nothing is ended in different ways. Later calls say
// that it was cut short, by what, and that the connection is lost. They were not cut short
// themselves, so their error is no cancellation, and no timeout after which one could try
// again.
func TestTLSAfterAHandshakeThatWasCutShort(t *testing.T) {
	for _, c := range []struct {
		name  string
		below func(network.Conn) network.Conn
		shake func(ctx context.Context, conn *network.TLSConn) error
		first []error // what the error of the handshake is
		later []error
		says  string
	}{
		{"timeout", nil, func(ctx context.Context, conn *network.TLSConn) error {
			return curio.TimeoutAfter(ctx, short, conn.Handshake)
		}, taskTimeout, []error{os.ErrDeadlineExceeded}, "timed out"},
		{"standard deadline", nil, func(ctx context.Context, conn *network.TLSConn) error {
			ctx, cancel := context.WithTimeout(ctx, short)
			defer cancel()
			return conn.Handshake(ctx)
		}, foreignTimeout, []error{os.ErrDeadlineExceeded}, "deadline exceeded"},
		{"cancellation", nil, func(ctx context.Context, conn *network.TLSConn) error {
			task := curio.Go(ctx, conn.Handshake, curio.ReportCrash(false))
			for task.State() != "READ_WAIT" {
				if err := curio.Sleep(ctx, time.Millisecond); err != nil {
					return err
				}
			}
			_, err := task.Cancel(ctx)
			return errors.Join(err, task.Err())
		}, taskCancelled, nil, "cancelled"},
		{"patience", func(conn network.Conn) network.Conn { return network.Impatient(conn, short) }, func(ctx context.Context, conn *network.TLSConn) error {
			return conn.Handshake(ctx)
		}, []error{os.ErrDeadlineExceeded}, []error{os.ErrDeadlineExceeded}, "idle for"},
		{"deadline of NetConn", nil, func(ctx context.Context, conn *network.TLSConn) error {
			over := network.NetConn(ctx, conn)
			if err := over.SetDeadline(time.Now().Add(short)); err != nil {
				return err
			}
			_, err := over.Read(make([]byte, 1))
			return err
		}, []error{os.ErrDeadlineExceeded}, []error{os.ErrDeadlineExceeded}, "deadline"},
	} {
		t.Run(c.name, func(t *testing.T) {
			testutil.NoLeaks(t)
			a, _ := socketPair(t)
			below := network.Conn(a)
			if c.below != nil {
				below = c.below(a)
			}
			forClient, _ := configs(t)
			conn := network.TLSClient(below, forClient)
			inTasks(t, func(ctx context.Context) error {
				err := c.shake(ctx, conn)
				is(t, err, c.first...)
				for op, err := range map[string]error{
					"again": conn.Handshake(ctx),
					"recv":  second(conn.Recv(ctx, make([]byte, 1))),
					"send":  second(conn.SendAll(ctx, []byte("x"))),
					"wait":  conn.WaitRead(ctx),
					"end":   conn.CloseWrite(ctx),
				} {
					wantOp(t, err, "handshake", conn)
					is(t, err, c.later...)
					for _, says := range []string{"the handshake was cut short: ", c.says, "the connection is lost"} {
						if !strings.Contains(err.Error(), says) {
							t.Errorf("%s: %v, which does not say %q", op, err, says)
						}
					}
					if failed, ok := err.(net.Error); !ok || failed.Timeout() {
						t.Errorf("%s: %v calls itself a timeout", op, err)
					}
				}
				over := network.NetConn(ctx, conn)
				_, err = over.Read(make([]byte, 1))
				if !strings.Contains(err.Error(), "the handshake was cut short: ") {
					t.Errorf("NetConn: %v", err)
				}
				return over.Close()
			})
		})
	}
}

// A handshake that is cut short before the proxy's header has arrived can be repeated, as
// TLS has not begun.
func TestTLSCutBeforeItsHandshake(t *testing.T) {
	a, b := twoSockets(t)
	forClient, forServer := configs(t)
	_, proxied, err := network.ReadProxyHeader(ended(t), b)
	is(t, err, foreignCancel...)
	server := network.TLSServer(proxied, forServer)
	inTasks(t, func(ctx context.Context) error {
		for _, part := range []string{"PROXY TCP4 192.0.2.1 ", "192.0.2.2 1 2\r\n"} {
			is(t, curio.TimeoutAfter(ctx, short, server.Handshake), taskTimeout...)
			if _, err := a.SendAll(ctx, []byte(part)); err != nil {
				return err
			}
		}
		return nil
	})
	client := network.TLSClient(a, forClient)
	inTasks(t, client.Handshake, server.Handshake)
	bothWays(t, client, server)
}

func ended(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
