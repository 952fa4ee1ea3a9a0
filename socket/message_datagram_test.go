package socket_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

// A datagram there and back, by each of the ways.
func TestUDPEcho(t *testing.T) {
	for name, at := range map[string]netip.AddrPort{"IPv4": anyPort, "IPv6": netip.MustParseAddrPort("[::1]:0")} {
		t.Run(name, func(t *testing.T) {
			family := socket.AF_INET
			if at.Addr().Is6() {
				if family = socket.AF_INET6; !hasIPv6() {
					t.Skip("there is no IPv6 here")
				}
			}
			server, client := openOf(t, family, socket.SOCK_DGRAM), openOf(t, family, socket.SOCK_DGRAM)
			check(t, server.BindAddrPort(at))
			check(t, client.BindAddrPort(at))
			echoes(t, server, client)
		})
	}
}

func echoes(t *testing.T, server, client *socket.Socket) {
	to, from := server.LocalAddrPort(), client.LocalAddrPort()
	buf := make([]byte, 100)
	_, join := in(t, func(ctx context.Context) error {
		n, peer, err := server.RecvFrom(ctx, buf, 0)
		if err != nil || peer.String() != from.String() {
			return fmt.Errorf("from %v, %v", peer, err)
		}
		if _, ok := peer.(*net.UDPAddr); !ok {
			return fmt.Errorf("a %T", peer)
		}
		_, err = server.SendTo(ctx, buf[:n], 0, peer)
		return err
	})
	ctx := context.Background()
	n, err := client.SendTo(ctx, []byte("hello"), 0, server.LocalAddr())
	check(t, err)
	if n != 5 {
		t.Errorf("sent %d", n)
	}
	back := make([]byte, 100)
	n, peer, err := client.RecvFromAddrPort(ctx, back, 0)
	check(t, err)
	check(t, join())
	if string(back[:n]) != "hello" || peer != to {
		t.Errorf("%q from %v", back[:n], peer)
	}

	_, err = client.SendToAddrPort(ctx, []byte("again"), 0, to)
	check(t, err)
	m := socket.Message{Buffers: [][]byte{buf}}
	n, err = server.RecvMsg(ctx, &m, 0)
	check(t, err)
	if string(buf[:n]) != "again" || m.AddrPort != from || m.Addr != nil {
		t.Errorf("%q, %+v", buf[:n], m)
	}
	m.Buffers[0] = buf[:n]
	_, err = server.SendMsg(ctx, &m, 0) // back to where it came from
	check(t, err)
	n, err = client.Recv(ctx, back)
	check(t, err)
	if string(back[:n]) != "again" {
		t.Errorf("%q", back[:n])
	}
}

// A socket for both: IPv4 addresses are given as such, and taken as such.
func TestUDPMapped(t *testing.T) {
	if !hasIPv6() {
		t.Skip("there is no IPv6 here")
	}
	six, four := openOf(t, socket.AF_INET6, socket.SOCK_DGRAM), udp(t)
	check(t, socket.V6Only.Set(six, false))
	check(t, six.BindAddrPort(netip.MustParseAddrPort("[::]:0")))
	port := six.LocalAddrPort().Port()
	ctx, buf := context.Background(), make([]byte, 10)
	_, err := four.SendToAddrPort(ctx, []byte("4 to 6"), 0, netip.AddrPortFrom(anyPort.Addr(), port))
	check(t, err)
	_, from, err := six.RecvFromAddrPort(ctx, buf, 0)
	check(t, err)
	if from != four.LocalAddrPort() {
		t.Errorf("from %v, want %v", from, four.LocalAddrPort())
	}
	_, err = six.SendToAddrPort(ctx, []byte("6 to 4"), 0, from)
	check(t, err)
	_, from, err = four.RecvFromAddrPort(ctx, buf, 0)
	check(t, err)
	if want := netip.AddrPortFrom(anyPort.Addr(), port); from != want {
		t.Errorf("from %v, want %v", from, want)
	}
	check(t, six.ConnectAddrPort(ctx, four.LocalAddrPort()))
	if got := six.RemoteAddrPort(); got != four.LocalAddrPort() {
		t.Errorf("connected to %v", got)
	}
}

