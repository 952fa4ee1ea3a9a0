package network_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// A cutter is a Conn that cancels the operation in progress when so many bytes have gone
// through. It is no flagSender.
type cutter struct {
	network.Conn
	cancel         context.CancelFunc
	toRecv, toSend int // before that; -1 if it never happens
}

func (c *cutter) Recv(ctx context.Context, buf []byte) (int, error) {
	if c.toRecv < 0 {
		return c.Conn.Recv(ctx, buf)
	}
	if c.toRecv == 0 {
		c.cancel()
		return c.Conn.Recv(ctx, buf)
	}
	n, err := c.Conn.Recv(ctx, buf[:min(len(buf), c.toRecv)])
	c.toRecv -= n
	return n, err
}

func (c *cutter) SendAll(ctx context.Context, buf []byte) (int, error) {
	if c.toSend < 0 || c.toSend >= len(buf) {
		n, err := c.Conn.SendAll(ctx, buf)
		c.toSend -= min(c.toSend+1, n)
		return n, err
	}
	n, err := c.Conn.SendAll(ctx, buf[:c.toSend])
	if err != nil {
		return n, err
	}
	c.toSend = 0
	c.cancel()
	k, err := c.Conn.SendAll(ctx, buf[n:])
	return n + k, err
}

// cut calls op with a context that c cancels after so many bytes.
func (c *cutter) cut(ctx context.Context, toRecv, toSend int, op func(ctx context.Context) error) error {
	ctx, c.cancel = context.WithCancel(ctx)
	defer c.cancel()
	c.toRecv, c.toSend = toRecv, toSend
	err := op(ctx)
	c.toRecv, c.toSend = -1, -1
	return err
}

// cutPair is a TLS connection whose client runs on a cutter.
func cutPair(t testing.TB, version uint16) (client, server *network.TLSConn, c *cutter) {
	t.Helper()
	a, b := socketPair(t)
	forClient, forServer := configs(t)
	forClient.MaxVersion = version
	c = &cutter{Conn: a, toRecv: -1, toSend: -1}
	client, server = network.TLSClient(c, forClient), network.TLSServer(b, forServer)
	inTasks(t, client.Handshake, server.Handshake)
	return client, server, c
}

var bothVersions = []uint16{tls.VersionTLS12, tls.VersionTLS13}

// A Recv that is cancelled after any number of bytes of a record has received nothing and
// lost nothing, thousands of times.
func TestTLSRecvCut(t *testing.T) {
	for _, version := range bothVersions {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			client, server, c := cutPair(t, version)
			data := testutil.Pattern(3, 150_000)
			cancelled := 0
			inTasks(t, sendsThenEnds(server, data), func(ctx context.Context) error {
				var got []byte
				buf := make([]byte, 3000)
				for i := 0; ; i++ {
					var n int
					err := c.cut(ctx, i%61, -1, func(ctx context.Context) (err error) {
						if i%5 == 0 {
							return client.WaitRead(ctx)
						}
						n, err = client.Recv(ctx, buf)
						return err
					})
					switch {
					case errors.Is(err, context.Canceled) && n == 0:
						cancelled++
					case err == io.EOF:
						return same(got, data)
					case err != nil:
						return fmt.Errorf("after %d bytes and %d cancellations: %w", len(got), cancelled, err)
					}
					got = append(got, buf[:n]...)
				}
			})
			if cancelled < 3000 {
				t.Errorf("it was cancelled only %d times", cancelled)
			}
			bothDirectionsStill(t, client, server)
		})
	}
}

// bothDirectionsStill checks that what the client sends arrives.
func bothDirectionsStill(t testing.TB, client, server *network.TLSConn) {
	t.Helper()
	data := testutil.Pattern(4, 1000)
	inTasks(t, sendsThenEnds(client, data), receivesAll(server, data))
}

