package network_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// copyPairs are connections of each kind.
var copyPairs = map[string]func(t testing.TB) (a, b network.Conn){
	"TCP":  tcpNarrow,
	"Unix": func(t testing.TB) (a, b network.Conn) { return socketPair(t) },
	"TLS": func(t testing.TB) (a, b network.Conn) {
		x, y := socketPair(t)
		return tlsOver(t, x, y)
	},
	"with a bound": func(t testing.TB) (a, b network.Conn) {
		x, y := socketPair(t)
		return network.Impatient(x, time.Hour), network.Impatient(y, time.Hour)
	},
	"package net": func(t testing.TB) (a, b network.Conn) {
		x, y := tcpNarrow(t)
		return network.FromConn(network.NetConn(t.Context(), bareConn{x})), network.FromConn(network.NetConn(t.Context(), bareConn{y}))
	},
}

// tcpNarrow is a connection that has little room, so that a task that sends has to wait.
func tcpNarrow(t testing.TB) (a, b network.Conn) {
	t.Helper()
	a, b = connected(t, listen(t, "127.0.0.1:0", nil))
	for _, conn := range []network.Conn{a, b} {
		s := network.SocketOf(conn)
		must(t, errors.Join(socket.SendBufferSize.Set(s, 64<<10), socket.RecvBufferSize.Set(s, 64<<10)))
	}
	return a, b
}

// What one side of a connection sends arrives at the other side of another, whatever the two are.
func TestCopy(t *testing.T) {
	data := testutil.Pattern(3, 300_001)
	for from, pairFrom := range copyPairs {
		for to, pairTo := range copyPairs {
			t.Run(from+" to "+to, func(t *testing.T) {
				testutil.NoLeaks(t)
				client, src := pairFrom(t)
				dst, server := pairTo(t)
				inTasks(t, sendsThenEnds(client, data), receivesAll(server, data), func(ctx context.Context) error {
					n, err := network.Copy(ctx, dst, src)
					if n != int64(len(data)) || err != nil {
						t.Errorf("%d, %v", n, err)
					}
					return dst.CloseWrite(ctx)
				})
			})
		}
	}
}

// A Copy that is cut short while it sends has in its error what the next one needs to go on with.
func TestCopyCutShort(t *testing.T) {
	data := testutil.Pattern(4, 2<<20)
	for name, pair := range copyPairs {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			client, src := pair(t)
			dst, server := pair(t)
			cut := make(chan struct{}, 1)
			inTasks(t, sendsThenEnds(client, data), func(ctx context.Context) error {
				if _, err := curio.Receive(ctx, cut); err != nil {
					return err
				}
				return receivesAll(server, data)(ctx)
			}, func(ctx context.Context) error {
				if err := shakeFirst(ctx, dst, server); err != nil {
					return err
				}
				total := int64(0)
				task := curio.Spawn(ctx, func(ctx context.Context) (int64, error) {
					n, err := network.Copy(ctx, dst, src)
					total = n
					return n, err
				}, curio.ReportCrash(false))
				for task.State() != "WRITE_WAIT" {
					if err := curio.Sleep(ctx, time.Millisecond); err != nil {
						return err
					}
				}
				if _, err := task.Cancel(ctx); err != nil {
					return err
				}
				cut <- struct{}{}
				failed, ok := errors.AsType[*network.CopyError](task.Err())
				if !ok || !failed.Sending || failed.Unsent == nil || !errors.Is(failed, curio.ErrTaskCancelled) {
					t.Errorf("the error is %#v", task.Err())
					return task.Err()
				}
				k, err := dst.SendAll(ctx, failed.Unsent)
				if err != nil {
					return err
				}
				n, err := network.Copy(ctx, dst, src)
				if total += int64(k) + n; total != int64(len(data)) || err != nil {
					t.Errorf("%d, %v", total, err)
				}
				return dst.CloseWrite(ctx)
			})
		})
	}
}

// shakeFirst does the handshake of a connection of TLS, of which the peer would receive nothing
// until it is asked to.
func shakeFirst(ctx context.Context, a, b network.Conn) error {
	x, ok := a.(*network.TLSConn)
	if !ok {
		return nil
	}
	return together(ctx, x.Handshake, b.(*network.TLSConn).Handshake)
}

