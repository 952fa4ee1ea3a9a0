package socket_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A nameServer answers the resolver's questions until the test ends, so that nobody
// asks the network's.
type nameServer struct {
	conn    net.PacketConn
	records map[string]record
	asked   chan string // names that were asked for; more than it takes are dropped

	// Resolver asks this server and nobody else.
	Resolver *net.Resolver
}

// A record is what is known of a name; the zero value is a name without an address.
type record struct {
	addrs  []string
	alias  string   // of which other name it is one
	names  []string // of the address that the name stands for, see reverse
	silent bool     // it is never answered for
}

// useNames makes records be all that there is, apart from what is in /etc/hosts.
func useNames(t testing.TB, records map[string]record) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(t, err)
	s := &nameServer{conn: conn, records: records, asked: make(chan string, 100)}
	var serving sync.WaitGroup
	serving.Go(s.serve)
	s.Resolver = &net.Resolver{PreferGo: true, Dial: s.dial}
	before := net.DefaultResolver
	net.DefaultResolver = s.Resolver
	t.Cleanup(func() {
		net.DefaultResolver = before
		conn.Close()
		serving.Wait()
	})
	return s
}

func (s *nameServer) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	d := net.Dialer{Resolver: new(net.Resolver)} // and not the default one, which the test puts back
	question, err := d.DialContext(ctx, "udp", s.conn.LocalAddr().String())
	if err == nil {
		// Left alone, a question whose asker has gone stays open for five seconds.
		// That is the resolver's way and not ours.
		context.AfterFunc(ctx, func() { question.Close() })
	}
	return question, err
}

// reverse is the name under which the names of an address are.
func reverse(addr string) string {
	var labels []string
	for _, b := range netip.MustParseAddr(addr).As4() {
		labels = append([]string{strconv.Itoa(int(b))}, labels...)
	}
	return strings.Join(labels, ".") + ".in-addr.arpa"
}

// Values of RFC 1035.
const (
	headerSize = 12
	typeA      = 1
	typeCNAME  = 5
	typePTR    = 12
	typeAAAA   = 28
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
		if !s.records[name].silent {
			_, _ = s.conn.WriteTo(s.reply(packet[:2], question, name, kind), from)
		}
	}
}

// parseQuestion returns the name asked for, the type of record, and all of the question as
// it stands in the packet.
func parseQuestion(packet []byte) (name string, kind int, question []byte) {
	var labels []string
	at := headerSize
	for packet[at] != 0 {
		length := int(packet[at])
		labels = append(labels, string(packet[at+1:at+1+length]))
		at += 1 + length
	}
	at++
	return strings.Join(labels, "."), int(binary.BigEndian.Uint16(packet[at:])), packet[headerSize : at+4]
}

func (s *nameServer) reply(id, question []byte, name string, kind int) []byte {
	const authoritative, noName = 0x8580, 0x8583
	found, known := s.records[name]
	flags, count := uint16(authoritative), uint16(0)
	if !known {
		flags = noName
	}
	var answers []byte
	add := func(owner []byte, kind int, data []byte) {
		count++
		answers = append(answers, owner...)
		answers = binary.BigEndian.AppendUint16(answers, uint16(kind))
		answers = append(answers, 0, 1, 0, 0, 0, 60) // class IN, for a minute
		answers = binary.BigEndian.AppendUint16(answers, uint16(len(data)))
		answers = append(answers, data...)
	}
	owner := wireName(name)
	if found.alias != "" {
		add(owner, typeCNAME, wireName(found.alias))
		owner, found = wireName(found.alias), s.records[found.alias]
	}
	for _, text := range found.addrs {
		a := netip.MustParseAddr(text)
		if a.Is4() && kind == typeA || a.Is6() && kind == typeAAAA {
			add(owner, kind, a.AsSlice())
		}
	}
	for _, other := range found.names {
		if kind == typePTR {
			add(owner, kind, wireName(other))
		}
	}
	packet := append([]byte{}, id...)
	for _, v := range []uint16{flags, 1, count, 0, 0} {
		packet = binary.BigEndian.AppendUint16(packet, v)
	}
	return append(append(packet, question...), answers...)
}

func wireName(name string) (b []byte) {
	for label := range strings.SplitSeq(name, ".") {
		b = append(append(b, byte(len(label))), label...)
	}
	return append(b, 0)
}
