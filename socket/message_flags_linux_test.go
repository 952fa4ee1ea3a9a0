package socket_test

import (
	"context"
	"errors"
	"syscall"
	"testing"

	"github.com/curio-go/curio/socket"
)

// What is held back goes with what comes after it, in one datagram.
func TestMore(t *testing.T) {
	a, b := udpPair(t)
	ctx, buf := context.Background(), make([]byte, 10)
	for _, part := range []string{"a", "b"} {
		_, err := a.SendFlags(ctx, []byte(part), socket.MSG_MORE)
		check(t, err)
	}
	if _, err := b.RecvFlags(ctx, buf, socket.MSG_DONTWAIT); !errors.Is(err, syscall.EAGAIN) {
		t.Error(err)
	}
	_, err := a.Send(ctx, []byte("c"))
	check(t, err)
	n, err := b.Recv(ctx, buf)
	if string(buf[:n]) != "abc" || err != nil {
		t.Errorf("%q, %v", buf[:n], err)
	}
}

// The queue of errors, for which a task can wait, says which datagram was refused.
func TestErrorQueue(t *testing.T) {
	a, b := udp(t), udp(t)
	check(t, a.SetsockoptInt(socket.IPPROTO_IP, syscall.IP_RECVERR, 1))
	to, ctx := b.LocalAddrPort(), context.Background()
	m := socket.Message{Buffers: [][]byte{make([]byte, 10)}, Control: make([]byte, 200)}
	o, join := in(t, func(ctx context.Context) error { _, err := a.RecvMsg(ctx, &m, socket.MSG_ERRQUEUE); return err })
	await(t, parked(o))
	check(t, b.Close())
	_, err := a.SendToAddrPort(ctx, []byte("lost"), 0, to)
	check(t, err)
	check(t, join())
	control, err := socket.ParseControl(m.Control[:m.ControlN])
	check(t, err)
	if string(m.Buffers[0][:m.N]) != "lost" || m.AddrPort != to || m.Flags&socket.MSG_ERRQUEUE == 0 ||
		len(control) != 1 || control[0].Level != socket.IPPROTO_IP || control[0].Type != syscall.IP_RECVERR {
		t.Errorf("%+v, %+v", m, control)
	}
}
