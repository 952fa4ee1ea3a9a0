package network_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

// A nameServer answers the resolver's questions until the test ends, so that nobody
// asks the network's.
type nameServer struct {
	conn  net.PacketConn
	names map[string][]string // IPv4 addresses; a name with none is never answered for
	asked chan string         // names that were asked for; more than it takes are dropped
}

// useNames makes names be all that there are, apart from those in /etc/hosts.
func useNames(t testing.TB, names map[string][]string) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{conn, names, make(chan string, 100)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.serve()
	}()
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			d := net.Dialer{Resolver: new(net.Resolver)} // and not the default one, which the test puts back
			question, err := d.DialContext(ctx, "udp", conn.LocalAddr().String())
			if err == nil {
				// Left alone, a question whose asker has gone stays open for
				// five seconds. That is the resolver's way and not ours.
				context.AfterFunc(ctx, func() { question.Close() })
			}
			return question, err
		},
	}
	t.Cleanup(func() {
		net.DefaultResolver = before
		conn.Close()
		testutil.Receive(t, "end of the name server", done)
	})
	return s
}

// Offsets and values of RFC 1035.
const (
	headerSize   = 12
	flagsNoError = 0x8180
	flagsNoName  = 0x8183
	typeA        = 1
)

func (s *nameServer) serve() {
	packet := make([]byte, 1500)
	for {
		n, from, err := s.conn.ReadFrom(packet)
		if err != nil {
			return
		}
		name, kind, question := parseQuestion(packet[:n])
		select {
		case s.asked <- name:
		default:
		}
		ips, known := s.names[name]
		if known && len(ips) == 0 {
			continue
		}
		_, _ = s.conn.WriteTo(answer(packet[:2], question, kind, ips, known), from)
	}
}

// parseQuestion returns the name asked for, the type of record, and all of the
// question as it stands in the packet.
func parseQuestion(packet []byte) (name string, kind int, question []byte) {
	var labels []string
	at := headerSize
	for packet[at] != 0 {
		length := int(packet[at])
		labels = append(labels, string(packet[at+1:at+1+length]))
		at += 1 + length
	}
	at++
	return strings.Join(labels, "."), int(packet[at])<<8 | int(packet[at+1]), packet[headerSize : at+4]
}

func answer(id, question []byte, kind int, ips []string, known bool) []byte {
	flags := flagsNoError
	if !known {
		flags = flagsNoName
	}
	if kind != typeA {
		ips = nil
	}
	reply := append([]byte{}, id...)
	reply = append(reply, byte(flags>>8), byte(flags&0xff), 0, 1, 0, byte(len(ips)), 0, 0, 0, 0)
	reply = append(reply, question...)
	for _, ip := range ips {
		// A pointer to the name in the question, type A, class IN, a minute, four bytes.
		reply = append(reply, 0xc0, headerSize, 0, typeA, 0, 1, 0, 0, 0, 60, 0, 4)
		reply = append(reply, net.ParseIP(ip).To4()...)
	}
	return reply
}