// The error says which of the connections has failed.
func TestCopyFails(t *testing.T) {
	testutil.NoLeaks(t)
	t.Run("receiving", func(t *testing.T) {
		client, src := connected(t, listen(t, "127.0.0.1:0", nil))
		dst, _ := socketPair(t)
		must(t, socket.Linger.Set(network.SocketOf(client), 0))
		must(t, client.Close())
		_, err := network.Copy(t.Context(), dst, src)
		failed, ok := err.(*network.CopyError)
		if !ok || failed.Sending || failed.Unsent != nil || !errors.Is(err, syscall.ECONNRESET) || failed.Timeout() {
			t.Errorf("%#v", err)
		}
		isOp(t, "recv", failed.Err)
	})
	t.Run("sending", func(t *testing.T) {
		client, src := socketPair(t)
		dst, server := socketPair(t)
		must(t, server.Close())
		must(t, second(client.SendAll(t.Context(), []byte("lost"))))
		n, err := network.Copy(t.Context(), dst, src)
		failed, ok := err.(*network.CopyError)
		if n != 0 || !ok || !failed.Sending || string(failed.Unsent) != "lost" || !errors.Is(err, syscall.EPIPE) {
			t.Errorf("%d, %#v", n, err)
		}
		isOp(t, "send", failed.Err)
	})
	t.Run("late", func(t *testing.T) {
		a, _ := socketPair(t)
		dst, _ := socketPair(t)
		_, err := network.Copy(t.Context(), dst, network.Impatient(a, time.Millisecond))
		failed, ok := err.(*network.CopyError)
		if !ok || failed.Sending || !failed.Timeout() || !errors.Is(err, network.ErrIdle) {
			t.Errorf("%#v", err)
		}
	})
	t.Run("messages", func(t *testing.T) {
		stream, _ := socketPair(t)
		for _, conns := range [][2]network.Conn{{udp(t), stream}, {stream, udp(t)}} {
			if _, err := network.Copy(t.Context(), conns[0], conns[1]); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%v", err)
			}
		}
	})
}

// A scriptedConn does what a test says, like somebody else's Conn.
type scriptedConn struct {
	network.Conn
	waitRead func() error
	recv     func(buf []byte) (int, error)
	sendAll  func(buf []byte) (int, error)
}

func (c *scriptedConn) WaitRead(context.Context) error                     { return c.waitRead() }
func (c *scriptedConn) Recv(_ context.Context, buf []byte) (int, error)    { return c.recv(buf) }
func (c *scriptedConn) SendAll(_ context.Context, buf []byte) (int, error) { return c.sendAll(buf) }

// There is no buffer before there is something to receive; what comes together with the end is
// sent; and a dst that sends less than it should without an error does not make the copy lie.
func TestCopyOfStrangers(t *testing.T) {
	a, b := socketPair(t)
	waited := false
	src := &scriptedConn{Conn: a, waitRead: func() error { waited = true; return nil }, recv: func(buf []byte) (int, error) {
		if !waited {
			t.Error("it receives before it has waited")
		}
		return copy(buf, "all"), io.EOF
	}}
	var sent []byte
	dst := &scriptedConn{Conn: b, sendAll: func(buf []byte) (int, error) { sent = append(sent, buf...); return len(buf), nil }}
	if n, err := network.Copy(t.Context(), dst, src); n != 3 || err != nil || string(sent) != "all" {
		t.Errorf("%d, %v, %q", n, err, sent)
	}
	dst.sendAll = func([]byte) (int, error) { return 1, nil }
	n, err := network.Copy(t.Context(), dst, src)
	if failed, ok := err.(*network.CopyError); n != 1 || !ok || string(failed.Unsent) != "ll" || !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("%d, %v", n, err)
	}
}

// Nothing is allocated for a piece.
func TestCopyAllocates(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector makes pools forget")
	}
	client, src := twoSockets(t)
	dst, server := twoSockets(t)
	task := curio.Go(context.Background(), func(ctx context.Context) error {
		_, err := network.Copy(ctx, dst, src)
		return err
	})
	buf := make([]byte, 100)
	once := func() {
		must(t, second(client.SendAll(context.Background(), buf)))
		must(t, second(server.Recv(context.Background(), buf)))
	}
	once()
	if n := testing.AllocsPerRun(200, once); n >= 1 {
		t.Errorf("%v for a piece", n)
	}
	must(t, client.Close())
	must(t, task.Wait(context.Background()))
}