// A SendAll that is cancelled after any number of bytes on the wire says how many bytes
// are in records, and who sends the rest has sent each byte once: also if nothing is left
// but ciphertext.
func TestTLSSendAllCut(t *testing.T) {
	for _, version := range bothVersions {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			client, server, c := cutPair(t, version)
			var want, got []byte
			cut, empty := 0, 0
			message := testutil.Pattern(5, 400)
			const moments = 500 // more than the record is long
			inTasks(t, func(ctx context.Context) error {
				for i := range moments {
					rest := append([]byte{byte(i)}, message...)
					want = append(want, rest...)
					for left := i; ; left = i % 7 {
						var n int
						err := c.cut(ctx, -1, left, func(ctx context.Context) (err error) {
							n, err = client.SendAll(ctx, rest)
							return err
						})
						rest = rest[n:]
						if err == nil {
							break
						}
						if !errors.Is(err, context.Canceled) {
							return err
						}
						cut++
						if len(rest) == 0 {
							empty++
						}
						if left == 0 && i%7 == 0 { // it cannot get anywhere like this
							if _, err := client.SendAll(ctx, rest); err != nil {
								return err
							}
							break
						}
					}
				}
				return client.CloseWrite(ctx)
			}, func(ctx context.Context) (err error) {
				got, err = recvAll(ctx, server, 1000)
				return err
			})
			if err := same(got, want); err != nil {
				t.Error(err)
			}
			if cut < 400 || empty < 400 {
				t.Errorf("it was cut short %d times, and %d times nothing was left", cut, empty)
			}
		})
	}
}

// With more than one round: the rounds before the one that was cut have gone out, and the
// next have not been begun. If nobody sends again the other side has a beginning of what
// was counted, and misses a round at most.
func TestTLSSendAllCutForGood(t *testing.T) {
	const round = 64 << 10
	data := testutil.Pattern(6, 5*round)
	for _, left := range []int{0, 1, 1000, round, round + 5000, 2 * round, 3*round + 1, 4*round + 20_000} {
		client, server, c := cutPair(t, tls.VersionTLS13)
		var n int
		var got []byte
		inTasks(t, func(ctx context.Context) error {
			err := c.cut(ctx, -1, left, func(ctx context.Context) (err error) {
				n, err = client.SendAll(ctx, data)
				return err
			})
			if !errors.Is(err, context.Canceled) {
				return fmt.Errorf("it ends with %v", err)
			}
			return c.Conn.CloseWrite(ctx) // behind TLS's back
		}, func(ctx context.Context) (err error) {
			got, err = recvAll(ctx, server, 10_000)
			if !errors.Is(err, io.ErrUnexpectedEOF) || err == io.ErrUnexpectedEOF {
				return fmt.Errorf("the stream that was cut off ends with %v", err)
			}
			return nil
		})
		if len(got) > n || len(got) < n-round || !bytes.Equal(got, data[:len(got)]) {
			t.Errorf("%d bytes have come of %d, or others", len(got), n)
		}
		if n%round != 0 || n < left-left/100 || n > left+round {
			t.Errorf("after %d bytes on the wire it says %d", left, n)
		}
	}
}

// Real cancellations, at any moment, in both directions at once.
func TestTLSCancelledWhileDataFlows(t *testing.T) {
	testutil.CaptureLog(t) // of those that succeed at the last moment
	a, b := socketPair(t)
	if err := errors.Join(socket.SendBufferSize.Set(a, 1<<12), socket.SendBufferSize.Set(b, 1<<12)); err != nil {
		t.Fatal(err)
	}
	client, server := tlsOver(t, a, b)
	data := testutil.Pattern(7, 2_000_000)
	var sends, recvs int
	cutShort := func(ctx context.Context, err error) bool {
		return errors.Is(err, curio.ErrTaskTimeout) && curio.CheckCancellation(ctx) == nil
	}
	inTasks(t, client.Handshake, func(ctx context.Context) error {
		if err := server.Handshake(ctx); err != nil {
			return err
		}
		for rest, i := data, 0; len(rest) > 0; i++ {
			var n int
			err := curio.TimeoutAfter(ctx, usec(i%200), func(ctx context.Context) (err error) {
				n, err = server.SendAll(ctx, rest[:min(len(rest), 100_000)])
				return err
			})
			rest = rest[n:]
			if cutShort(ctx, err) {
				sends++
			} else if err != nil {
				return err
			}
		}
		return server.CloseWrite(ctx)
	}, func(ctx context.Context) error {
		if err := client.Handshake(ctx); err != nil {
			return err
		}
		var got []byte
		buf := make([]byte, 5000)
		for i := 0; ; i++ {
			var n int
			err := curio.TimeoutAfter(ctx, usec(i%50), func(ctx context.Context) (err error) {
				n, err = client.Recv(ctx, buf)
				return err
			})
			got = append(got, buf[:n]...)
			switch {
			case err == io.EOF:
				return same(got, data)
			case cutShort(ctx, err):
				recvs++
			case err != nil:
				return err
			}
		}
	})
	if sends == 0 || recvs == 0 {
		t.Errorf("cancelled %d times in SendAll and %d times in Recv", sends, recvs)
	}
	t.Logf("cancelled %d times in SendAll and %d times in Recv", sends, recvs)
}

