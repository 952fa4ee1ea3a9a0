package network_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// splicePairs are connections of the kinds that are spliced.
var splicePairs = map[string]func(t testing.TB) (a, b network.Conn){
	"TCP":        func(t testing.TB) (a, b network.Conn) { return connected(t, listen(t, "127.0.0.1:0", nil)) },
	"narrow TCP": tcpNarrow,
	"Unix":       copyPairs["Unix"],
}

// noPipes waits until there are no pipes any more.
func noPipes(t testing.TB) {
	t.Helper()
	testutil.Await(t, "no pipes", func() bool { runtime.GC(); return poll.Pipes() == 0 })
}

// countSplices counts the calls of splice(2) that have moved something.
func countSplices(t testing.TB) (count func() int) {
	n := make(chan int, 1)
	n <- 0
	var before func(from, to, n int) (int, syscall.Errno)
	before = poll.OnSplice(func(from, to, most int) (int, syscall.Errno) {
		k, errno := before(from, to, most)
		if k > 0 {
			n <- 1 + <-n
		}
		return k, errno
	})
	t.Cleanup(func() { poll.OnSplice(before) })
	return func() int { k := <-n; n <- k; return k }
}

// sendsInPieces sends data in pieces of any length, and ends.
func sendsInPieces(conn network.Conn, data []byte) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		for rest := data; len(rest) > 0; {
			n := min(1+rand.IntN(1<<rand.IntN(21)), len(rest))
			if _, err := conn.SendAll(ctx, rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
		}
		return conn.CloseWrite(ctx)
	}
}

// receivesInPieces receives data in pieces of any length, and the end.
func receivesInPieces(conn network.Conn, data []byte) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		got := make([]byte, 0, len(data)+1)
		for {
			n, err := conn.Recv(ctx, got[len(got):min(len(got)+1+rand.IntN(1<<rand.IntN(21)), cap(got))])
			got = got[:len(got)+n]
			if err == io.EOF {
				return same(got, data)
			}
			if err != nil || len(got) > len(data) {
				return fmt.Errorf("after %d bytes: %w", len(got), err)
			}
		}
	}
}

// Streams of any length pass in both directions at once, whatever is received and whatever spliced.
func TestRelayOfAnyLength(t *testing.T) {
	for from, pairFrom := range splicePairs {
		for to, pairTo := range splicePairs {
			t.Run(from+" to "+to, func(t *testing.T) {
				testutil.NoLeaks(t)
				splices := countSplices(t)
				for _, long := range []int{1, 1 << 16, 1<<16 + 1, 1 << 17, 1 + rand.IntN(1<<20), 1<<20 + rand.IntN(3<<20)} {
					there, back := testutil.Pattern(long, long), testutil.Pattern(7, 1+rand.IntN(1<<20))
					client, a := pairFrom(t)
					b, server := pairTo(t)
					inTasks(t, sendsInPieces(client, there), receivesInPieces(server, there),
						sendsInPieces(server, back), receivesInPieces(client, back), func(ctx context.Context) error {
							x, y, err := network.Relay(ctx, a, b, 0)
							if x != int64(len(there)) || y != int64(len(back)) {
								t.Errorf("%d of %d there, %d of %d back", x, len(there), y, len(back))
							}
							return err
						})
				}
				if splices() == 0 && from != "narrow TCP" {
					t.Error("nothing was spliced")
				}
			})
		}
	}
}

// Wherever a Copy of a stream is cut short, nothing of it is lost or doubled: at any moment while the
// other side receives, and while it waits for the other side to receive.
func TestCopyOfStreamCutAnywhere(t *testing.T) {
	data := testutil.Pattern(11, 1<<20)
	for name, pair := range splicePairs {
		for _, waits := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s waits=%t", name, waits), func(t *testing.T) {
				testutil.NoLeaks(t)
				splices := countSplices(t)
				unsent := 0
				for range 15 {
					client, src := pair(t)
					dst, server := pair(t)
					c := &copyCutter{dst: dst, src: src, server: server, data: data, waits: waits, progress: make(chan struct{}, 1)}
					inTasks(t, sendsThenEnds(client, data), c.receive, c.copy)
					unsent = max(unsent, c.unsent)
				}
				if waits && name != "TCP" && unsent == 0 { // TCP makes room as it needs it
					t.Error("nothing was unsent")
				}
				if splices() == 0 && name != "narrow TCP" {
					t.Error("nothing was spliced")
				}
			})
		}
	}
}