// Each side may be the first to end; the other one is told so, and can still answer.
func TestRelay(t *testing.T) {
	there, back := testutil.Pattern(1, 200_000), testutil.Pattern(2, 100_001)
	for name, pair := range copyPairs {
		if name == "package net" {
			continue // it cannot be ended in one direction
		}
		for _, idle := range []time.Duration{0, time.Hour} {
			t.Run(name, func(t *testing.T) {
				testutil.NoLeaks(t)
				client, a := pair(t)
				b, server := pair(t)
				inTasks(t, func(ctx context.Context) error {
					if err := sendsThenEnds(client, there)(ctx); err != nil {
						return err
					}
					return receivesAll(client, back)(ctx)
				}, func(ctx context.Context) error {
					if err := receivesAll(server, there)(ctx); err != nil {
						return err
					}
					return sendsThenEnds(server, back)(ctx) // when the client has ended
				}, func(ctx context.Context) error {
					x, y, err := network.Relay(ctx, a, b, idle)
					if x != int64(len(there)) || y != int64(len(back)) {
						t.Errorf("%d there, %d back", x, y)
					}
					return err
				})
			})
		}
	}
}

// If one direction fails, so does the whole, with that error.
func TestRelayFails(t *testing.T) {
	testutil.NoLeaks(t)
	relay := func(a, b network.Conn, idle time.Duration) (err error) {
		inTasks(t, func(ctx context.Context) error {
			_, _, err = network.Relay(ctx, a, b, idle)
			return nil
		})
		return err
	}
	t.Run("reset", func(t *testing.T) {
		client, a := connected(t, listen(t, "127.0.0.1:0", nil))
		b, _ := socketPair(t)
		must(t, socket.Linger.Set(network.SocketOf(client), 0))
		must(t, client.Close())
		err := relay(a, b, 0)
		failed, ok := err.(*network.CopyError)
		if !ok || failed.Sending || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%#v", err)
		}
	})
	t.Run("idle", func(t *testing.T) {
		a, _ := socketPair(t)
		b, _ := socketPair(t)
		err := relay(a, b, time.Millisecond)
		is(t, err, os.ErrDeadlineExceeded)
		if !errors.Is(err, network.ErrIdle) {
			t.Error(err)
		}
		isOp(t, "relay", err)
	})
	t.Run("no half", func(t *testing.T) {
		a, b := net.Pipe() // nothing can be passed on to it
		client, x := socketPair(t)
		must(t, client.CloseWrite(t.Context()))
		err := relay(x, network.FromConn(a), 0)
		a.Close()
		b.Close()
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Error(err)
		}
	})
	t.Run("panic", func(t *testing.T) {
		a, _ := socketPair(t)
		b, _ := socketPair(t)
		err := relay(&scriptedConn{Conn: a, waitRead: func() error { panic("kaboom") }}, b, 0)
		if _, ok := errors.AsType[*curio.PanicError](err); !ok {
			t.Errorf("%v", err)
		}
	})
}

// One direction may be idle while the other is busy.
func TestRelayIsPatient(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		client, a := net.Pipe()
		b, server := net.Pipe()
		began := curio.Clock(ctx)
		var took time.Duration
		task := curio.Go(ctx, func(ctx context.Context) error {
			_, _, err := network.Relay(ctx, network.FromConn(a), network.FromConn(b), time.Minute)
			took = curio.Clock(ctx).Sub(began)
			return err
		}, curio.ReportCrash(false))
		for range 20 {
			must(t, curio.Sleep(ctx, 40*time.Second))
			must(t, second(client.Write([]byte("x"))))
			must(t, second(server.Read(make([]byte, 1))))
		}
		must(t, task.Wait(ctx))
		if !errors.Is(task.Err(), network.ErrIdle) {
			t.Error(task.Err())
		}
		if took < 14*time.Minute || took > 16*time.Minute {
			t.Errorf("it was over after %v", took)
		}
		for _, conn := range []net.Conn{a, b, client, server} {
			conn.Close()
		}
	})
}