// Empty datagrams exist, and are not the end of anything.
func TestEmptyDatagrams(t *testing.T) {
	for name, pair := range map[string]func(testing.TB) (a, b *socket.Socket){
		"udp":      udpPair,
		"unixgram": func(t testing.TB) (a, b *socket.Socket) { return pairOf(t, socket.SOCK_DGRAM) },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			ctx := context.Background()
			for name, send := range map[string]func() (int, error){
				"send":     func() (int, error) { return a.Send(ctx, nil) },
				"send all": func() (int, error) { return a.SendAll(ctx, []byte{}) },
				"flags":    func() (int, error) { return a.SendFlags(ctx, nil, 0) },
				"sendto":   func() (int, error) { return a.SendTo(ctx, nil, 0, nil) },
				"addrport": func() (int, error) { return a.SendToAddrPort(ctx, nil, 0, netip.AddrPort{}) },
				"sendmsg":  func() (int, error) { return a.SendMsg(ctx, new(socket.Message), 0) },
				"buffers":  func() (int, error) { return a.SendMsg(ctx, &socket.Message{Buffers: [][]byte{nil, {}}}, 0) },
			} {
				n, err := send()
				if n != 0 || err != nil {
					t.Errorf("%s: %d, %v", name, n, err)
				}
				_, err = a.Send(ctx, []byte("x"))
				check(t, err)
				n, err = b.Recv(ctx, make([]byte, 10))
				if n != 0 || err != nil {
					t.Errorf("%s: received %d, %v", name, n, err)
				}
				empty(t, b, 1)
			}
			_, err := a.Send(ctx, []byte("lost"))
			check(t, err)
			n, err := b.Recv(ctx, nil) // takes a datagram all the same
			if n != 0 || err != nil {
				t.Errorf("received %d, %v", n, err)
			}
			if _, err := b.RecvFlags(ctx, make([]byte, 1), socket.MSG_DONTWAIT); !errors.Is(err, syscall.EAGAIN) {
				t.Error(err)
			}
		})
	}
}

// N8, N9: RecvFrom times out, and can be cancelled, and works after that.
func TestRecvFromCutShort(t *testing.T) {
	a, b := udp(t), udp(t)
	buf := make([]byte, 10)
	timeout := wait.NewTimeout(&newTask(t).Scope, wait.After(time.Millisecond))
	defer timeout.Close()
	_, _, err := a.RecvFrom(timeout, buf, 0)
	want(t, err, wait.ErrTaskTimeout)

	o, join := in(t, func(ctx context.Context) error { _, _, err := a.RecvFrom(ctx, buf, 0); return err })
	await(t, parked(o))
	cancel(o)
	want(t, join(), wait.ErrTaskCancelled)
	_, err = b.SendTo(context.Background(), []byte("x"), 0, a.LocalAddr())
	check(t, err)
	n, from, err := a.RecvFrom(context.Background(), buf, 0)
	if n != 1 || err != nil || from.String() != b.LocalAddr().String() {
		t.Errorf("%d from %v, %v", n, from, err)
	}
}

func TestUDPRefused(t *testing.T) {
	a, b := udpPair(t)
	check(t, b.Close())
	ctx := context.Background()
	_, err := a.Send(ctx, []byte("x"))
	check(t, err)
	n, err := a.Recv(ctx, make([]byte, 10))
	if n != 0 {
		t.Errorf("%d bytes", n)
	}
	want(t, err, syscall.ECONNREFUSED)
	if text := err.Error(); !strings.HasPrefix(text, "recv udp 127.0.0.1:") {
		t.Errorf("%q", text)
	}
}

func TestUDPErrors(t *testing.T) {
	a, b := udp(t), udp(t)
	ctx := context.Background()
	_, err := a.SendToAddrPort(ctx, make([]byte, 70_000), 0, b.LocalAddrPort())
	want(t, err, syscall.EMSGSIZE)
	if want := "sendto udp " + a.LocalAddr().String() + "->" + b.LocalAddr().String() + ": sendto: "; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%q, want %q", err, want)
	}
	_, err = a.Send(ctx, []byte("x"))
	if !errors.Is(err, syscall.EDESTADDRREQ) && !errors.Is(err, syscall.ENOTCONN) {
		t.Error(err)
	}
	for _, c := range []struct {
		err  func() error
		text string
	}{
		{func() error { _, err := a.SendTo(ctx, nil, 0, localhost); return err }, "*net.TCPAddr of address, on a socket of network udp"},
		{func() error { _, err := a.SendTo(ctx, nil, 0, &net.UnixAddr{Name: "x"}); return err }, "another family"},
		{func() error {
			_, err := a.SendToAddrPort(ctx, nil, 0, netip.MustParseAddrPort("[::1]:1"))
			return err
		}, "not an IPv4 address"},
		{func() error {
			_, err := a.SendToAddrPort(ctx, nil, 0, netip.MustParseAddrPort("[fe80::1%nowhere]:1"))
			return err
		}, "unknown zone"},
		{func() error { return a.BindAddrPort(netip.AddrPort{}) }, "missing address"},
		{func() error {
			_, err := openOf(t, socket.AF_UNIX, socket.SOCK_DGRAM).SendToAddrPort(ctx, nil, 0, anyPort)
			return err
		}, "another family"},
		{func() error {
			_, err := unixgram(t).SendTo(ctx, nil, 0, &net.UnixAddr{Name: "x", Net: "unix"})
			return err
		}, "network unix, on a socket of network unixgram"},
	} {
		err := c.err()
		var address *net.AddrError
		if !errors.As(err, &address) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%v, want %q", err, c.text)
		}
	}
}

