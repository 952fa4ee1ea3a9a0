package socket_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

func TestPeek(t *testing.T) {
	a, b := udpPair(t)
	ctx, buf := context.Background(), make([]byte, 10)
	_, err := a.Send(ctx, []byte("hello"))
	check(t, err)
	for range 2 {
		n, from, err := b.RecvFrom(ctx, buf, socket.MSG_PEEK)
		if string(buf[:n]) != "hello" || err != nil || from.String() != a.LocalAddr().String() {
			t.Errorf("%q from %v, %v", buf[:n], from, err)
		}
	}
	empty(t, b, 1)
	if _, err := b.RecvFlags(ctx, buf, socket.MSG_PEEK|socket.MSG_DONTWAIT); !errors.Is(err, syscall.EAGAIN) {
		t.Error(err)
	}
}

func TestDontWait(t *testing.T) {
	a, b := unixPair(t)
	ctx, buf := context.Background(), make([]byte, 10)
	_, err := a.RecvFlags(ctx, buf, socket.MSG_DONTWAIT)
	want(t, err, syscall.EAGAIN)
	_, err = a.RecvMsg(ctx, &socket.Message{Buffers: [][]byte{buf}}, socket.MSG_DONTWAIT)
	want(t, err, syscall.EAGAIN)
	n := fill(t, a)
	_, err = a.SendFlags(ctx, buf, socket.MSG_DONTWAIT)
	want(t, err, syscall.EAGAIN)
	_, err = a.SendMsgAll(ctx, &socket.Message{Buffers: [][]byte{buf}}, socket.MSG_DONTWAIT)
	want(t, err, syscall.EAGAIN)

	// While others wait for their turn, or for data.
	o, join := in(t, func(ctx context.Context) error { _, err := a.Recv(ctx, buf); return err })
	w, joinWriter := in(t, func(ctx context.Context) error { _, err := a.Send(ctx, buf); return err })
	await(t, parked(o))
	await(t, parked(w))
	_, err = a.RecvFlags(ctx, buf, socket.MSG_DONTWAIT)
	want(t, err, syscall.EAGAIN)
	_, err = a.SendFlags(ctx, buf, socket.MSG_DONTWAIT)
	want(t, err, syscall.EAGAIN)
	cancel(o)
	want(t, join(), wait.ErrTaskCancelled)
	drain(t, b, n)
	check(t, joinWriter())

	// What there is, it takes.
	drain(t, b, len(buf))
	_, err = b.Send(ctx, []byte("x"))
	check(t, err)
	for _, flags := range []int{0, socket.MSG_WAITALL} {
		_, err = b.Send(ctx, []byte("x"))
		check(t, err)
		k, err := a.RecvFlags(ctx, buf, socket.MSG_DONTWAIT|flags)
		if k == 0 || err != nil {
			t.Errorf("%d, %v", k, err)
		}
	}
	cancelled := newTask(t)
	cancel(cancelled)
	_, err = a.RecvFlags(&cancelled.Scope, buf, socket.MSG_DONTWAIT)
	want(t, err, wait.ErrTaskCancelled)
	check(t, a.Close())
	_, err = a.RecvFlags(ctx, buf, socket.MSG_DONTWAIT)
	want(t, err, net.ErrClosed)
}

// All of the buffer, or the end, or how much there was when it was cut short.
func TestWaitAll(t *testing.T) {
	for name, pair := range map[string]func(testing.TB) (a, b *socket.Socket){"unix": unixPair, "tcp": tcpPair} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			buf := make([]byte, 6)
			n := 0
			all := func(ctx context.Context) (err error) {
				n, err = b.RecvFlags(ctx, buf, socket.MSG_WAITALL)
				return err
			}
			o, join := in(t, all)
			await(t, parked(o))
			_, err := a.Send(context.Background(), []byte("abc"))
			check(t, err)
			await(t, taken(b))
			await(t, parked(o))
			_, err = a.Send(context.Background(), []byte("defg"))
			check(t, err)
			check(t, join())
			if string(buf[:n]) != "abcdef" {
				t.Errorf("%q", buf[:n])
			}

			o, join = in(t, all)
			await(t, parked(o))
			await(t, taken(b))
			cancel(o)
			want(t, join(), wait.ErrTaskCancelled)
			if n != 1 || buf[0] != 'g' {
				t.Errorf("%q", buf[:n])
			}

			_, err = a.Send(context.Background(), []byte("h"))
			check(t, err)
			check(t, a.Shutdown(socket.ShutWR))
			check(t, all(context.Background()))
			if n != 1 || buf[0] != 'h' {
				t.Errorf("%q", buf[:n])
			}
			if err := all(context.Background()); n != 0 || err != io.EOF {
				t.Errorf("%d, %v", n, err)
			}
		})
	}
}

// taken is true when there is nothing left to receive.
func taken(s *socket.Socket) func() bool {
	return func() bool {
		_, _, err := syscall.Recvfrom(s.FD(), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return err == syscall.EAGAIN
	}
}

// A datagram that was too long: with MSG_TRUNC, Linux says how long.
func TestTruncated(t *testing.T) {
	a, b := udpPair(t)
	ctx, buf := context.Background(), make([]byte, 3)
	for range 3 {
		_, err := a.Send(ctx, []byte("hello"))
		check(t, err)
	}
	n, from, err := b.RecvFrom(ctx, buf, 0)
	if string(buf[:n]) != "hel" || err != nil || from == nil {
		t.Errorf("%q from %v, %v", buf[:n], from, err)
	}
	m := socket.Message{Buffers: [][]byte{buf}}
	n, err = b.RecvMsg(ctx, &m, 0)
	if n != 3 || err != nil || m.Flags != socket.MSG_TRUNC {
		t.Errorf("%d, %v, flags %#x", n, err, m.Flags)
	}
	if runtime.GOOS == "linux" {
		if n, err = b.RecvFlags(ctx, buf, socket.MSG_TRUNC); n != 5 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
}

// A byte out of band overtakes nothing, and is received by itself.
func TestOutOfBand(t *testing.T) {
	a, b := tcpPair(t)
	ctx, buf := context.Background(), make([]byte, 10)
	_, err := b.RecvFlags(ctx, buf, socket.MSG_OOB)
	want(t, err, syscall.EINVAL) // there is none
	_, err = a.SendFlags(ctx, []byte("!"), socket.MSG_OOB)
	check(t, err)
	_, err = a.Send(ctx, []byte("x"))
	check(t, err)
	check(t, b.WaitRead(ctx)) // when that is there, the other is
	m := socket.Message{Buffers: [][]byte{buf}}
	n, err := b.RecvMsg(ctx, &m, socket.MSG_OOB)
	if string(buf[:n]) != "!" || err != nil || m.Flags&socket.MSG_OOB == 0 {
		t.Errorf("%q, %v, flags %#x", buf[:n], err, m.Flags)
	}
	n, err = b.Recv(ctx, buf)
	if string(buf[:n]) != "x" || err != nil {
		t.Errorf("%q, %v", buf[:n], err)
	}
}

// A peer that has gone is an error, and no signal.
func TestNoSignal(t *testing.T) {
	a, b := unixPair(t)
	check(t, b.Close())
	ctx := context.Background()
	_, err := a.SendFlags(ctx, []byte("x"), 0)
	want(t, err, syscall.EPIPE)
	_, err = a.SendMsg(ctx, &socket.Message{Buffers: [][]byte{{1}}}, 0)
	want(t, err, syscall.EPIPE)
}