// A side that accepts what it is sent slowly is not idle, however much Relay sends at once.
func TestRelayToASlowReader(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		client, a := net.Pipe()
		b, server := net.Pipe()
		task := curio.Go(ctx, func(ctx context.Context) error {
			return third(network.Relay(ctx, network.FromConn(a), network.FromConn(b), time.Minute))
		}, curio.ReportCrash(false))
		must(t, second(client.Write(make([]byte, 20))))
		for range 19 {
			must(t, curio.Sleep(ctx, 59*time.Second))
			must(t, server.SetReadDeadline(curio.Clock(ctx).Add(time.Second)))
			if _, err := server.Read(make([]byte, 1)); err != nil {
				t.Error(err, task.Err())
				break
			}
		}
		must(t, curio.Sleep(ctx, 130*time.Second)) // it takes the last one no more
		if !errors.Is(task.Err(), network.ErrIdle) {
			t.Errorf("%v in %s", task.Err(), task.State())
		}
		_, _ = task.Cancel(ctx)
		for _, conn := range []net.Conn{a, b, client, server} {
			conn.Close()
		}
	})
}

// The longest bound there is does not expire.
func TestRelayWithALongBound(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		client, a := net.Pipe()
		b, server := net.Pipe()
		task := curio.Go(ctx, func(ctx context.Context) error {
			return third(network.Relay(ctx, network.FromConn(a), network.FromConn(b), curio.NoTimeout))
		}, curio.ReportCrash(false))
		must(t, curio.Sleep(ctx, time.Hour))
		if task.Terminated() {
			t.Error(task.Err())
		}
		_, _ = task.Cancel(ctx)
		for _, conn := range []net.Conn{a, b, client, server} {
			conn.Close()
		}
	})
}

func init() {
	copies := func(conn network.Conn, other func(conn network.Conn) (dst, src network.Conn)) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			dst, src := other(conn)
			for {
				if _, err := network.Copy(ctx, dst, src); err != nil {
					return err
				}
			}
		}
	}
	full := func(t *testing.T) *socket.Socket {
		a, _ := socketPair(t)
		fillUp(t, a)
		return a
	}
	endless := func(t *testing.T) network.Conn {
		a, _ := socketPair(t)
		return &scriptedConn{Conn: a, waitRead: func() error { return nil }, recv: func(buf []byte) (int, error) { return len(buf), nil }}
	}
	blockings = append(blockings, []blocking{
		{"Copy receives", func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
			dst, _ := socketPair(t)
			src, _ := socketPair(t)
			return copies(src, func(src network.Conn) (network.Conn, network.Conn) { return dst, src }), inState("READ_WAIT"), "unix"
		}},
		{"Copy sends", func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
			src := endless(t)
			return copies(full(t), func(dst network.Conn) (network.Conn, network.Conn) { return dst, src }), inState("WRITE_WAIT"), "unix"
		}},
		{"Relay", func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
			a, _ := socketPair(t)
			b, _ := socketPair(t)
			return func(ctx context.Context) error { return third(network.Relay(ctx, a, b, time.Hour)) }, inState("TASK_WAIT"), ""
		}},
		{"SendFile", func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
			conn, file := full(t), fileWith(t, testutil.Pattern(1, 100))
			return func(ctx context.Context) error { return second64(network.SendFile(ctx, conn, file, 0, -1)) }, inState("WRITE_WAIT"), "unix"
		}},
		{"SendFile in pieces", func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
			conn, file := network.Impatient(full(t), time.Hour), fileWith(t, testutil.Pattern(1, 100))
			return func(ctx context.Context) error { return second64(network.SendFile(ctx, conn, file, 0, -1)) }, inState("WRITE_WAIT"), "unix"
		}},
	}...)
}

func second64(_ int64, err error) error { return err }
func third(_, _ int64, err error) error { return err }

