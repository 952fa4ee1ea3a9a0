package socket_test

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/socket"
)

// What succeeds allocates nothing, in a task and outside of one.
func TestNothingAllocated(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector allocates")
	}
	a, b := tcpPair(t)
	buf := make([]byte, 64)
	for name, ctx := range map[string]context.Context{"task": &newTask(t).Scope, "none": context.Background()} {
		if n := testing.AllocsPerRun(1000, func() {
			if _, err := a.SendAll(ctx, buf); err != nil {
				t.Error(err)
			}
			if err := b.WaitRead(ctx); err != nil {
				t.Error(err)
			}
			if _, err := b.Recv(ctx, buf); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// Keeping the addresses for after Close costs nothing unless somebody asks for them: Close
// allocates no more than closing the descriptor alone.
func TestNothingAllocatedForAddressesAtClose(t *testing.T) {
	switch {
	case testutil.Race:
		t.Skip("the race detector allocates")
	case runtime.GOOS != "linux":
		t.Skip("package syscall allocates")
	}
	const n = 100
	a, b := make([]*socket.Socket, 0, n+1), make([]*socket.Socket, 0, n+1)
	for range n + 1 {
		c, d := tcpPair(t)
		a, b = append(a, c), append(b, d)
	}
	closeNext := func(of *[]*socket.Socket) func() {
		return func() {
			check(t, (*of)[0].Close())
			*of = (*of)[1:]
		}
	}
	for _, s := range b {
		s.LocalAddr()
		s.RemoteAddr()
	}
	known := testing.AllocsPerRun(n, closeNext(&b))
	if unknown := testing.AllocsPerRun(n, closeNext(&a)); unknown != known {
		t.Errorf("%v allocations, and %v if the addresses are known", unknown, known)
	}
}

// Neither does a datagram, wherever it goes to or comes from.
func TestNothingAllocatedPerDatagram(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector allocates")
	}
	a, b := udp(t), udp(t)
	c, d := udpPair(t)
	buf := make([]byte, 64)
	to, ctx := b.LocalAddrPort(), context.Context(&newTask(t).Scope)
	out := socket.Message{Buffers: [][]byte{buf[:10], buf[10:]}, AddrPort: to}
	in := socket.Message{Buffers: [][]byte{buf}}
	outs, ins := make([]socket.Message, 8), make([]socket.Message, 8)
	for i := range outs {
		outs[i], ins[i] = out, in
	}
	for name, run := range map[string]func() error{
		"sendto, recvfrom": func() error {
			_, err := a.SendToAddrPort(ctx, buf, 0, to)
			_, from, err2 := b.RecvFromAddrPort(ctx, buf, 0)
			if from != a.LocalAddrPort() {
				t.Error(from)
			}
			return errors.Join(err, err2)
		},
		"send, recv": func() error {
			_, err := c.Send(ctx, buf)
			_, err2 := d.Recv(ctx, buf)
			return errors.Join(err, err2)
		},
		"sendmsg, recvmsg": func() error {
			_, err := a.SendMsg(ctx, &out, 0)
			_, err2 := b.RecvMsg(ctx, &in, 0)
			return errors.Join(err, err2)
		},
		"sendmmsg, recvmmsg": func() error {
			n, err := a.SendMMsg(ctx, outs, 0)
			m, err2 := b.RecvMMsg(ctx, ins, 0)
			if n != 8 || m != 8 {
				t.Error(n, m)
			}
			return errors.Join(err, err2)
		},
	} {
		a.LocalAddrPort() // it is kept
		if n := testing.AllocsPerRun(1000, func() {
			if err := run(); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// A zone given by its number is as good as one given by its name.
func TestNothingAllocatedForAZone(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector allocates")
	}
	if !hasIPv6() {
		t.Skip("there is no IPv6 here")
	}
	s := openOf(t, socket.AF_INET6, socket.SOCK_DGRAM)
	check(t, s.BindAddrPort(netip.MustParseAddrPort("[::1]:0")))
	for _, zone := range []string{"1", loopback(t).Name} {
		to := netip.AddrPortFrom(netip.IPv6Loopback().WithZone(zone), s.LocalAddrPort().Port())
		if n := testing.AllocsPerRun(100, func() {
			if _, err := s.SendToAddrPort(context.Background(), nil, 0, to); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("zone %q: %v allocations", zone, n)
		}
	}
}