// CloseWrite cut short anywhere, and called again.
func TestTLSCloseWriteCut(t *testing.T) {
	for left := range 40 {
		client, server, c := cutPair(t, tls.VersionTLS13)
		inTasks(t, func(ctx context.Context) error {
			if _, err := client.SendAll(ctx, []byte("hello")); err != nil {
				return err
			}
			if err := c.cut(ctx, -1, left, client.CloseWrite); err != nil && !errors.Is(err, context.Canceled) {
				return err
			}
			return client.CloseWrite(ctx)
		}, receivesAll(server, []byte("hello")))
	}
}

// A handshake that is cut at any byte, on either side, is final, and says so later
// without pretending that who asks then was cancelled.
func TestTLSHandshakeCut(t *testing.T) {
	for _, toRecv := range []int{-1, 0, 1, 5, 50, 200} {
		for _, toSend := range []int{-1, 0, 1, 50} {
			if toRecv == toSend { // -1 or 0
				continue
			}
			a, b := socketPair(t)
			forClient, forServer := configs(t)
			c := &cutter{Conn: a}
			client, server := network.TLSClient(c, forClient), network.TLSServer(b, forServer)
			inTasks(t, func(ctx context.Context) error {
				err := c.cut(ctx, toRecv, toSend, client.Handshake)
				wantOp(t, err, "handshake", client)
				is(t, err, foreignCancel...)
				again := client.Handshake(ctx)
				is(t, again)
				if again == nil || !strings.Contains(again.Error(), "the handshake was cut short: ") {
					t.Errorf("later %v", again)
				}
				is(t, second(client.Recv(ctx, make([]byte, 1))))
				return client.Close()
			}, func(ctx context.Context) error {
				err := server.Handshake(ctx)
				if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
					t.Errorf("the other side sees %v", err)
				}
				wantOp(t, err, "handshake", server)
				return nil
			})
		}
	}
}

// A context that has ended before the handshake has begun does no harm, nor does one that
// ends while another task does the handshake.
func TestTLSHandshakeNotBegun(t *testing.T) {
	a, b := socketPair(t)
	client, server := tlsOver(t, a, b)
	inTasks(t, func(ctx context.Context) error {
		gone, cancel := context.WithCancel(ctx)
		cancel()
		is(t, client.Handshake(gone), foreignCancel...)
		is(t, second(client.SendAll(gone, []byte("x"))), foreignCancel...)
		first := curio.Go(ctx, client.Handshake)
		testutil.Await(t, "handshake", func() bool { return first.State() == "READ_WAIT" })
		is(t, curio.TimeoutAfter(ctx, short, client.Handshake), taskTimeout...)
		other := curio.Go(ctx, server.Handshake)
		return errors.Join(first.Wait(ctx), other.Wait(ctx))
	})
	bothWays(t, client, server)
}

// everywhereTLS talks over TLS over a socket pair with little room.
func everywhereTLS(forClient, forServer *tls.Config, talk func(ctx context.Context, client, server *network.TLSConn) error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		a, b, err := socket.SocketPair(socket.SOCK_STREAM)
		if err != nil {
			return err
		}
		client, server := network.TLSClient(a, forClient), network.TLSServer(b, forServer)
		defer client.Close()
		defer server.Close()
		if err := errors.Join(socket.SendBufferSize.Set(a, 1<<12), socket.SendBufferSize.Set(b, 1<<12)); err != nil {
			return err
		}
		err = talk(ctx, client, server)
		if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
			return cancelled // and so were both sides, of which one may have gone first
		}
		return err
	}
}