// A proxy between a client and a server, all of them cancelled at each of their waits.
func TestEverywhereRelay(t *testing.T) {
	there, back := testutil.Pattern(8, 20_000), testutil.Pattern(9, 10_000)
	for _, name := range []string{"TCP", "TLS"} {
		t.Run(name, func(t *testing.T) {
			forClient, forServer := configs(t)
			curiotest.CancelEverywhere(t, func(ctx context.Context) error {
				var conns []network.Conn
				defer func() {
					for _, conn := range conns {
						conn.Close()
					}
				}()
				for range 2 {
					x, y, err := socket.SocketPair(socket.SOCK_STREAM)
					if err != nil {
						return err
					}
					conns = append(conns, x, y)
					if name == "TLS" {
						conns[len(conns)-2], conns[len(conns)-1] = network.TLSClient(x, forClient), network.TLSServer(y, forServer)
					}
				}
				err := together(ctx, sendsThenEnds(conns[0], there), receivesAll(conns[0], back),
					sendsThenEnds(conns[3], back), receivesAll(conns[3], there), func(ctx context.Context) error {
						return third(network.Relay(ctx, conns[1], conns[2], time.Hour))
					})
				if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
					return cancelled
				}
				return err
			})
		})
	}
}

// fileWith is an open file with the given content.
func fileWith(t testing.TB, content []byte) *os.File {
	t.Helper()
	file, err := os.Open(testutil.WriteFile(t, "content", content))
	must(t, err)
	t.Cleanup(func() { file.Close() })
	return file
}

// By sendfile(2) or in pieces, the same comes of it.
func TestSendFile(t *testing.T) {
	content := testutil.Pattern(5, 200_000)
	size := int64(len(content))
	for name, pair := range copyPairs {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			file := fileWith(t, content)
			for _, c := range []struct {
				offset, count, want int64
				err                 error
			}{
				{0, -1, size, nil},
				{0, size, size, nil},
				{1000, 100_000, 100_000, nil},
				{size - 5, 6, 5, io.ErrUnexpectedEOF},
				{size - 5, size, 5, io.ErrUnexpectedEOF},
				{size, -1, 0, nil},
				{size + 1, -1, 0, nil},
				{size, 1, 0, io.ErrUnexpectedEOF},
				{0, 0, 0, nil},
				{-2, 1, 0, syscall.EINVAL},
			} {
				a, b := pair(t)
				inTasks(t, func(ctx context.Context) error {
					n, err := network.SendFile(ctx, a, file, c.offset, c.count)
					if n != c.want || !errors.Is(err, c.err) {
						t.Errorf("%d from %d: %d, %v", c.count, c.offset, n, err)
					}
					if err != nil {
						isOp(t, "sendfile", err)
					}
					if name == "package net" {
						return a.Close()
					}
					if err := a.CloseWrite(ctx); err != nil {
						return err
					}
					_, err = a.Recv(ctx, make([]byte, 1)) // the other side has read it all
					if err != io.EOF {
						return err
					}
					return nil
				}, func(ctx context.Context) error {
					got, err := recvAll(ctx, b, 5000)
					if want := content[min(max(c.offset, 0), size):][:c.want]; !slices.Equal(got, want) {
						t.Errorf("%d from %d: received %d, %v", c.count, c.offset, len(got), err)
					}
					return b.Close()
				})
				a.Close()
			}
			if at, err := file.Seek(0, io.SeekCurrent); at != 0 || err != nil {
				t.Errorf("the file's offset is %d, %v", at, err)
			}
		})
	}
}

// The file's own offset moves by what was sent.
func TestSendFileFromOffset(t *testing.T) {
	content := testutil.Pattern(5, 1000)
	for name, pair := range copyPairs {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			file := fileWith(t, content)
			a, b := pair(t)
			inTasks(t, func(ctx context.Context) error {
				must(t, second64(file.Seek(100, io.SeekStart)))
				for _, c := range [][3]int64{{0, 0, 100}, {200, 200, 300}, {-1, 700, 1000}, {-1, 0, 1000}} {
					n, err := network.SendFile(ctx, a, file, -1, c[0])
					if at, _ := file.Seek(0, io.SeekCurrent); n != c[1] || err != nil || at != c[2] {
						t.Errorf("%d: %d, %v, at %d", c[0], n, err, at)
					}
				}
				return nil
			}, func(ctx context.Context) error {
				got := make([]byte, 0, 900)
				for len(got) < 900 {
					n, err := b.Recv(ctx, got[len(got):900])
					if err != nil {
						return err
					}
					got = got[:len(got)+n]
				}
				return same(got, content[100:])
			})
		})
	}
}