// A copyCutter cancels a Copy of data again and again, until that has copied all.
type copyCutter struct {
	dst, src, server network.Conn
	data             []byte
	waits            bool          // cancel only while Copy waits to send
	progress         chan struct{} // some was received, or Copy has ended
	over             atomic.Bool   // it has ended
	pause            atomic.Bool   // receive nothing
	unsent           int           // the most that was
}

func (c *copyCutter) tell() {
	select {
	case c.progress <- struct{}{}:
	default:
	}
}

// receive receives data and the end.
func (c *copyCutter) receive(ctx context.Context) error {
	got := make([]byte, 0, len(c.data)+1)
	for {
		for c.pause.Load() {
			if err := curio.Sleep(ctx, 100*time.Microsecond); err != nil {
				return err
			}
		}
		n, err := c.server.Recv(ctx, got[len(got):min(len(got)+1+rand.IntN(50_000), cap(got))])
		got = got[:len(got)+n]
		c.tell()
		if err == io.EOF {
			return same(got, c.data)
		}
		if err != nil {
			return err
		}
	}
}

// copy copies data in parts.
func (c *copyCutter) copy(ctx context.Context) error {
	for total := int64(0); ; {
		n, err := c.part(ctx)
		total += n
		failed, ok := errors.AsType[*network.CopyError](err)
		switch {
		case err == nil:
			if total != int64(len(c.data)) {
				return fmt.Errorf("%d copied", total)
			}
			return c.dst.CloseWrite(ctx)
		case ok && failed.Sending:
			c.unsent = max(c.unsent, len(failed.Unsent))
			k, err := c.dst.SendAll(ctx, failed.Unsent)
			if total += int64(k); err != nil {
				return err
			}
		case !errors.Is(err, curio.ErrTaskCancelled):
			return err
		}
	}
}

// part is a Copy that is cancelled at some time.
func (c *copyCutter) part(ctx context.Context) (n int64, err error) {
	c.over.Store(false)
	task := curio.Go(ctx, func(ctx context.Context) (err error) {
		n, err = network.Copy(ctx, c.dst, c.src)
		c.over.Store(true)
		c.tell()
		return err
	}, curio.ReportCrash(false))
	for more := rand.IntN(8); more > 0 && !c.over.Load(); more-- {
		if _, err := curio.Receive(ctx, c.progress); err != nil {
			return n, err
		}
	}
	c.pause.Store(c.waits)
	defer c.pause.Store(false)
	for c.waits && task.State() != "WRITE_WAIT" && !c.over.Load() {
		if err := curio.Sleep(ctx, 100*time.Microsecond); err != nil {
			return n, err
		}
	}
	if _, err := task.Cancel(ctx); err != nil {
		return n, err
	}
	return n, task.Err()
}

func ignoring(_ []byte, err error) error { return err }

// bulk is a connection from which a Copy can receive much at once: data and, if it ends, the end.
func bulk(t testing.TB, data []byte) (client, src network.Conn) {
	t.Helper()
	x, y := socketPair(t)
	must(t, socket.SendBufferSize.Set(x, 4*len(data)))
	must(t, second(x.SendAll(t.Context(), data)))
	return x, y
}

