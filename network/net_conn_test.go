package network_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// netPair returns two connected net.Conns of ours, which ctx bounds, and which are closed
// at the end of the test.
func netPair(ctx context.Context, t testing.TB) (a, b net.Conn) {
	t.Helper()
	x, y := twoSockets(t)
	return network.NetConn(ctx, x), network.NetConn(ctx, y)
}

func twoSockets(t testing.TB) (a, b *socket.Socket) {
	t.Helper()
	a, b, err := socket.SocketPair(socket.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, a)
	closeAtEnd(t, b)
	return a, b
}

// longAgo and farAhead are deadlines that have passed, or will not before the test ends.
var (
	longAgo  = time.Unix(1, 0)
	farAhead = time.Now().Add(time.Hour)
)

// must is for what does not fail.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// isDeadline checks that err is what package net has for a deadline that has passed.
func isDeadline(t testing.TB, op string, err error) {
	t.Helper()
	is(t, err, os.ErrDeadlineExceeded)
	if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() {
		t.Errorf("%#v is no timeout", err)
	}
	isOp(t, op, err)
}

func isOp(t testing.TB, op string, err error) {
	t.Helper()
	if e, ok := err.(*net.OpError); !ok || e.Op != op {
		t.Errorf("%#v is not a *net.OpError of %q", err, op)
	}
}

// fillUp writes until nothing fits any more, and returns how much did.
func fillUp(t testing.TB, conn syscall.Conn) (total int) {
	t.Helper()
	raw, err := conn.SyscallConn()
	must(t, err)
	block := make([]byte, 64<<10)
	must(t, raw.Control(func(fd uintptr) {
		for err == nil {
			var n int
			if n, err = syscall.Write(int(fd), block); err == nil {
				total += n
			}
		}
	}))
	is(t, err, syscall.EAGAIN)
	return total
}

// drain reads so much.
func drain(t testing.TB, conn io.Reader, n int) {
	t.Helper()
	got, err := io.CopyN(io.Discard, conn, int64(n))
	if err != nil {
		t.Errorf("received %d bytes of %d, %v", got, n, err)
	}
}

func TestNetConn(t *testing.T) {
	testutil.NoLeaks(t)
	listener := listen(t, "127.0.0.1:0", nil)
	theirs := testutil.Dial(t, listener.LocalAddr().String())
	accepted, err := listener.Accept(t.Context())
	must(t, err)
	ours := network.NetConn(t.Context(), accepted)
	defer ours.Close()
	if ours.LocalAddr().String() != theirs.RemoteAddr().String() || ours.RemoteAddr().String() != theirs.LocalAddr().String() {
		t.Errorf("%v -> %v", ours.LocalAddr(), ours.RemoteAddr())
	}
	message := testutil.Pattern(1, 1<<20)
	sent := make(chan error, 1)
	go func() {
		n, err := ours.Write(message)
		if n != len(message) {
			err = fmt.Errorf("wrote %d, %w", n, err)
		}
		sent <- errors.Join(err, ours.(interface{ CloseWrite() error }).CloseWrite())
	}()
	got, err := io.ReadAll(theirs)
	if err := errors.Join(err, testutil.Receive(t, "end of writing", sent)); err != nil || string(got) != string(message) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := theirs.Write([]byte("back")); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	if got, err := io.ReadAll(ours); err != nil || string(got) != "back" {
		t.Errorf("%q, %v", got, err)
	}
	if n, err := ours.Read(make([]byte, 1)); n != 0 || err != io.EOF { // itself, not wrapped
		t.Errorf("at the end: %d, %v", n, err)
	}
}

// A reset is an error of "read" and "write", by which net/http goes.
func TestNetConnReset(t *testing.T) {
	testutil.NoLeaks(t)
	listener := listen(t, "127.0.0.1:0", nil)
	theirs := testutil.Dial(t, listener.LocalAddr().String())
	accepted, err := listener.Accept(t.Context())
	must(t, err)
	ours := network.NetConn(t.Context(), accepted)
	defer ours.Close()
	reset(t, theirs)
	_, err = ours.Read(make([]byte, 1))
	isOp(t, "read", err)
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v, want ECONNRESET", err)
	}
	_, err = ours.Write([]byte("x"))
	isOp(t, "write", err)
	if !errors.Is(err, syscall.EPIPE) {
		t.Errorf("%v, want EPIPE", err)
	}
}