func TestTypes(t *testing.T) {
	for _, c := range []struct {
		typ     int
		network string
	}{{socket.SOCK_STREAM, "unix"}, {socket.SOCK_DGRAM, "unixgram"}, {socket.SOCK_SEQPACKET, "unixpacket"}} {
		if c.typ == socket.SOCK_SEQPACKET && runtime.GOOS == "darwin" {
			continue
		}
		a, b := pairOf(t, c.typ)
		exchange(t, a, b)
		exchange(t, b, a)
		if got := a.LocalAddr(); got == nil || got.Network() != c.network || !strings.HasPrefix(a.String(), c.network) {
			t.Errorf("%v, %q, want %s", got, a, c.network)
		}
	}
	for _, c := range []struct {
		typ  int
		addr net.Addr
	}{{socket.SOCK_STREAM, &net.TCPAddr{}}, {socket.SOCK_DGRAM, &net.UDPAddr{}}} {
		s := openOf(t, socket.AF_INET, c.typ)
		check(t, s.Bind(c.addr))
		if got := s.LocalAddr(); fmt.Sprintf("%T", got) != fmt.Sprintf("%T", c.addr) || s.LocalAddrPort().Port() == 0 {
			t.Errorf("%T %v, %v", got, got, s.LocalAddrPort())
		}
	}
	if got := unixgram(t).LocalAddrPort(); got.IsValid() {
		t.Error(got)
	}
}

// Datagrams of the Unix domain, from a socket with a name and from one without.
func TestUnixgram(t *testing.T) {
	a, b := unixgram(t), unixgram(t)
	ctx, buf := context.Background(), make([]byte, 10)
	_, err := a.SendTo(ctx, []byte("x"), 0, b.LocalAddr())
	check(t, err)
	_, from, err := b.RecvFrom(ctx, buf, 0)
	check(t, err)
	if from.String() != a.LocalAddr().String() || from.Network() != "unixgram" {
		t.Errorf("from %v", from)
	}
	nameless := openOf(t, socket.AF_UNIX, socket.SOCK_DGRAM)
	check(t, nameless.Connect(ctx, b.LocalAddr()))
	_, err = nameless.Send(ctx, []byte("x"))
	check(t, err)
	if _, from, err = b.RecvFrom(ctx, buf, 0); from != nil || err != nil {
		t.Errorf("from %v, %v", from, err)
	}
	_, err = a.SendTo(ctx, []byte("x"), 0, &net.UnixAddr{Name: b.LocalAddr().String() + "-not"})
	want(t, err, syscall.ENOENT)
	if runtime.GOOS == "linux" {
		abstract := openOf(t, socket.AF_UNIX, socket.SOCK_DGRAM)
		name := &net.UnixAddr{Name: fmt.Sprintf("@curio-test-gram-%d", os.Getpid()), Net: "unixgram"}
		check(t, abstract.Bind(name))
		_, err = abstract.SendTo(ctx, []byte("x"), 0, b.LocalAddr())
		check(t, err)
		if _, from, err = b.RecvFrom(ctx, buf, 0); err != nil || from.String() != name.Name {
			t.Errorf("from %v, %v", from, err)
		}
		_, err = b.SendTo(ctx, []byte("y"), 0, from)
		check(t, err)
		empty(t, abstract, 1)
	}
}

// Who sends to a full queue sends when there is room, connected or not.
func TestUnixgramRoom(t *testing.T) {
	for _, connected := range []bool{false, true} {
		receiver, s := unixgram(t), openOf(t, socket.AF_UNIX, socket.SOCK_DGRAM)
		to := receiver.LocalAddr()
		if connected {
			check(t, s.Connect(context.Background(), to))
			to = nil
		}
		n := stuff(t, s, to)
		o, join := in(t, func(ctx context.Context) error {
			_, err := s.SendTo(ctx, []byte("waited"), 0, to)
			return err
		})
		await(t, parked(o))
		empty(t, receiver, n)
		check(t, join())
		buf := make([]byte, 10)
		k, err := receiver.Recv(context.Background(), buf)
		if string(buf[:k]) != "waited" || err != nil {
			t.Errorf("%q, %v", buf[:k], err)
		}
	}
}

