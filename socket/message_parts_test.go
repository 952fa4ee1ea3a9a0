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