func TestEverywhereTLSHandshake(t *testing.T) {
	for _, version := range bothVersions {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			forClient, forServer := configs(t)
			forClient.MaxVersion = version
			curiotest.CancelEverywhere(t, everywhereTLS(forClient, forServer, func(ctx context.Context, client, server *network.TLSConn) error {
				return together(ctx, client.Handshake, server.Handshake)
			}))
		})
	}
}

func TestEverywhereTLS(t *testing.T) {
	forClient, forServer := configs(t)
	data := testutil.Pattern(8, 70_000)
	curiotest.CancelEverywhere(t, everywhereTLS(forClient, forServer, func(ctx context.Context, client, server *network.TLSConn) error {
		return together(ctx, sendsThenEnds(client, data), func(ctx context.Context) error {
			if err := server.WaitRead(ctx); err != nil {
				return err
			}
			if err := receivesAll(server, data)(ctx); err != nil {
				return err
			}
			return sendsThenEnds(server, []byte("thanks"))(ctx)
		}, receivesAll(client, []byte("thanks")))
	}))
}

// Everybody who waits in one of the operations, at the moment at which the connection is
// closed, gets net.ErrClosed, and so does whoever comes later.
func TestTLSClose(t *testing.T) {
	testutil.NoLeaks(t)
	a, b := socketPair(t)
	if err := socket.SendBufferSize.Set(a, 1<<12); err != nil {
		t.Fatal(err)
	}
	client, server := tlsOver(t, a, b)
	inTasks(t, client.Handshake, server.Handshake)
	if client.LocalAddr() == nil || client.RemoteAddr() == nil { // known from now on
		t.Fatal("it has no addresses")
	}
	buf := make([]byte, 1<<20)
	inTasks(t, func(ctx context.Context) error {
		var tasks []*curio.Task[struct{}]
		for op, f := range map[string]func(ctx context.Context) error{
			"recv": func(ctx context.Context) error { return second(client.Recv(ctx, make([]byte, 1))) },
			"wait": client.WaitRead,
			"send": func(ctx context.Context) error { return second(client.SendAll(ctx, buf)) },
		} {
			for range 2 { // one waits for the peer, or for its turn, and one for its turn
				tasks = append(tasks, curio.Go(ctx, func(ctx context.Context) error {
					err := f(ctx)
					wantOp(t, err, op, client)
					is(t, err, net.ErrClosed)
					return nil
				}))
			}
		}
		for _, task := range tasks {
			testutil.Await(t, "wait", func() bool {
				return strings.HasSuffix(task.State(), "_WAIT") || task.State() == "LOCK_ACQUIRE"
			})
		}
		if err := client.Close(); err != nil {
			return err
		}
		for _, task := range tasks {
			if err := task.Wait(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	for op, err := range map[string]error{
		"recv":      second(client.Recv(t.Context(), buf)),
		"send":      second(client.SendAll(t.Context(), buf)),
		"wait":      client.WaitRead(t.Context()),
		"shutdown":  client.CloseWrite(t.Context()),
		"handshake": client.Handshake(t.Context()),
		"close":     client.Close(),
	} {
		wantOp(t, err, op, client)
		is(t, err, net.ErrClosed)
	}
	is(t, second(client.Recv(t.Context(), nil)), net.ErrClosed)
}

// Closed during the handshake, and before.
func TestTLSCloseInHandshake(t *testing.T) {
	a, _ := socketPair(t)
	forClient, _ := configs(t)
	client := network.TLSClient(a, forClient)
	inTasks(t, func(ctx context.Context) error {
		task := curio.Go(ctx, client.Handshake, curio.ReportCrash(false))
		testutil.Await(t, "handshake", func() bool { return task.State() == "READ_WAIT" })
		if err := client.Close(); err != nil {
			return err
		}
		_, _ = task.Join(ctx)
		is(t, task.Err(), net.ErrClosed)
		is(t, client.Handshake(ctx), net.ErrClosed)
		return nil
	})
	a, _ = socketPair(t)
	client = network.TLSClient(a, forClient)
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	is(t, second(client.Recv(t.Context(), make([]byte, 1))), net.ErrClosed)
}
