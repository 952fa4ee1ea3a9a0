package interop_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// packetSides are a UDP socket of ours and one of package net's.
var packetSides = []struct {
	name   string
	listen func(t *testing.T, addr net.UDPAddr) net.PacketConn
}{
	{"curio", func(t *testing.T, addr net.UDPAddr) net.PacketConn {
		family := socket.AF_INET
		if addr.IP.To4() == nil {
			family = socket.AF_INET6
		}
		s, err := socket.New(family, socket.SOCK_DGRAM, 0)
		must(t, err)
		must(t, s.Bind(&addr))
		return network.NetPacketConn(context.Background(), s)
	}},
	{"net", func(t *testing.T, addr net.UDPAddr) net.PacketConn {
		conn, err := net.ListenUDP("udp", &addr)
		must(t, err)
		return conn
	}},
}

var loopback4 = net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}

// Options, control messages and batches of x/net/ipv4.
func TestIPv4(t *testing.T) {
	for _, side := range packetSides {
		t.Run(side.name, func(t *testing.T) {
			testutil.NoLeaks(t)
			a, b := side.listen(t, loopback4), side.listen(t, loopback4)
			defer a.Close()
			defer b.Close()
			p, q := ipv4.NewPacketConn(a), ipv4.NewPacketConn(b)
			must(t, p.SetTTL(7))
			if ttl, err := p.TTL(); ttl != 7 || err != nil {
				t.Errorf("TTL %d, %v", ttl, err)
			}
			must(t, p.SetTOS(0x28))
			must(t, q.SetControlMessage(ipv4.FlagTTL|ipv4.FlagDst|ipv4.FlagInterface, true))
			n, err := p.WriteTo([]byte("one"), nil, b.LocalAddr())
			if n != 3 || err != nil {
				t.Fatal(n, err)
			}
			// ReadFrom takes the types of package net alone. ReadBatch does the same.
			buf := make([]byte, 100)
			one := []ipv4.Message{{Buffers: [][]byte{buf}, OOB: ipv4.NewControlMessage(ipv4.FlagTTL | ipv4.FlagDst | ipv4.FlagInterface)}}
			_, err = q.ReadBatch(one, 0)
			must(t, err)
			if m := one[0]; string(buf[:m.N]) != "one" || m.Addr.String() != a.LocalAddr().String() {
				t.Fatalf("%q from %v", buf[:m.N], m.Addr)
			}
			cm := new(ipv4.ControlMessage)
			must(t, cm.Parse(one[0].OOB[:one[0].NN]))
			if !cm.Dst.Equal(loopback4.IP) || cm.IfIndex == 0 || cm.TTL != 7 {
				t.Errorf("with it came %v", cm)
			}
			batches4(t, p, q, b.LocalAddr())
			must(t, b.SetReadDeadline(time.Unix(1, 0)))
			_, err = q.ReadBatch([]ipv4.Message{{Buffers: [][]byte{buf}}}, 0)
			if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() {
				t.Errorf("after the deadline: %v", err)
			}
		})
	}
}

func batches4(t *testing.T, p, q *ipv4.PacketConn, to net.Addr) {
	t.Helper()
	out := make([]ipv4.Message, 10)
	for i := range out {
		out[i] = ipv4.Message{Buffers: [][]byte{{byte(i)}}, Addr: to}
	}
	for sent := 0; sent < len(out); {
		n, err := p.WriteBatch(out[sent:], 0)
		must(t, err)
		sent += n
	}
	for received := 0; received < len(out); {
		in := make([]ipv4.Message, 4)
		for i := range in {
			in[i] = ipv4.Message{Buffers: [][]byte{make([]byte, 10)}, OOB: ipv4.NewControlMessage(ipv4.FlagTTL)}
		}
		n, err := q.ReadBatch(in, 0)
		must(t, err)
		for _, m := range in[:n] {
			if m.N != 1 || m.Buffers[0][0] != byte(received) || m.NN == 0 {
				t.Errorf("%d came as %v", received, m)
			}
			received++
		}
	}
}

