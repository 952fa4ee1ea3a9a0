package network_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// cutUntilFull sends data until there is no more room, and is then cancelled.
func cutUntilFull(ctx context.Context, conn network.Conn, data []byte) (int, error) {
	n := 0
	task := curio.Go(ctx, func(ctx context.Context) (err error) {
		n, err = conn.SendAll(ctx, data)
		return err
	}, curio.ReportCrash(false))
	for task.State() != "WRITE_WAIT" {
		if err := curio.Sleep(ctx, time.Millisecond); err != nil {
			return 0, err
		}
	}
	if _, err := task.Cancel(ctx); err != nil {
		return 0, err
	}
	if err := task.Err(); !errors.Is(err, curio.ErrTaskCancelled) {
		return n, err
	}
	return n, nil
}

// Both sides are cut short in the middle of a lot of data, with no room left anywhere, and
// then both only receive: all that was accepted arrives, in both directions, without
// another send.
func TestTLSBothCutThenBothReceive(t *testing.T) {
	for name, pair := range map[string]func(t *testing.T) (a, b network.Conn){
		"TLS": func(t *testing.T) (a, b network.Conn) {
			a, b = narrow(t)
			return tlsOver(t, a, b)
		},
		"TLS without SendFlags": func(t *testing.T) (a, b network.Conn) {
			a, b = narrow(t)
			return tlsOver(t, withoutFlags{a}, withoutFlags{b})
		},
		"TLS in TLS": func(t *testing.T) (a, b network.Conn) {
			a, b = narrow(t)
			c, d := tlsOver(t, a, b)
			return tlsOver(t, c, d)
		},
		"TLS over FromConn of a pipe": func(t *testing.T) (a, b network.Conn) {
			c, d := net.Pipe()
			return tlsOver(t, network.FromConn(c), network.FromConn(d))
		},
		"TLS over patience": func(t *testing.T) (a, b network.Conn) {
			a, b = narrow(t)
			return tlsOver(t, network.Impatient(a, time.Hour), network.Impatient(b, time.Hour))
		},
	} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			a, b := pair(t)
			inTasks(t, a.(*network.TLSConn).Handshake, b.(*network.TLSConn).Handshake)
			data := testutil.Pattern(22, 5_000_000)
			var sentThere, sentBack int
			var there, back []byte
			inTasks(t, func(ctx context.Context) (err error) {
				if sentThere, err = cutUntilFull(ctx, a, data); err == nil {
					sentBack, err = cutUntilFull(ctx, b, data)
				}
				return err
			})
			inTasks(t, func(ctx context.Context) error {
				atB, atA := receives(ctx, b, &there, sentThere), receives(ctx, a, &back, sentBack)
				return errors.Join(atA.done.Wait(ctx), atB.done.Wait(ctx), atA.end(ctx), atB.end(ctx))
			})
			if !bytes.Equal(there, data[:sentThere]) || !bytes.Equal(back, data[:sentBack]) || sentThere == 0 || sentBack == 0 {
				t.Errorf("%d of %d and %d of %d bytes have come, or others", len(there), sentThere, len(back), sentBack)
			}
			_, _ = a.Close(), b.Close() // close_notify may not be sent, as nobody receives
		})
	}
}

// A receiving is a task that receives a given amount, sets done, and goes on to wait for
// more.
type receiving struct {
	task *curio.Task[struct{}]
	done curio.Event
}

func receives(ctx context.Context, conn network.Conn, got *[]byte, much int) *receiving {
	r := new(receiving)
	r.task = curio.Go(ctx, func(ctx context.Context) error {
		for buf := make([]byte, 5000); len(*got) < much; {
			n, err := conn.Recv(ctx, buf)
			*got = append(*got, buf[:n]...)
			if err != nil {
				return err
			}
		}
		r.done.Set()
		return conn.WaitRead(ctx)
	}, curio.ReportCrash(false))
	return r
}

func (r *receiving) end(ctx context.Context) error {
	if _, err := r.task.Cancel(ctx); err != nil {
		return err
	}
	if err := r.task.Err(); !errors.Is(err, curio.ErrTaskCancelled) {
		return fmt.Errorf("it has not waited for more, but %w", err)
	}
	return nil
}

func narrow(t testing.TB) (a, b network.Conn) {
	x, y := socketPair(t)
	must(t, errors.Join(socket.SendBufferSize.Set(x, 1<<12), socket.SendBufferSize.Set(y, 1<<12)))
	return x, y
}