// Packets keep their boundaries, and come to an end.
func TestSeqpacket(t *testing.T) {
	if runtime.GOOS == "darwin" {
		t.Skip("macOS has no such sockets")
	}
	l := openOf(t, socket.AF_UNIX, socket.SOCK_SEQPACKET)
	name := unixgram(t).LocalAddr().String() + "-packet"
	check(t, l.Bind(&net.UnixAddr{Name: name, Net: "unixpacket"}))
	check(t, l.Listen(0))
	ctx := context.Background()
	a := openOf(t, socket.AF_UNIX, socket.SOCK_SEQPACKET)
	check(t, a.Connect(ctx, l.LocalAddr()))
	b, err := l.Accept(ctx)
	check(t, err)
	closing(t, b)
	if b.LocalAddr().Network() != "unixpacket" {
		t.Errorf("accepted %v", b)
	}
	for _, s := range []string{"one", "three"} {
		_, err := a.SendAll(ctx, []byte(s))
		check(t, err)
	}
	check(t, a.Close())
	buf := make([]byte, 3)
	for _, want := range []string{"one", "thr"} {
		n, err := b.Recv(ctx, buf)
		if err != nil || string(buf[:n]) != want {
			t.Errorf("%q, %v, want %q", buf[:n], err, want)
		}
	}
	if n, err := b.Recv(ctx, buf); n != 0 || err != io.EOF {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := b.RecvMMsg(ctx, []socket.Message{{Buffers: [][]byte{buf}}}, 0); n != 0 || err != io.EOF {
		t.Errorf("%d, %v", n, err)
	}
}

// N10: 4 MB through a pair into a caller's buffer.
func TestFourMegabytesInPieces(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 4<<20/16)
	for _, buffers := range [][][]byte{{data}, {data[:1], nil, data[1 : 3<<20], data[3<<20:]}} {
		a, b := unixPair(t)
		_, join := in(t, func(ctx context.Context) error {
			n, err := a.SendMsgAll(ctx, &socket.Message{Buffers: buffers}, 0)
			if n != len(data) {
				t.Errorf("sent %d", n)
			}
			return err
		})
		into := make([]byte, len(data)+1)[:len(data)]
		n, err := b.RecvFlags(context.Background(), into, socket.MSG_WAITALL)
		check(t, err)
		check(t, join())
		if n != len(data) || !bytes.Equal(into, data) {
			t.Errorf("received %d bytes, or other ones", n)
		}
	}
}

// More pieces than the system takes at once.
func TestManyBuffers(t *testing.T) {
	a, b := unixPair(t)
	buffers := make([][]byte, 3000)
	for i := range buffers {
		buffers[i] = binary.BigEndian.AppendUint16(nil, uint16(i))
	}
	n, err := a.SendMsgAll(context.Background(), &socket.Message{Buffers: buffers}, 0)
	if n != 6000 || err != nil {
		t.Fatal(n, err)
	}
	into := make([][]byte, 3000)
	for i := range into {
		into[i] = make([]byte, 2)
	}
	n, err = b.RecvMsg(context.Background(), &socket.Message{Buffers: into}, socket.MSG_WAITALL)
	if n != 6000 || err != nil {
		t.Fatal(n, err)
	}
	for i := range into {
		if !bytes.Equal(into[i], buffers[i]) {
			t.Fatalf("piece %d is %v", i, into[i])
		}
	}
}

// An ICMP echo request comes back as a reply, over loopback.
func TestRawICMP(t *testing.T) {
	s, err := socket.New(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skipf("raw sockets are not permitted here: %v", err)
	}
	check(t, err)
	closing(t, s)
	check(t, s.Bind(&net.IPAddr{IP: localhost.IP}))
	if s.LocalAddr().String() != "127.0.0.1" || s.LocalAddr().Network() != "ip" {
		t.Errorf("%T %v", s.LocalAddr(), s.LocalAddr())
	}
	id := uint16(os.Getpid())
	request := []byte{8, 0, 0, 0, byte(id >> 8), byte(id), 0, 1, 'c', 'u', 'r', 'i', 'o', '!'}
	sum := uint32(0)
	for i := 0; i < len(request); i += 2 {
		sum += uint32(request[i])<<8 | uint32(request[i+1])
	}
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(request[2:], ^uint16(sum+sum>>16))
	o := wait.NewTimeout(&newTask(t).Scope, wait.After(20*time.Second))
	defer o.Close()
	_, err = s.SendTo(o, request, 0, &net.IPAddr{IP: localhost.IP})
	check(t, err)
	for buf := make([]byte, 1000); ; {
		n, from, err := s.RecvFrom(o, buf, 0)
		check(t, err)
		packet := buf[4*int(buf[0]&15) : n] // after the IP header
		if packet[0] == 0 && binary.BigEndian.Uint16(packet[4:]) == id {
			if string(packet[8:]) != "curio!" || from.String() != "127.0.0.1" {
				t.Errorf("%q from %v", packet[8:], from)
			}
			break
		}
	}
}
