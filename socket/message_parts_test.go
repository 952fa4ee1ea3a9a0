package socket_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/curio-go/curio/socket"
)

// Where the pieces that the system moves end has nothing to do with where the buffers of
// either side do, and some of these are empty.
func TestPartsOfBuffers(t *testing.T) {
	const count = 100_000
	a, b := unixPair(t)
	piece := []byte("0123456")
	m := socket.Message{Buffers: make([][]byte, count)}
	all := 0
	for i := range m.Buffers {
		m.Buffers[i] = piece[:i%len(piece)] // some are empty
		all += len(m.Buffers[i])
	}
	into := socket.Message{}
	space := make([]byte, all)
	for at := 0; at < all; at += 5 {
		into.Buffers = append(into.Buffers, space[at:min(at+5, all)])
	}
	_, sent := in(t, func(ctx context.Context) error {
		_, err := a.SendMsgAll(ctx, &m, 0)
		return err
	})
	n, err := b.RecvMsg(context.Background(), &into, socket.MSG_WAITALL)
	check(t, err)
	check(t, sent())
	if want := bytes.Join(m.Buffers, nil); n != all || m.N != all || !bytes.Equal(space, want) {
		t.Errorf("%d bytes of %d sent, %d received", m.N, all, n)
	}
}

// With MSG_WAITALL several calls make one: what one of them says is not forgotten over the
// next.
func TestFlagsOfAllParts(t *testing.T) {
	a, b := unixPair(t)
	ctx := context.Background()
	_, err := a.SendFDs(ctx, []byte("a"), a.FD())
	check(t, err)
	_, err = a.SendAll(ctx, []byte("b"))
	check(t, err)
	m := socket.Message{Buffers: [][]byte{make([]byte, 2)}} // no room for the descriptor
	n, err := b.RecvMsg(ctx, &m, socket.MSG_WAITALL)
	check(t, err)
	if n != 2 || m.Flags&socket.MSG_CTRUNC == 0 {
		t.Errorf("%d bytes, flags %#x, want 2 and MSG_CTRUNC", n, m.Flags)
	}
}
