package network_test

import (
	"context"
	"net"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// W11 for a net.Listener: out of descriptors it pauses, and Close ends the pause.
func TestNetListenerPauses(t *testing.T) {
	s := newServer(t)
	defer restoreLimit(t)
	l := listen(t, "127.0.0.1:0", nil)
	testutil.Dial(t, l.LocalAddr().String())
	ready := make(chan net.Listener, 1)
	var err error
	s.run(func(ctx context.Context) error {
		listener := network.NetListener(ctx, l)
		noMoreDescriptors(t)
		ready <- listener
		_, err = listener.Accept()
		return nil
	})
	listener := testutil.Receive(t, "listener", ready)
	s.pauses(t)
	must(t, listener.Close())
	must(t, s.end())
	restoreLimit(t)
	is(t, err, net.ErrClosed)
	isOp(t, "accept", err)
	s.Log.Take(msgPause)
}