// What is no file, or no stream, is refused, and nothing of it is lost.
func TestSendFileRefuses(t *testing.T) {
	testutil.NoLeaks(t)
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	defer w.Close()
	must(t, second(w.WriteString("kept")))
	closed := fileWith(t, nil)
	must(t, closed.Close())
	a, _ := socketPair(t)
	file := fileWith(t, []byte("x"))
	for name, conn := range map[string]network.Conn{"socket": a, "in pieces": network.Impatient(a, time.Hour)} {
		for _, offset := range []int64{0, -1} {
			for file, want := range map[*os.File]error{r: syscall.ESPIPE, closed: os.ErrClosed, nil: os.ErrInvalid} {
				n, err := network.SendFile(t.Context(), conn, file, offset, -1)
				if n != 0 || !errors.Is(err, want) {
					t.Errorf("%s at %d: %d, %v, want %v", name, offset, n, err, want)
				}
				isOp(t, "sendfile", err)
			}
		}
	}
	for _, conn := range []network.Conn{udp(t), network.Impatient(udp(t), time.Hour)} {
		if _, err := network.SendFile(t.Context(), conn, file, 0, -1); !errors.Is(err, syscall.EOPNOTSUPP) {
			t.Error(err)
		}
	}
}

// A SendFile that is cut short says how far it came, and goes on from there.
func TestSendFileCutShort(t *testing.T) {
	content := testutil.Pattern(6, 2<<20)
	for name, pair := range copyPairs {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			file := fileWith(t, content)
			a, b := pair(t)
			cut := make(chan struct{}, 1)
			inTasks(t, func(ctx context.Context) error {
				if err := shakeFirst(ctx, a, b); err != nil {
					return err
				}
				sent := int64(0)
				task := curio.Go(ctx, func(ctx context.Context) (err error) {
					sent, err = network.SendFile(ctx, a, file, 0, -1)
					return err
				}, curio.ReportCrash(false))
				for task.State() != "WRITE_WAIT" {
					if err := curio.Sleep(ctx, time.Millisecond); err != nil {
						return err
					}
				}
				if _, err := task.Cancel(ctx); err != nil {
					return err
				}
				cut <- struct{}{}
				if sent == 0 || !errors.Is(task.Err(), curio.ErrTaskCancelled) {
					t.Errorf("%d, %v", sent, task.Err())
				}
				n, err := network.SendFile(ctx, a, file, sent, int64(len(content))-sent)
				if sent+n != int64(len(content)) {
					t.Errorf("%d and %d", sent, n)
				}
				return err
			}, func(ctx context.Context) error {
				if _, err := curio.Receive(ctx, cut); err != nil {
					return err
				}
				got := make([]byte, 0, len(content))
				for len(got) < len(content) {
					n, err := b.Recv(ctx, got[len(got):len(content)])
					if err != nil {
						return err
					}
					got = got[:len(got)+n]
				}
				return same(got, content)
			})
		})
	}
}

// A connection of TLS tells who waits for it: for the peer, or for another task.
func TestTLSSnapshot(t *testing.T) {
	testutil.NoLeaks(t)
	client, server := tlsPair(t)
	inTasks(t, func(ctx context.Context) error {
		recv := func(ctx context.Context) error { return second(client.Recv(ctx, make([]byte, 1))) }
		var want []curio.Waiter
		var tasks []*curio.Task[struct{}]
		for _, op := range []string{"READ_WAIT", "LOCK_ACQUIRE"} {
			task := curio.Go(ctx, recv)
			testutil.Await(t, op, func() bool { return task.State() == op })
			tasks = append(tasks, task)
			want = append(want, curio.Waiter{Task: task.AnyTask, Op: op})
		}
		if s := client.Snapshot(); len(s.Holders) > 0 || !slices.Equal(s.Waiters, want) {
			t.Errorf("%+v, want %+v", s, want)
		}
		if _, err := server.SendAll(ctx, []byte("ab")); err != nil {
			return err
		}
		for _, task := range tasks {
			if _, err := task.Join(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if s := client.Snapshot(); len(s.Waiters) > 0 {
		t.Errorf("%+v", s)
	}
}
