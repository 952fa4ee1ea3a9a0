package network_test

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
)

// peek looks for a byte, as client libraries do with the idle connections of their pools.
func peek(fd uintptr) (n int, err error) {
	for {
		var buf [1]byte
		n, _, err = syscall.Recvfrom(int(fd), buf[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// trySyscallConn does with a syscall.RawConn what libraries do, and what its contract
// promises.
func trySyscallConn(t *testing.T, e ends) bool {
	c, ok := e.ours.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	must(t, err)
	var typ int
	var failed error
	must(t, raw.Control(func(fd uintptr) { typ, failed = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_TYPE) }))
	if failed != nil || typ == 0 {
		t.Errorf("SO_TYPE is %d, %v", typ, failed)
	}
	isIdle(t, raw)
	readsWhenReady(t, e, raw)
	writesRaw(t, e, raw)
	endsByDeadline(t, e.ours.(net.Conn), raw)
	endsByClose(t, e.ours.(io.Closer), raw)
	return true
}

// isIdle checks that a connection is idle, in both ways that database drivers use.
func isIdle(t *testing.T, raw syscall.RawConn) {
	t.Helper()
	calls := 0
	must(t, raw.Read(func(fd uintptr) bool {
		calls++
		if n, err := peek(fd); err != syscall.EAGAIN {
			t.Errorf("peeking: %d, %v", n, err)
		}
		n, err := syscall.Read(int(fd), make([]byte, 1)) // the descriptor is non-blocking
		if err != syscall.EAGAIN {
			t.Errorf("reading: %d, %v", n, err)
		}
		return true
	}))
	if calls != 1 {
		t.Errorf("%d calls", calls)
	}
}

// readsWhenReady checks that a function that returned false is called again when there is
// something to read, and not before.
func readsWhenReady(t *testing.T, e ends, raw syscall.RawConn) {
	t.Helper()
	called, done := make(chan error, 10), make(chan error, 1)
	var got string
	go func() {
		done <- raw.Read(func(fd uintptr) bool {
			buf := make([]byte, 100)
			n, err := syscall.Read(int(fd), buf)
			called <- err
			got = string(buf[:max(n, 0)])
			return err != syscall.EAGAIN
		})
	}()
	if err := testutil.Receive(t, "call", called); err != syscall.EAGAIN {
		t.Errorf("the first call: %v", err)
	}
	writeAll(t, e.peer, "raw")
	must(t, testutil.Receive(t, "second call", called))
	must(t, testutil.Receive(t, "end", done))
	if len(got) > 20 {
		got = got[20:] // a raw socket returns the header, too
	}
	if got != "raw" || len(called) != 0 {
		t.Errorf("%q, and %d calls more", got, len(called))
	}
}

func writesRaw(t *testing.T, e ends, raw syscall.RawConn) {
	t.Helper()
	if _, packets := e.peer.(toConn); packets {
		must(t, raw.Write(func(uintptr) bool { return true }))
		return
	}
	must(t, raw.Write(func(fd uintptr) bool {
		n, err := syscall.Write(int(fd), []byte("written raw"))
		if n != 11 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		return true
	}))
	hears(t, e.peer, "written raw")
}

// endsByDeadline checks that the functions are not called after a deadline that has passed,
// and that a deadline that passes meanwhile ends the wait.
func endsByDeadline(t *testing.T, conn net.Conn, raw syscall.RawConn) {
	t.Helper()
	must(t, conn.SetDeadline(longAgo))
	never := func(uintptr) bool { t.Error("called"); return true }
	isDeadline(t, "raw-read", raw.Read(never))
	isDeadline(t, "raw-write", raw.Write(never))
	must(t, conn.SetDeadline(time.Time{}))
	called, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- raw.Read(func(uintptr) bool { close(called); return false })
	}()
	testutil.Receive(t, "call", called)
	must(t, conn.SetReadDeadline(longAgo))
	isDeadline(t, "raw-read", testutil.Receive(t, "end", done))
	must(t, conn.SetReadDeadline(time.Time{}))
	isIdle(t, raw)
}

func endsByClose(t *testing.T, conn io.Closer, raw syscall.RawConn) {
	t.Helper()
	called, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- raw.Read(func(uintptr) bool { close(called); return false })
	}()
	testutil.Receive(t, "call", called)
	must(t, conn.Close())
	err := testutil.Receive(t, "end", done)
	isOp(t, "raw-read", err)
	for _, err := range []error{err, raw.Read(nil), raw.Write(nil), raw.Control(nil)} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}
