package socket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/socket"
)

// Gathered from several buffers, and scattered over others.
func TestScatterGather(t *testing.T) {
	for name, pair := range map[string]func(testing.TB) (a, b *socket.Socket){"stream": unixPair, "udp": udpPair} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			ctx := context.Background()
			out := socket.Message{Buffers: [][]byte{[]byte("he"), nil, []byte("llo, "), []byte("world")}}
			n, err := a.SendMsg(ctx, &out, 0)
			if n != 12 || out.N != 12 || err != nil {
				t.Fatal(n, out.N, err)
			}
			in := socket.Message{Buffers: [][]byte{make([]byte, 1), {}, make([]byte, 6), make([]byte, 100)}}
			n, err = b.RecvMsg(ctx, &in, 0)
			if n != 12 || in.N != 12 || err != nil || in.Flags != 0 || in.ControlN != 0 {
				t.Fatal(n, in, err)
			}
			if got := string(bytes.Join(in.Buffers, nil)[:n]); got != "hello, world" {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestNoBuffers(t *testing.T) {
	a, b := unixPair(t)
	ctx := context.Background()
	_, err := a.Send(ctx, []byte("x"))
	check(t, err)
	if n, err := b.RecvMsg(ctx, new(socket.Message), 0); n != 0 || err != nil { // as Recv
		t.Error(n, err)
	}
	if n, err := b.SendMsg(ctx, new(socket.Message), 0); n != 0 || err != nil {
		t.Error(n, err)
	}
	_, err = a.SendFDs(ctx, nil, 0)
	want(t, err, syscall.EINVAL)
	if !strings.Contains(err.Error(), "at least one byte") {
		t.Error(err)
	}
	for _, batch := range []func(context.Context, []socket.Message, int) (int, error){a.SendMMsg, a.RecvMMsg} {
		_, err := batch(ctx, make([]socket.Message, 1), 0)
		want(t, err, syscall.EOPNOTSUPP)
	}
	c, d := udpPair(t)
	for _, batch := range []func(context.Context, []socket.Message, int) (int, error){c.SendMMsg, c.RecvMMsg} {
		if n, err := batch(ctx, nil, 0); n != 0 || err != nil {
			t.Error(n, err)
		}
	}
	exchange(t, c, d)
}

// What SendMsgAll says it has sent is what the other side receives.
func TestSendMsgAllCutShort(t *testing.T) {
	a, b := unixPair(t)
	data := make([]byte, 8<<20)
	for i := range data {
		data[i] = byte(i ^ i>>8 ^ i>>16)
	}
	sent := 0
	o, join := in(t, func(ctx context.Context) (err error) {
		sent, err = a.SendMsgAll(ctx, &socket.Message{Buffers: [][]byte{data[:1000], data[1000:]}}, 0)
		return err
	})
	await(t, parked(o))
	drain(t, b, 900) // some room, and perhaps some more sent
	await(t, parked(o))
	cancel(o)
	want(t, join(), context.Canceled)
	check(t, a.Shutdown(socket.ShutWR))
	rest := make([]byte, len(data))
	n, err := b.RecvFlags(context.Background(), rest, socket.MSG_WAITALL)
	check(t, err)
	if sent != 900+n || sent == 0 || sent == len(data) || !bytes.Equal(rest[:n], data[900:sent]) {
		t.Errorf("sent %d, received %d and 900", sent, n)
	}
}

func TestBatch(t *testing.T) {
	for name, at := range map[string]func(testing.TB) *socket.Socket{"udp": udp, "unixgram": unixgram} {
		t.Run(name, func(t *testing.T) {
			a, b := at(t), at(t)
			o := newTask(t)
			const count = 5
			out, in := make([]socket.Message, count), make([]socket.Message, 8)
			for i := range out {
				out[i] = socket.Message{Buffers: [][]byte{fmt.Appendf(nil, "number %d", i)}, Addr: b.LocalAddr()}
			}
			out[3].Buffers = nil
			for i := range in {
				in[i] = socket.Message{Buffers: [][]byte{make([]byte, 7), make([]byte, 7)}}
			}
			n, err := a.SendMMsg(&o.Scope, out, 0)
			if n != count || err != nil {
				t.Fatal(n, err)
			}
			n, err = b.RecvMMsg(&o.Scope, in, 0)
			if n != count || err != nil {
				t.Fatal(n, err)
			}
			for i, m := range in[:n] {
				want := fmt.Sprintf("number %d", i)
				if i == 3 {
					want = ""
				}
				if got := string(bytes.Join(m.Buffers, nil)[:m.N]); got != want || out[i].N != m.N {
					t.Errorf("%q, want %q", got, want)
				}
				from := a.LocalAddrPort().String()
				if name == "unixgram" {
					from = a.LocalAddr().String()
				}
				if m.Addr == nil && m.AddrPort.String() != from || m.Addr != nil && m.Addr.String() != from {
					t.Errorf("from %v, %v, want %v", m.Addr, m.AddrPort, from)
				}
			}
			n, err = b.RecvMMsg(&o.Scope, in, socket.MSG_DONTWAIT)
			if n != 0 || !errors.Is(err, syscall.EAGAIN) {
				t.Errorf("%d, %v", n, err)
			}
		})
	}
}

// One that cannot be sent: how many were before it, and why.
func TestBatchFails(t *testing.T) {
	a, b := udp(t), udp(t)
	ctx, to := context.Background(), b.LocalAddrPort()
	out := []socket.Message{{AddrPort: to}, {AddrPort: to}, {AddrPort: to, Buffers: [][]byte{make([]byte, 70_000)}}, {AddrPort: to}}
	n, err := a.SendMMsg(ctx, out, 0)
	want(t, err, syscall.EMSGSIZE)
	if n != 2 {
		t.Errorf("%d were sent", n)
	}
	in := make([]socket.Message, 4)
	if n, err := b.RecvMMsg(ctx, in, 0); n != 2 || err != nil {
		t.Error(n, err)
	}
	out[1].Addr, out[1].AddrPort = otherAddr{}, netip.AddrPort{}
	if n, err := a.SendMMsg(ctx, out, 0); n != 0 || err == nil {
		t.Error(n, err)
	}
}

// A batch to a queue that has no room for all: how many were sent when it is cancelled,
// and all if it goes on.
func TestBatchCutShort(t *testing.T) {
	for _, connected := range []bool{false, true} {
		receiver, s := unixgram(t), openOf(t, socket.AF_UNIX, socket.SOCK_DGRAM)
		to := receiver.LocalAddr()
		if connected {
			check(t, s.Connect(context.Background(), to))
			to = nil
		}
		out := make([]socket.Message, 2000)
		for i := range out {
			out[i] = socket.Message{Addr: to, Buffers: [][]byte{fmt.Append(nil, i)}}
		}
		sent, got := 0, 0
		expect := func() {
			buf := make([]byte, 10)
			n, err := receiver.Recv(context.Background(), buf)
			if err != nil || string(buf[:n]) != fmt.Sprint(got) {
				t.Fatalf("%q, %v, want %d", buf[:n], err, got)
			}
			got++
		}
		send := func(ctx context.Context) error {
			n, err := s.SendMMsg(ctx, out[sent:], 0)
			sent += n
			return err
		}
		o, join := in(t, send)
		await(t, parked(o))
		cancel(o)
		want(t, join(), context.Canceled)
		if sent == 0 || sent == len(out) {
			t.Fatalf("%d were sent", sent)
		}
		for range sent {
			expect()
		}
		if !taken(receiver)() {
			t.Error("more were sent than it said")
		}
		_, join = in(t, send)
		for got < len(out) {
			expect()
		}
		check(t, join())
	}
}

func TestControl(t *testing.T) {
	control := socket.AppendControl(nil, socket.Rights(5, 6, 7))
	if len(control) != socket.ControlSpace(12) {
		t.Errorf("%d bytes, want %d", len(control), socket.ControlSpace(12))
	}
	control = socket.AppendControl(control, socket.ControlMessage{Level: 1000, Type: 2, Data: []byte("abc")})
	control = socket.AppendControl(control, socket.ControlMessage{Level: 3})
	parsed, err := socket.ParseControl(control)
	check(t, err)
	if len(parsed) != 3 || fmt.Sprint(parsed[0].Rights()) != "[5 6 7]" || parsed[1].Rights() != nil ||
		parsed[1].Level != 1000 || parsed[1].Type != 2 || string(parsed[1].Data) != "abc" || len(parsed[2].Data) != 0 {
		t.Errorf("%+v", parsed)
	}
	if parsed, err := socket.ParseControl(nil); len(parsed) != 0 || err != nil {
		t.Error(parsed, err)
	}
	_, err = socket.ParseControl(bytes.Repeat([]byte{0xff}, 64))
	want(t, err, syscall.EINVAL)
}

// Whatever there is, it is taken apart without a panic, and put together again.
func FuzzControl(f *testing.F) {
	f.Add(socket.AppendControl(nil, socket.Rights(1, 2)))
	f.Add(socket.AppendControl(socket.AppendControl(nil, socket.Rights(1)), socket.ControlMessage{Data: []byte{1, 2, 3}}))
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, control []byte) {
		parsed, err := socket.ParseControl(control)
		if err != nil {
			return
		}
		var again []byte
		for _, c := range parsed {
			c.Rights()
			again = socket.AppendControl(again, c)
		}
		twice, err := socket.ParseControl(again)
		if err != nil || len(twice) != len(parsed) {
			t.Fatalf("%v, %+v, want %+v", err, twice, parsed)
		}
		for i := range twice {
			if twice[i].Level != parsed[i].Level || twice[i].Type != parsed[i].Type || !bytes.Equal(twice[i].Data, parsed[i].Data) {
				t.Fatalf("%+v, want %+v", twice[i], parsed[i])
			}
		}
	})
}