// A dst that fails while it is spliced to: the error has all that was received, and the rest is still
// to be received.
func TestCopyOfStreamFails(t *testing.T) {
	testutil.NoLeaks(t)
	data := testutil.Pattern(5, 90_000)
	t.Run("sending", func(t *testing.T) {
		client, src := bulk(t, data)
		must(t, client.CloseWrite(t.Context()))
		dst, server := socketPair(t)
		splices := 0
		var before func(from, to, n int) (int, syscall.Errno)
		before = poll.OnSplice(func(from, to, n int) (int, syscall.Errno) {
			if splices++; splices == 2 { // the first one has filled the pipe
				must(t, server.Close())
			}
			return before(from, to, n)
		})
		n, err := network.Copy(t.Context(), dst, src)
		poll.OnSplice(before)
		failed, ok := err.(*network.CopyError)
		if !ok || !failed.Sending || !errors.Is(err, syscall.EPIPE) || n != 1<<16 {
			t.Fatalf("%d, %#v", n, err)
		}
		isOp(t, "send", failed.Err)
		rest, err := recvAll(t.Context(), src, 1000)
		must(t, err)
		must(t, same(append(failed.Unsent, rest...), data[n:]))
		if len(failed.Unsent) == 0 {
			t.Error("nothing is unsent")
		}
	})
	t.Run("receiving", func(t *testing.T) {
		client, src := connected(t, listen(t, "127.0.0.1:0", nil))
		dst, server := socketPair(t)
		splices := 0
		var before func(from, to, n int) (int, syscall.Errno)
		before = poll.OnSplice(func(from, to, n int) (int, syscall.Errno) {
			if splices++; splices == 1 {
				must(t, errors.Join(socket.Linger.Set(network.SocketOf(client), 0), client.Close()))
			}
			return before(from, to, n)
		})
		inTasks(t, func(ctx context.Context) error {
			err := second(client.SendAll(ctx, testutil.Pattern(1, 8<<20)))
			if err == nil {
				t.Error("it has sent all")
			}
			return nil
		}, func(ctx context.Context) error {
			_, err := network.Copy(ctx, dst, src)
			failed, ok := err.(*network.CopyError)
			if !ok || failed.Sending || failed.Unsent != nil || !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%#v", err)
			}
			isOp(t, "recv", failed.Err)
			return dst.CloseWrite(ctx)
		}, func(ctx context.Context) error { return ignoring(recvAll(ctx, server, 1<<16)) })
		poll.OnSplice(before)
		if splices == 0 {
			t.Error("nothing was spliced")
		}
	})
}

// Where the system cannot splice from src, or to dst, it is asked once, and all is copied.
func TestCopyWithoutSplice(t *testing.T) {
	testutil.NoLeaks(t)
	data := testutil.Pattern(6, 1<<20)
	for _, errno := range []syscall.Errno{syscall.EINVAL, syscall.ENOSYS, syscall.EOPNOTSUPP} {
		for _, fails := range []int{1, 2} { // from src, to dst
			client, src := splicePairs["TCP"](t)
			dst, server := splicePairs["TCP"](t)
			calls := 0
			var before func(from, to, n int) (int, syscall.Errno)
			before = poll.OnSplice(func(from, to, n int) (int, syscall.Errno) {
				if calls++; calls >= fails {
					return 0, errno
				}
				for { // something, so that there is a second call
					if k, errno := before(from, to, n); errno != syscall.EAGAIN {
						return k, errno
					}
				}
			})
			inTasks(t, sendsThenEnds(client, data), receivesAll(server, data), func(ctx context.Context) error {
				n, err := network.Copy(ctx, dst, src)
				if n != int64(len(data)) || err != nil {
					t.Errorf("%v: %d, %v", errno, n, err)
				}
				return dst.CloseWrite(ctx)
			})
			poll.OnSplice(before)
			if calls != fails {
				t.Errorf("%v: %d calls", errno, calls)
			}
		}
	}
}

// Urgent data is no end, and not copied.
func TestCopyOfUrgentData(t *testing.T) {
	testutil.NoLeaks(t)
	data := testutil.Pattern(6, 600_000)
	client, src := connected(t, listen(t, "127.0.0.1:0", nil))
	dst, server := socketPair(t)
	inTasks(t, func(ctx context.Context) error {
		if _, err := client.SendAll(ctx, data[:300_000]); err != nil {
			return err
		}
		if err := syscall.Sendto(network.SocketOf(client).FD(), []byte("!"), syscall.MSG_OOB, nil); err != nil {
			return err
		}
		return sendsThenEnds(client, data[300_000:])(ctx)
	}, receivesAll(server, data), func(ctx context.Context) error {
		if n, err := network.Copy(ctx, dst, src); n != int64(len(data)) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		return dst.CloseWrite(ctx)
	})
}