// The same options of IPv6.
func TestIPv6(t *testing.T) {
	testutil.NeedIPv6(t)
	for _, side := range packetSides {
		t.Run(side.name, func(t *testing.T) {
			testutil.NoLeaks(t)
			loopback := net.UDPAddr{IP: net.IPv6loopback}
			a, b := side.listen(t, loopback), side.listen(t, loopback)
			defer a.Close()
			defer b.Close()
			p, q := ipv6.NewPacketConn(a), ipv6.NewPacketConn(b)
			must(t, p.SetHopLimit(7))
			must(t, q.SetControlMessage(ipv6.FlagHopLimit|ipv6.FlagDst, true))
			_, err := p.WriteTo([]byte("one"), nil, b.LocalAddr())
			must(t, err)
			buf := make([]byte, 100)
			one := []ipv6.Message{{Buffers: [][]byte{buf}, OOB: ipv6.NewControlMessage(ipv6.FlagHopLimit | ipv6.FlagDst)}}
			_, err = q.ReadBatch(one, 0)
			must(t, err)
			cm := new(ipv6.ControlMessage)
			must(t, cm.Parse(one[0].OOB[:one[0].NN]))
			if string(buf[:one[0].N]) != "one" || cm.HopLimit != 7 || !cm.Dst.Equal(net.IPv6loopback) {
				t.Errorf("%q with %v", buf[:one[0].N], cm)
			}
		})
	}
}

// TTL of a TCP connection.
func TestIPv4Conn(t *testing.T) {
	bothWays(t, func(t *testing.T, server, client side) {
		a, b, stop, err := connected(server.listen(t), client.dial)
		must(t, err)
		defer stop()
		for _, conn := range []net.Conn{a, b} {
			c := ipv4.NewConn(conn)
			must(t, c.SetTTL(9))
			if ttl, err := c.TTL(); ttl != 9 || err != nil {
				t.Errorf("TTL %d, %v", ttl, err)
			}
		}
	})
}

// A connection of quic-go, with all that it makes use of if it can, and without a warning,
// except of what the system allows to nobody here.
func TestQUIC(t *testing.T) {
	for _, side := range packetSides {
		t.Run(side.name, func(t *testing.T) {
			testutil.NoLeaks(t)
			var warnings bytes.Buffer
			log.SetOutput(&warnings)
			defer log.SetOutput(os.Stderr)
			talkQUIC(t, side.listen)
			if said := warnings.String(); said != "" && !strings.Contains(said, "failed to sufficiently increase") {
				t.Errorf("it warns: %s", said)
			}
		})
	}
}

func talkQUIC(t *testing.T, listen func(t *testing.T, addr net.UDPAddr) net.PacketConn) {
	t.Helper()
	const size = 4 << 20
	certificate, roots := testutil.Certificate(t, "localhost")
	here, there := listen(t, loopback4), listen(t, loopback4)
	client, server := &quic.Transport{Conn: here}, &quic.Transport{Conn: there}
	defer func() {
		for _, c := range []io.Closer{client, server, here, there} {
			must(t, c.Close())
		}
	}()
	if _, ok := here.(quic.OOBCapablePacketConn); !ok {
		t.Errorf("%T cannot be used with ancillary data", here)
	}
	l, err := server.Listen(&tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"echo"}}, nil)
	must(t, err)
	defer l.Close()
	echoed := make(chan error, 1)
	go func() {
		conn, err := l.Accept(t.Context())
		if err != nil {
			echoed <- err
			return
		}
		stream, err := conn.AcceptStream(t.Context())
		if err == nil {
			_, err = io.Copy(stream, stream)
		}
		if err == nil {
			err = stream.Close()
		}
		echoed <- err
	}()
	conn, err := client.Dial(t.Context(), there.LocalAddr(), &tls.Config{RootCAs: roots, ServerName: "localhost", NextProtos: []string{"echo"}}, nil)
	must(t, err)
	stream, err := conn.OpenStreamSync(t.Context())
	must(t, err)
	data := testutil.Pattern(3, size)
	go func() {
		_, _ = stream.Write(data)
		_ = stream.Close()
	}()
	got, err := io.ReadAll(stream)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	must(t, testutil.Receive(t, "echo", echoed))
	must(t, conn.CloseWithError(0, ""))
}
