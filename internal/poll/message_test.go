package poll_test

import (
	"context"
	"net/netip"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
)

// Neither what completes at once nor what sleeps allocates.
func TestMessagesAllocateNothing(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector allocates")
	}
	a, b := datagrams(t)
	echo, join := in(t, func(ctx context.Context) error {
		var m poll.Message
		buf := make([]byte, 64)
		for {
			m.SetBuffer(buf)
			if err := b.RecvMsg(ctx, &m); err != nil {
				return err
			}
			m.SetBuffer(buf[:m.N])
			if err := b.SendMsg(ctx, &m); err != nil {
				return err
			}
		}
	})
	task := newTask(t)
	var m poll.Message
	buf := make([]byte, 64)
	before := task.Cycles()
	n := testing.AllocsPerRun(1000, func() {
		a.Sleepy()
		m.SetBuffer(buf)
		if err := a.SendMsg(&task.Scope, &m); err != nil {
			t.Error(err)
		}
		if err := a.RecvMsg(&task.Scope, &m); err != nil {
			t.Error(err)
		}
		if m.N != len(buf) {
			t.Errorf("%d bytes", m.N)
		}
	})
	cancel(echo)
	want(t, join(), wait.ErrTaskCancelled)
	if n != 0 || task.Cycles() == before {
		t.Errorf("%v allocations, slept %d times", n, task.Cycles()-before)
	}
}

// Somebody who shares the descriptor has made it blocking: that must not block us.
func TestMessagesOfABlockingDescriptor(t *testing.T) {
	a, b := datagrams(t)
	for _, f := range []*poll.FD{a, b} {
		check(t, f.Control(func(fd int) error { return syscall.SetNonblock(fd, false) }))
	}
	var m poll.Message
	var batch poll.Batch
	batch.Grow(2)
	for _, receive := range []func(ctx context.Context) error{
		func(ctx context.Context) error { return a.RecvMsg(ctx, &m) },
		func(ctx context.Context) error { return a.RecvMMsg(ctx, &batch) },
	} {
		o, join := in(t, receive)
		await(t, parked(o))
		cancel(o)
		want(t, join(), wait.ErrTaskCancelled)
	}
	send, stop := in(t, func(ctx context.Context) error {
		for {
			if err := b.SendMsg(ctx, &m); err != nil {
				return err
			}
		}
	})
	await(t, parked(send))
	cancel(send)
	want(t, stop(), wait.ErrTaskCancelled)
}

func TestNames(t *testing.T) {
	var n poll.Name
	if n.Sockaddr() != nil {
		t.Error("the zero value is an address")
	}
	for _, c := range []struct {
		addr  string
		inet6 bool
		zone  uint32
		want  string // "" for one that cannot be
	}{
		{"1.2.3.4:5", false, 0, "1.2.3.4:5"},
		{"1.2.3.4:65535", true, 0, "1.2.3.4:65535"},
		{"[::ffff:1.2.3.4]:256", false, 0, "1.2.3.4:256"},
		{"[fe80::1]:1", true, 7, "[fe80::1]:1"},
		{"[::1]:1", false, 0, ""},
	} {
		ok := n.SetAddrPort(netip.MustParseAddrPort(c.addr), c.inet6, c.zone)
		if ok != (c.want != "") {
			t.Errorf("%s: %v", c.addr, ok)
		}
		if !ok {
			continue
		}
		got, zone := n.AddrPort()
		if got.String() != c.want || zone != c.zone {
			t.Errorf("%s is %v, zone %d", c.addr, got, zone)
		}
		sa := n.Sockaddr()
		var again poll.Name
		if !again.Set(sa) {
			t.Fatalf("%#v cannot be set", sa)
		}
		if back, zone := again.AddrPort(); back != got || zone != c.zone {
			t.Errorf("%s is %v, zone %d", c.addr, back, zone)
		}
	}
	for _, name := range []string{"/tmp/x", "relative"} {
		if !n.Set(&syscall.SockaddrUnix{Name: name}) {
			t.Errorf("%s cannot be set", name)
		}
		if back, ok := n.Sockaddr().(*syscall.SockaddrUnix); !ok || back.Name != name {
			t.Errorf("%q is %+v", name, n.Sockaddr())
		}
		if addr, _ := n.AddrPort(); addr.IsValid() {
			t.Error(addr)
		}
	}
	long := make([]byte, 200)
	if n.Set(&syscall.SockaddrUnix{Name: string(long)}) {
		t.Error("a path of 200 bytes")
	}
}
