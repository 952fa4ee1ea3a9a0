package socket_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/socket"
)

func TestRecvBuffer(t *testing.T) {
	a, b := tcpPair(t)
	ctx := context.Background()
	message := bytes.Repeat([]byte("0123456789abcdef"), 1<<12) // 64 KiB
	_, err := a.SendAll(ctx, message[:5])
	check(t, err)
	first, err := b.RecvBuffer(ctx)
	check(t, err)
	_, err = a.SendAll(ctx, message[5:])
	check(t, err)
	got := bytes.Clone(first.Bytes())
	for len(got) < len(message) {
		next, err := b.RecvBuffer(ctx)
		check(t, err)
		got = append(got, next.Bytes()...)
		next.Release()
	}
	if !bytes.Equal(got, message) || string(first.Bytes()) != "01234" {
		t.Errorf("%d bytes, the first %q", len(got), first.Bytes())
	}
	first.Release()
	panics(t, first.Release)
	panics(t, func() { first.Bytes() })
	check(t, a.Close())
	if buf, err := b.RecvBuffer(ctx); buf != nil || err != io.EOF {
		t.Errorf("%v, %v", buf, err)
	}
	check(t, b.Close())
	_, err = b.RecvBuffer(ctx)
	want(t, err, net.ErrClosed)
	panics(t, new(socket.Buffer).Release)
}

func panics(t *testing.T, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	f()
}

// Connections that have buffers at the same time have different ones.
func TestRecvBufferApart(t *testing.T) {
	var all sync.WaitGroup
	for i := range 20 {
		a, b := unixPair(t)
		all.Go(func() {
			ctx := context.Background()
			message := bytes.Repeat([]byte{byte(i)}, 100)
			for range 200 {
				if _, err := a.SendAll(ctx, message); err != nil {
					t.Error(err)
				}
				buf, err := b.RecvBuffer(ctx)
				if err != nil || !bytes.Equal(buf.Bytes(), message) {
					t.Errorf("%v", err)
					return
				}
				if _, err := b.SendAll(ctx, buf.Bytes()); err != nil {
					t.Error(err)
				}
				buf.Release()
				if err := expect(ctx, a, message); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func TestRecvBufferAllocatesNothing(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector allocates, and makes sync.Pool forget")
	}
	a, b := tcpPair(t)
	for name, ctx := range map[string]context.Context{"task": &newTask(t).Scope, "none": context.Background()} {
		message := make([]byte, 64)
		if n := testing.AllocsPerRun(1000, func() {
			if _, err := a.SendAll(ctx, message); err != nil {
				t.Error(err)
			}
			buf, err := b.RecvBuffer(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			buf.Release()
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
