package socket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

// forward is the loop in the comment of Splice.
func forward(ctx context.Context, to, from *socket.Socket, most int) error {
	for {
		_, err := to.Splice(ctx, from, most)
		if err == io.EOF {
			return to.Shutdown(socket.ShutWR)
		}
		if err != nil {
			return err
		}
	}
}

func TestSplice(t *testing.T) {
	testutil.NoLeaks(t)
	content := bytes.Repeat([]byte("all of this, in this order. "), 100_000)
	for name, pair := range map[string]func(testing.TB) (a, b *socket.Socket){"unix": unixPair, "tcp": tcpPair} {
		for _, most := range []int{-1, 1 << 20, 1000} {
			a, b := pair(t)
			c, d := pair(t)
			_, sent := in(t, func(ctx context.Context) error {
				if _, err := a.SendAll(ctx, content); err != nil {
					return err
				}
				return a.Shutdown(socket.ShutWR)
			})
			_, moved := in(t, func(ctx context.Context) error { return forward(ctx, c, b, most) })
			got := receiving(t, d)
			check(t, sent())
			check(t, moved())
			if !bytes.Equal(got(), content) {
				t.Errorf("%s, %d at most: something else has arrived", name, most)
			}
		}
	}
}

// All that comes before and after urgent data arrives, although the system cannot splice it.
func TestSpliceUrgentData(t *testing.T) {
	a, b := tcpPair(t)
	c, d := tcpPair(t)
	ctx := context.Background()
	_, moved := in(t, func(ctx context.Context) error { return forward(ctx, c, b, -1) })
	for range 100 {
		for _, part := range []struct {
			text  string
			flags int
		}{{"be", 0}, {"fore!", socket.MSG_OOB}, {"after", 0}} {
			_, err := a.SendFlags(ctx, []byte(part.text), part.flags)
			check(t, err)
		}
		var got [11]byte // all of it now: a later urgent byte makes an earlier one an ordinary one
		_, err := d.RecvFlags(ctx, got[:], socket.MSG_WAITALL)
		check(t, err)
		if string(got[:]) != "beforeafter" {
			t.Fatalf("received %q", got)
		}
	}
	for _, part := range []struct {
		text  string
		flags int
	}{{"!", socket.MSG_OOB}, {"the end", 0}} { // and then the end, all at once
		_, err := a.SendFlags(ctx, []byte(part.text), part.flags)
		check(t, err)
	}
	check(t, a.Shutdown(socket.ShutWR))
	check(t, moved())
	if got := receiving(t, d)(); string(got) != "the end" {
		t.Errorf("at the end: %q", got)
	}
}

func TestSpliceErrors(t *testing.T) {
	testutil.NoLeaks(t)
	ctx := context.Background()
	a, b := unixPair(t)
	c, d := unixPair(t)
	var none socket.Socket
	u, _ := udpPair(t)
	for _, test := range []struct {
		to, from *socket.Socket
		err      error
	}{{&none, b, syscall.EINVAL}, {c, &none, syscall.EINVAL}, {u, b, syscall.EOPNOTSUPP}, {c, u, syscall.EOPNOTSUPP}} {
		n, err := test.to.Splice(ctx, test.from, -1)
		want(t, err, test.err)
		if n != 0 {
			t.Errorf("%d bytes", n)
		}
	}
	n, err := c.Splice(ctx, b, 0)
	if n != 0 || err != nil {
		t.Errorf("nothing: %d, %v", n, err)
	}
	o := newTask(t)
	cancel(o)
	_, err = c.Splice(&o.Scope, b, -1)
	want(t, err, wait.ErrTaskCancelled)

	_, err = a.SendAll(ctx, []byte("x"))
	check(t, err)
	check(t, d.Close())
	_, err = c.Splice(ctx, b, -1)
	want(t, err, syscall.EPIPE)
	want(t, err, io.ErrShortWrite)
	var wrapped *net.OpError
	if !errors.As(err, &wrapped) || wrapped.Op != "splice" {
		t.Errorf("%v", err)
	}
	check(t, a.Close())
	if _, err = c.Splice(ctx, b, -1); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	check(t, b.Close())
	_, err = c.Splice(ctx, b, -1)
	want(t, err, net.ErrClosed)
	check(t, c.Close())
	_, err = c.Splice(ctx, b, 0)
	want(t, err, net.ErrClosed)
}
