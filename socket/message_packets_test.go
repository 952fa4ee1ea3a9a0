package socket_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/socket"
)

// A packet of a script: its data, and whether a descriptor goes with it.
type packet struct {
	data string
	fd   bool
}

// packetWays are all the ways to receive one message or a batch. took is what came, and
// whether descriptors came with it; these are closed.
var packetWays = map[string]func(ctx context.Context, s *socket.Socket) (took []packet, err error){
	"Recv": func(ctx context.Context, s *socket.Socket) ([]packet, error) {
		return one(func(buf []byte) (int, error) { return s.Recv(ctx, buf) })
	},
	"RecvFlags": func(ctx context.Context, s *socket.Socket) ([]packet, error) {
		return one(func(buf []byte) (int, error) { return s.RecvFlags(ctx, buf, socket.MSG_WAITALL) })
	},
	"RecvFrom": func(ctx context.Context, s *socket.Socket) ([]packet, error) {
		return one(func(buf []byte) (n int, err error) { n, _, err = s.RecvFrom(ctx, buf, 0); return n, err })
	},
	"RecvBuffer": func(ctx context.Context, s *socket.Socket) ([]packet, error) {
		b, err := s.RecvBuffer(ctx)
		if err != nil {
			return nil, err
		}
		defer b.Release()
		return []packet{{data: string(b.Bytes())}}, nil
	},
	"RecvFDs": func(ctx context.Context, s *socket.Socket) ([]packet, error) {
		buf := make([]byte, 100)
		n, fds, err := s.RecvFDs(ctx, buf, 1)
		if err != nil {
			return nil, err
		}
		closeFDs(fds)
		return []packet{{string(buf[:n]), len(fds) > 0}}, nil
	},
	"RecvMsg": func(ctx context.Context, s *socket.Socket) ([]packet, error) {
		m := roomFor()
		if _, err := s.RecvMsg(ctx, &m, 0); err != nil {
			return nil, err
		}
		return []packet{unpack(&m)}, nil
	},
	"RecvMMsg": func(ctx context.Context, s *socket.Socket) (took []packet, err error) {
		batch := []socket.Message{roomFor(), roomFor(), roomFor(), roomFor(), roomFor()}
		n, err := s.RecvMMsg(ctx, batch, 0)
		for i := range n {
			took = append(took, unpack(&batch[i]))
		}
		return took, err
	},
}

func one(recv func(buf []byte) (int, error)) ([]packet, error) {
	buf := make([]byte, 100)
	n, err := recv(buf)
	if err != nil {
		return nil, err
	}
	return []packet{{data: string(buf[:n])}}, nil
}

func roomFor() socket.Message {
	return socket.Message{Buffers: [][]byte{make([]byte, 100)}, Control: make([]byte, socket.ControlSpace(4))}
}

// unpack returns what m has received.
func unpack(m *socket.Message) packet {
	p := packet{data: string(m.Buffers[0][:m.N])}
	parts, err := socket.ParseControl(m.Control[:m.ControlN])
	if err != nil {
		p.data = err.Error()
	}
	for _, c := range parts {
		p.fd = p.fd || len(c.Rights()) > 0
		closeFDs(c.Rights())
	}
	return p
}

func closeFDs(fds []int) {
	for _, fd := range fds {
		os.NewFile(uintptr(fd), "").Close()
	}
}

func passes(way string) bool { return way == "RecvFDs" || way == "RecvMsg" || way == "RecvMMsg" }

// Every way to receive packets returns each of them, including empty ones, and the end
// after the last, whether the other side has closed the connection by then or not. Only
// empty packets that come last cannot be told from the end.
func TestEmptyPackets(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere two empty packets in a row look like the end")
	}
	null, err := os.Open(os.DevNull)
	check(t, err)
	defer null.Close()
	scripts := [][]packet{
		{{"a", false}, {"", false}, {"b", true}},
		{{"", false}, {"", false}, {"b", false}},
		{{"", false}, {"", true}},
		{{"", true}, {"", false}, {"", false}, {"x", true}, {"", false}, {"y", false}, {"", true}},
		{{"a", false}},
		{},
	}
	for way, receive := range packetWays {
		for _, script := range scripts {
			for _, name := range []string{"open", "closed", "closed, with empty ones before", "half-closed"} {
				t.Run(fmt.Sprint(way, script, name), func(t *testing.T) {
					testutil.NoLeaks(t)
					ctx := context.Background()
					a, b := pairOf(t, socket.SOCK_SEQPACKET)
					sent := slices.Clone(script)
					if name == "open" {
						sent = append(sent, packet{}) // while the connection is open, it cannot be taken for the end
					}
					for _, p := range sent {
						var fds []int
						if p.fd {
							fds = []int{int(null.Fd())}
						}
						_, err := a.SendFDs(ctx, []byte(p.data), fds...)
						check(t, err)
					}
					want := slices.Clone(sent)
					for i := range want {
						want[i].fd = want[i].fd && passes(way)
						if way == "RecvBuffer" && i == len(want)-1 && want[i].data == "" && name != "open" {
							want = want[:i] // read(2) does not report its descriptor
						}
					}
					switch name {
					case "closed, with empty ones before":
						for range 2 {
							_, err := a.Send(ctx, nil)
							check(t, err)
						}
						check(t, a.Close())
					case "closed":
						check(t, a.Close())
					case "half-closed":
						check(t, a.Shutdown(socket.ShutWR))
					}
					var took []packet
					for name != "open" || len(took) < len(want) {
						some, err := receive(ctx, b)
						took = append(took, some...)
						if err == io.EOF {
							break
						}
						check(t, err)
					}
					if !slices.Equal(took, want) {
						t.Errorf("received %v, want %v", took, want)
					}
					if name != "open" {
						for range 2 {
							if some, err := receive(ctx, b); err != io.EOF {
								t.Errorf("after the end: %v, %v", some, err)
							}
						}
					}
				})
			}
		}
	}
}