// A stream that is sent back on the connection that it comes from is spliced as well.
func TestCopyToItself(t *testing.T) {
	for name, pair := range splicePairs {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			data := testutil.Pattern(2, 3<<20)
			client, conn := pair(t)
			inTasks(t, sendsThenEnds(client, data), receivesInPieces(client, data), func(ctx context.Context) error {
				if n, err := network.Copy(ctx, conn, conn); n != int64(len(data)) || err != nil {
					t.Errorf("%d, %v", n, err)
				}
				return conn.CloseWrite(ctx)
			})
		})
	}
}

// A Copy that has spliced, and waits for more, holds no pipe.
func TestCopyWaitsWithoutPipe(t *testing.T) {
	testutil.NoLeaks(t)
	splices := countSplices(t)
	_, src := bulk(t, testutil.Pattern(1, 200_000))
	dst, server := socketPair(t)
	inTasks(t, func(ctx context.Context) error {
		task := curio.Go(ctx, func(ctx context.Context) error {
			_, err := network.Copy(ctx, dst, src)
			return err
		}, curio.ReportCrash(false))
		buf := make([]byte, 200_000)
		for got := 0; got < len(buf); {
			n, err := server.Recv(ctx, buf[got:])
			if err != nil {
				return err
			}
			got += n
		}
		for task.State() != "READ_WAIT" {
			if err := curio.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		noPipes(t)
		_, err := task.Cancel(ctx)
		return err
	})
	if splices() == 0 {
		t.Error("nothing was spliced")
	}
}

// Nothing is allocated for a spliced piece.
func TestCopyOfStreamAllocates(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector makes pools forget")
	}
	splices := countSplices(t)
	client, src := connected(t, listen(t, "127.0.0.1:0", nil))
	dst, server := twoSockets(t)
	task := curio.Go(context.Background(), func(ctx context.Context) error {
		_, err := network.Copy(ctx, dst, src)
		return err
	})
	sending := curio.Go(context.Background(), func(ctx context.Context) error {
		for piece := make([]byte, 1<<20); ; {
			if _, err := client.SendAll(ctx, piece); err != nil {
				return err
			}
		}
	}, curio.ReportCrash(false))
	buf := make([]byte, 1<<20)
	receive := func() {
		for got := 0; got < len(buf); {
			n, err := server.Recv(context.Background(), buf[got:])
			must(t, err)
			got += n
		}
	}
	receive()
	if n := testing.AllocsPerRun(50, receive); n >= 1 {
		t.Errorf("%v for 1 MiB", n)
	}
	if splices() == 0 {
		t.Error("nothing was spliced")
	}
	_, err := sending.Cancel(context.Background())
	must(t, err)
	must(t, client.Close())
	drained := curio.Go(context.Background(), func(ctx context.Context) error { return ignoring(recvAll(ctx, server, 1<<16)) })
	must(t, task.Wait(context.Background()))
	must(t, dst.Close())
	must(t, drained.Wait(context.Background()))
	noPipes(t)
}

// A stream through a proxy, all of it cancelled at each of its waits.
func TestEverywhereRelayOfStream(t *testing.T) {
	data := testutil.Pattern(8, 200_000)
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		var conns []*socket.Socket
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
		}
		err := together(ctx, sendsThenEnds(conns[0], data), receivesAll(conns[0], nil),
			sendsThenEnds(conns[3], nil), receivesAll(conns[3], data), func(ctx context.Context) error {
				return third(network.Relay(ctx, conns[1], conns[2], time.Hour))
			})
		if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
			return cancelled
		}
		return err
	})
	noPipes(t)
}

func init() {
	begin := func(room int, state string) func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
		return func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
			_, src := bulk(t, testutil.Pattern(1, 200_000))
			dst, _ := socketPair(t)
			must(t, socket.SendBufferSize.Set(dst, room))
			copies := func(ctx context.Context) error { return second64(network.Copy(ctx, dst, src)) }
			return copies, inState(state), "unix"
		}
	}
	blockings = append(blockings,
		blocking{"Copy waits to splice from src", begin(1<<20, "READ_WAIT")},
		blocking{"Copy waits to splice to dst", begin(1<<16, "WRITE_WAIT")})
}