// A receiver that is waiting when another task's SendAll is cut short takes over what that
// has left.
func TestTLSCutWhileAnotherReceives(t *testing.T) {
	for _, g := range grounds {
		if g.exact || g.frail {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			testutil.NoLeaks(t)
			ctx, cancel := context.WithTimeout(context.Background(), testutil.Patience)
			defer cancel()
			c := g.start(ctx, t)
			received := make(chan error, 1)
			task := curio.Go(ctx, func(ctx context.Context) error {
				received <- expectText(ctx, c.conn, thanks)
				return nil
			})
			testutil.Await(t, "a receiver", func() bool { return task.State() == "READ_WAIT" })
			data := testutil.Pattern(23, 100_000)
			c.valve.shut(1000)
			n := 0
			err := c.during(ctx, func(ctx context.Context) (err error) {
				n, err = c.conn.SendAll(ctx, data)
				return err
			}, func(cancel func()) {
				c.valve.again()
				cancel()
			})
			is(t, err, taskCancelled...)
			c.peer.promise(ctx, n)
			testutil.Receive(t, "somebody who goes on to send", c.valve.full)
			c.valve.open()
			must(t, testutil.Receive(t, "the reply", received))
			must(t, c.conn.Close())
			c.finish(t, data, n, nil)
		})
	}
}

// A request of the peer that comes in while a task receives is answered before the task
// waits again, even on a Conn that cannot send without waiting.
func TestTLSAnswersBeforeItWaits(t *testing.T) {
	for name, below := range belows {
		t.Run(name, func(t *testing.T) {
			client, server, a, k := askingPair(t, below)
			inTasks(t, func(ctx context.Context) error {
				is(t, curio.TimeoutAfter(ctx, short, client.WaitRead), taskTimeout...) // receives the session tickets
				receiver := curio.Go(ctx, server.WaitRead, curio.ReportCrash(false))
				ask, err := k.ask()
				if err != nil {
					return err
				}
				if _, err := a.SendAll(ctx, ask); err != nil { // and nothing else
					return err
				}
				if err := a.WaitRead(ctx); err != nil {
					return err
				}
				_, err = receiver.Cancel(ctx)
				return err
			})
		})
	}
}

// An error of sending that the peer does not notice is returned to the task that waits for
// the answer; after that, one can receive.
func TestTLSRequestThatCannotBeSent(t *testing.T) {
	a, b := socketPair(t)
	below := &mute{Conn: a}
	client, server := tlsOver(t, below, b)
	inTasks(t, client.Handshake, server.Handshake)
	inTasks(t, func(ctx context.Context) error {
		gone, cancel := context.WithCancel(ctx)
		below.cut = cancel
		n, err := client.SendAll(gone, []byte("request"))
		is(t, err, foreignCancel...)
		if n != 7 || !strings.Contains(err.Error(), "have not been sent") {
			t.Errorf("%d, %v", n, err)
		}
		_, err = client.Recv(ctx, make([]byte, 10))
		wantOp(t, err, "recv", client)
		if !errors.Is(err, errMute) {
			t.Errorf("%v", err)
		}
		if _, err := server.SendAll(ctx, []byte("news")); err != nil {
			return err
		}
		if err := expectText(ctx, client, "news"); err != nil {
			return err
		}
		err = client.Close()
		wantOp(t, err, "close", client)
		if !errors.Is(err, errMute) {
			t.Errorf("%v", err)
		}
		return nil
	})
}

var errMute = errors.New("mute")

// A mute is a Conn that cannot send any more once a send was cut short.
type mute struct {
	network.Conn
	cut   context.CancelFunc
	isCut atomic.Bool
}

func (c *mute) SendAll(ctx context.Context, buf []byte) (int, error) {
	switch {
	case c.isCut.Load():
		return 0, &net.OpError{Op: "send", Err: errMute}
	case c.cut != nil:
		c.isCut.Store(true)
		c.cut()
	}
	return c.Conn.SendAll(ctx, buf)
}

// The same as above, except that sending panics.
func TestTLSPanicWhileSendingForAReceiver(t *testing.T) {
	a, b := socketPair(t)
	below := &mute{Conn: a}
	client, server := tlsOver(t, exploding{below}, b)
	inTasks(t, client.Handshake, server.Handshake)
	gone, cancel := context.WithCancel(t.Context())
	below.cut = cancel
	is(t, second(client.SendAll(gone, []byte("request"))), foreignCancel...)
	inTasks(t, func(ctx context.Context) error {
		if _, err := server.SendAll(ctx, []byte("news")); err != nil {
			return err
		}
		mustPanic(t, "explodes", func() {
			for { // it may receive something first
				if _, err := client.Recv(ctx, make([]byte, 1)); err != nil {
					t.Error(err)
					return
				}
			}
		})
		return nil
	})
	mustPanic(t, "explodes", func() { _ = client.Close() })
	if a.FD() >= 0 {
		t.Error("it is still open")
	}
}

type exploding struct{ *mute }

func (c exploding) SendAll(ctx context.Context, buf []byte) (int, error) {
	if c.isCut.Load() {
		panic("explodes")
	}
	return c.mute.SendAll(ctx, buf)
}
