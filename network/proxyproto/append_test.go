package proxyproto_test

import (
	"net"
	"strings"
	"testing"

	"github.com/curio-go/curio/network/proxyproto"
)

func TestAppendBinary(t *testing.T) {
	// The zero value of Version is the newest.
	header := from4to4(0, proxyproto.TLV{proxyproto.Padding, []byte("123")}, proxyproto.TLV{Type: proxyproto.Checksum})
	data, err := header.AppendBinary([]byte("before "))
	want := withChecksum(binaryHeader(0x21, 0x11, inet4+tlvOf(4, "123")+tlvOf(3, "\x00\x00\x00\x00")))
	if err != nil || string(data) != "before "+want {
		t.Errorf("%q, %v, want %q", data, err, want)
	}
	// As sockets have it: mapped addresses, zones, no name.
	from := &net.TCPAddr{IP: net.ParseIP("1.2.3.4"), Port: 4660}
	data, err = between(1, from, tcpAt("127.0.0.1", 80)).AppendBinary(nil)
	if err != nil || string(data) != "PROXY TCP4 1.2.3.4 127.0.0.1 4660 80\r\n" {
		t.Errorf("%q, %v", data, err)
	}
	local := &net.TCPAddr{IP: net.ParseIP("fe80::1"), Port: 1, Zone: "lo"}
	data, err = between(1, local, tcpAt("127.0.0.1", 80)).AppendBinary(nil)
	if err != nil || string(data) != "PROXY TCP6 fe80::1 ::ffff:7f00:1 1 80\r\n" {
		t.Errorf("%q, %v", data, err)
	}
	data, err = between(2, unixAt("@"), unixAt("/a")).AppendBinary(nil)
	if want := binaryHeader(0x21, 0x31, paddedPath("")+paddedPath("/a")); err != nil || string(data) != want {
		t.Errorf("%q, %v", data, err)
	}
}

func TestAppendBinaryRefuses(t *testing.T) {
	some := proxyproto.TLV{proxyproto.ALPN, []byte("h2")}
	local := local2
	local.TLVs = proxyproto.TLVs{some}
	large := proxyproto.TLV{0xe0, make([]byte, 40000)}
	for name, header := range map[string]proxyproto.Header{
		"unknown version":    from4to4(3),
		"unknown version -1": from4to4(-1),
		"TLVs 1":             from4to4(1, some),
		"TLVs LOCAL":         local,
		"addresses none":     {},
		"addresses one":      between(2, tcpAt("1.1.1.1", 1), nil),
		"addresses nil":      between(1, tcpAt("1.1.1.1", 1), (*net.TCPAddr)(nil)),
		"addresses mixed":    between(2, tcpAt("1.1.1.1", 1), unixAt("a")),
		"addresses mixed 2":  between(2, unixAt("a"), tcpAt("1.1.1.1", 1)),
		"addresses UDP":      between(2, &net.UDPAddr{IP: net.IPv4zero}, tcpAt("1.1.1.1", 1)),
		"addresses without":  between(2, &net.TCPAddr{}, tcpAt("1.1.1.1", 1)),
		"port":               between(2, &net.TCPAddr{IP: net.IPv4zero, Port: 65536}, tcpAt("1.1.1.1", 1)),
		"Unix in version 1":  between(1, unixAt("a"), unixAt("b")),
		"Unix too long":      between(2, unixAt(strings.Repeat("a", 109)), unixAt("b")),
		"TLV too long":       from4to4(2, proxyproto.TLV{0xe0, make([]byte, 65536)}),
		"too long":           from4to4(2, large, large),
		"two checksums":      from4to4(2, proxyproto.TLV{Type: proxyproto.Checksum}, proxyproto.TLV{Type: proxyproto.Checksum}),
	} {
		if data, err := header.AppendBinary([]byte("before")); err == nil || string(data) != "before" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}