// CloseRead and CloseWrite fail once the connection is closed.
func TestNetConnHalves(t *testing.T) {
	testutil.NoLeaks(t)
	a, _ := netPair(t.Context(), t)
	c := a.(interface {
		CloseRead() error
		CloseWrite() error
	})
	must(t, a.Close())
	is(t, c.CloseWrite(), net.ErrClosed)
	is(t, c.CloseRead(), net.ErrClosed)
	is(t, a.Close(), net.ErrClosed)
}

// A bareConn is a Conn that is no socket.
type bareConn struct{ network.Conn }

func TestNilsPanic(t *testing.T) {
	for name, c := range map[string]struct {
		call func()
		says string
	}{
		"NetConn":      {func() { network.NetConn(t.Context(), nil) }, "curio/network: nil Conn; "},
		"NetListener":  {func() { network.NetListener(t.Context(), nil) }, "curio/network: nil Listener; "},
		"FromConn":     {func() { network.FromConn(nil) }, "curio/network: nil net.Conn; "},
		"FromListener": {func() { network.FromListener(nil, nil) }, "curio/network: nil net.Listener; "},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if v, _ := recover().(string); len(v) < len(c.says) || v[:len(c.says)] != c.says {
					t.Errorf("panics with %q", v)
				}
			}()
			c.call()
		})
	}
}

// Writes of several goroutines are not mixed with each other, although deadlines pass and
// are moved meanwhile.
func TestWritesAreWhole(t *testing.T) {
	testutil.NoLeaks(t)
	const writers, size = 4, 300_000
	a, b := netPair(t.Context(), t)
	errs := make(chan error, writers)
	var writing atomic.Int32
	writing.Store(writers)
	for i := range writers {
		go func() {
			defer writing.Add(-1)
			message := make([]byte, size)
			for j := range message {
				message[j] = byte(i)
			}
			for done := 0; done < size; {
				n, err := a.Write(message[done:])
				done += n
				if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
					errs <- err
					return
				}
				if err != nil && n > 0 && done < size {
					errs <- errors.New("a deadline that was ahead cut a Write short")
					return
				}
			}
			errs <- nil
		}()
	}
	moved := make(chan struct{})
	go func() {
		defer close(moved)
		for i := 0; writing.Load() > 0; i++ {
			if err := a.SetWriteDeadline(time.Now().Add(time.Duration(i%3+1) * time.Hour)); err != nil {
				t.Error(err)
			}
		}
	}()
	got := make([]byte, writers*size)
	_, err := io.ReadFull(b, got)
	must(t, err)
	for range writers {
		must(t, testutil.Receive(t, "writer", errs))
	}
	testutil.Receive(t, "mover", moved)
	for i := 0; i < len(got); i += size {
		for j := range size {
			if got[i+j] != got[i] {
				t.Fatalf("a Write of %d is interrupted by one of %d after %d bytes", got[i], got[i+j], j)
			}
		}
	}
}

// A connection of a task is of no use after its end. One that was made in a context that
// nothing ends is.
func TestNetConnOutlivesItsTask(t *testing.T) {
	testutil.NoLeaks(t)
	x, y := twoSockets(t)
	var bound, free net.Conn
	task := curio.Go(t.Context(), func(ctx context.Context) error {
		bound, free = network.NetConn(ctx, x), network.NetConn(context.WithoutCancel(ctx), y)
		return nil
	})
	must(t, end(t, task))
	if _, err := free.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	_, err := bound.Read(make([]byte, 1))
	is(t, err, taskCancelled...)
	isOp(t, "read", err)
	must(t, bound.Close())
	must(t, free.Close())
}