// Peeking at an empty packet does not look like the end, as long as something tells them
// apart.
func TestPeekEmptyPacket(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere nothing tells")
	}
	ctx, buf := context.Background(), make([]byte, 10)
	a, b := pairOf(t, socket.SOCK_SEQPACKET)
	for _, text := range []string{"", "x"} {
		_, err := a.Send(ctx, []byte(text))
		check(t, err)
	}
	for range 2 {
		n, err := b.RecvFlags(ctx, buf, socket.MSG_PEEK)
		if n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		_ = a.Close() // before the second peek
	}
	for _, want := range []struct {
		n   int
		err error
	}{{0, nil}, {1, nil}, {0, io.EOF}} {
		if n, err := b.Recv(ctx, buf); n != want.n || err != want.err {
			t.Errorf("%d, %v, want %v", n, err, want)
		}
	}
	n, err := b.RecvFlags(ctx, buf, socket.MSG_PEEK)
	if n != 0 || err != io.EOF {
		t.Errorf("at the end %d, %v", n, err)
	}
}

// A call that waits sees the end when it comes, and also an empty packet.
func TestWaitForEmptyPacket(t *testing.T) {
	if runtime.GOOS == "darwin" {
		t.Skip("macOS has no such sockets")
	}
	for way, receive := range packetWays {
		a, b := pairOf(t, socket.SOCK_SEQPACKET)
		var took []packet
		waiter, received := in(t, func(ctx context.Context) (err error) {
			took, err = receive(ctx, b)
			return err
		})
		await(t, parked(waiter))
		_, err := a.Send(context.Background(), nil)
		check(t, err)
		if err := received(); len(took) != 1 || took[0].data != "" || err != nil {
			t.Errorf("%s: %v, %v", way, took, err)
		}
		o, join := in(t, func(ctx context.Context) error { _, err := receive(ctx, b); return err })
		await(t, parked(o))
		check(t, a.Close())
		if err := join(); err != io.EOF {
			t.Errorf("%s: %v at the end", way, err)
		}
	}
}

// Empty datagrams are datagrams, wherever they are in a batch, and never mean the end.
func TestEmptyDatagramsInABatch(t *testing.T) {
	for name, pair := range map[string]func(testing.TB) (a, b *socket.Socket){
		"udp":      udpPair,
		"unixgram": func(t testing.TB) (a, b *socket.Socket) { return pairOf(t, socket.SOCK_DGRAM) },
	} {
		a, b := pair(t)
		ctx := context.Background()
		want := []string{"", "a", "", "", "b", ""}
		batch := make([]socket.Message, len(want))
		for i, text := range want {
			batch[i].Buffers = [][]byte{[]byte(text)}
		}
		n, err := a.SendMMsg(ctx, batch, 0)
		if n != len(want) || err != nil {
			t.Fatal(name, n, err)
		}
		var got []string
		for len(got) < len(want) {
			batch := []socket.Message{roomFor(), roomFor(), roomFor(), roomFor()}
			n, err := b.RecvMMsg(ctx, batch, 0)
			check(t, err)
			for i := range n {
				got = append(got, string(batch[i].Buffers[0][:batch[i].N]))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// A message that cannot be sent ends a batch: SendMMsg returns how many were sent before
// it; these arrive, and no others.
func TestSendMMsgInTheMiddle(t *testing.T) {
	ctx := context.Background()
	a, b := udpPair(t)
	batch := make([]socket.Message, 4)
	for i := range batch {
		batch[i].Buffers = [][]byte{{byte('0' + i)}}
	}
	batch[2].Buffers = [][]byte{make([]byte, 1<<17)}
	n, err := a.SendMMsg(ctx, batch, 0)
	if n != 2 || err == nil || !strings.Contains(err.Error(), "message too long") {
		t.Fatal(n, err)
	}
	for i := range 2 {
		buf := make([]byte, 9)
		if n, err := b.Recv(ctx, buf); err != nil || string(buf[:n]) != fmt.Sprint(i) {
			t.Errorf("%q, %v", buf[:n], err)
		}
	}
	if n, err := b.RecvFlags(ctx, make([]byte, 9), socket.MSG_DONTWAIT); err == nil {
		t.Errorf("%d bytes more", n)
	}
}

// The error that a UDP socket gets if its peer is gone does not end a batch, and is not
// lost either.
func TestErrorBehindABatch(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("others tell of it at other times")
	}
	ctx := context.Background()
	a, b := udpPair(t)
	_, err := b.Send(ctx, []byte("last words"))
	check(t, err)
	check(t, b.Close())
	_, err = a.Send(ctx, []byte("x")) // the answer is that nobody is there
	check(t, err)
	var errs, words int
	for range 2 {
		batch := []socket.Message{roomFor(), roomFor()}
		n, err := a.RecvMMsg(ctx, batch, socket.MSG_DONTWAIT)
		words += n
		if err != nil && strings.Contains(err.Error(), "refused") {
			errs++
		}
	}
	if words != 1 || errs != 1 {
		t.Errorf("%d datagrams and %d errors", words, errs)
	}
}
