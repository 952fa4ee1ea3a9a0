package proxyproto_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/curio-go/curio/network/proxyproto"
)

const signature = "\r\n\r\n\x00\r\nQUIT\n"

// binaryHeader is a header of version 2 with the length of its block.
func binaryHeader(command, family byte, block string) string {
	head := append([]byte(signature), command, family)
	return string(binary.BigEndian.AppendUint16(head, uint16(len(block)))) + block
}

func tlvOf(typ byte, value string) string {
	return string(binary.BigEndian.AppendUint16([]byte{typ}, uint16(len(value)))) + value
}

// withChecksum fills in the checksum of a header that ends with its TLV.
func withChecksum(header string) string {
	b := []byte(header)
	sum := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(b[len(b)-4:], sum)
	return string(b)
}

func tcpAt(ip string, port int) net.Addr {
	addr := net.ParseIP(ip)
	if ip4 := addr.To4(); ip4 != nil {
		addr = ip4
	}
	return &net.TCPAddr{IP: addr, Port: port}
}

func unixAt(name string) net.Addr { return &net.UnixAddr{Name: name, Net: "unix"} }

func paddedPath(path string) string { return path + strings.Repeat("\x00", 108-len(path)) }

const (
	inet4 = "\x01\x02\x03\x04\x7f\x00\x00\x01\x12\x34\x00\x50" // 1.2.3.4:4660 -> 127.0.0.1:80
	inet6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xff\xff\x00\x00"
	mapped6 = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04" +
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x7f\x00\x00\x01\x12\x34\x00\x50"
)

// A goodHeader is bytes and what they mean. same: the header is written just so.
type goodHeader struct {
	name   string
	data   string
	header proxyproto.Header
	same   bool
}

var (
	local1 = proxyproto.Header{Version: 1, Local: true}
	local2 = proxyproto.Header{Version: 2, Local: true}
)

func between(version int, from, to net.Addr, tlvs ...proxyproto.TLV) proxyproto.Header {
	return proxyproto.Header{Version: version, Source: from, Destination: to, TLVs: tlvs}
}

func from4to4(version int, tlvs ...proxyproto.TLV) proxyproto.Header {
	return between(version, tcpAt("1.2.3.4", 0x1234), tcpAt("127.0.0.1", 80), tlvs...)
}

var goodHeaders = []goodHeader{
	{"TCP4", "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", between(1, tcpAt("192.168.0.1", 56324), tcpAt("192.168.0.11", 443)), true},
	{"TCP4 longest", "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", between(1, tcpAt("255.255.255.255", 65535), tcpAt("255.255.255.255", 65535)), true},
	{"TCP4 shortest", "PROXY TCP4 0.0.0.0 1.1.1.1 0 0\r\n", between(1, tcpAt("0.0.0.0", 0), tcpAt("1.1.1.1", 0)), true},
	{"TCP6", "PROXY TCP6 2001:db8::1 ::1 1 2\r\n", between(1, tcpAt("2001:db8::1", 1), tcpAt("::1", 2)), true},
	{
		"TCP6 longest", "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe 65535 65535\r\n",
		between(1, tcpAt("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535), tcpAt("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", 65535)), true,
	},
	{"TCP6 upper case and zeros", "PROXY TCP6 2001:0DB8:0:0:0:0:0:0001 ::1 1 2\r\n", between(1, tcpAt("2001:db8::1", 1), tcpAt("::1", 2)), false},
	{"TCP6 mapped", "PROXY TCP6 ::ffff:102:304 ::ffff:7f00:1 4660 80\r\n", from4to4(1), false},
	{"TCP6 mapped and dotted", "PROXY TCP6 ::ffff:1.2.3.4 ::ffff:127.0.0.1 4660 80\r\n", from4to4(1), false},
	{"TCP6 one mapped", "PROXY TCP6 ::ffff:102:304 ::1 1 2\r\n", between(1, tcpAt("1.2.3.4", 1), tcpAt("::1", 2)), true},
	{"UNKNOWN", "PROXY UNKNOWN\r\n", local1, true},
	{"UNKNOWN longest", "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", local1, false},
	{"UNKNOWN and nonsense", "PROXY UNKNOWN  \r \n\x00\xff\r\n", local1, false},

	{"LOCAL", binaryHeader(0x20, 0, ""), local2, true},
	{"LOCAL with a block", binaryHeader(0x20, 0x11, inet4), local2, false},
	{"LOCAL of an unknown family with nonsense", binaryHeader(0x20, 0xff, "nonsense"), local2, false},
	{"UNSPEC", binaryHeader(0x21, 0, ""), local2, false},
	{"UNSPEC with nonsense", binaryHeader(0x21, 0, "nonsense"), local2, false},
	{"unspecified family of a stream", binaryHeader(0x21, 0x01, inet4), local2, false},
	{"unspecified protocol of IPv4", binaryHeader(0x21, 0x10, inet4), local2, false},
	{"UDP over IPv4", binaryHeader(0x21, 0x12, inet4), local2, false},
	{"UDP over IPv6", binaryHeader(0x21, 0x22, inet6), local2, false},
	{"Unix datagram", binaryHeader(0x21, 0x32, strings.Repeat("x", 216)), local2, false},
	{"TCP over IPv4", binaryHeader(0x21, 0x11, inet4), from4to4(2), true},
	{"TCP over IPv6", binaryHeader(0x21, 0x21, inet6), between(2, tcpAt("2001:db8::1", 65535), tcpAt("::1", 0)), true},
	{"TCP over IPv6 mapped", binaryHeader(0x21, 0x21, mapped6), from4to4(2), false},
	{"Unix", binaryHeader(0x21, 0x31, paddedPath("/tmp/a")+paddedPath("/run/b")), between(2, unixAt("/tmp/a"), unixAt("/run/b")), true},
	{"Unix unnamed", binaryHeader(0x21, 0x31, paddedPath("")+paddedPath("/run/b")), between(2, unixAt(""), unixAt("/run/b")), true},
	{"Unix abstract", binaryHeader(0x21, 0x31, paddedPath("\x00a\x00b")+paddedPath("\x00c")), between(2, unixAt("@a\x00b"), unixAt("@c")), true},
	{
		"Unix longest", binaryHeader(0x21, 0x31, strings.Repeat("x", 108)+"\x00"+strings.Repeat("y", 107)),
		between(2, unixAt(strings.Repeat("x", 108)), unixAt("@"+strings.Repeat("y", 107))), true,
	},
	{"Unix with something after the path", binaryHeader(0x21, 0x31, "/a\x00b"+paddedPath("")[4:]+paddedPath("@")), between(2, unixAt("/a"), unixAt("")), false},
	{
		"TLVs", binaryHeader(0x21, 0x11, inet4+tlvOf(0x01, "h2")+tlvOf(0x02, "example.org")+tlvOf(0xe0, "")),
		from4to4(2, proxyproto.TLV{proxyproto.ALPN, []byte("h2")}, proxyproto.TLV{proxyproto.Authority, []byte("example.org")}, proxyproto.TLV{0xe0, []byte{}}), true,
	},
	{
		"padding and a checksum", withChecksum(binaryHeader(0x21, 0x11, inet4+tlvOf(4, "nothing")+tlvOf(5, "id")+tlvOf(3, "\x00\x00\x00\x00"))),
		from4to4(2, proxyproto.TLV{proxyproto.UniqueID, []byte("id")}), false,
	},
}

func TestParse(t *testing.T) {
	for _, test := range goodHeaders {
		t.Run(test.name, func(t *testing.T) {
			for _, after := range []string{"", "\r\n", "GET / HTTP/1.1\r\n", test.data} {
				header, n, err := proxyproto.Parse([]byte(test.data + after))
				if err != nil || n != len(test.data) || !reflect.DeepEqual(*header, test.header) {
					t.Errorf("before %q: %+v, %d, %v", after, header, n, err)
				}
			}
			// As long as it is not complete, more is needed, and that is all.
			for end := range len(test.data) {
				header, n, err := proxyproto.Parse([]byte(test.data[:end]))
				if header != nil || n <= end || n > len(test.data) || err != io.ErrUnexpectedEOF {
					t.Errorf("after %d of %d bytes: %v, %d, %v", end, len(test.data), header, n, err)
				}
			}
			data, err := test.header.AppendBinary([]byte("before "))
			data, ok := bytes.CutPrefix(data, []byte("before "))
			if err != nil || !ok || test.same && string(data) != test.data {
				t.Errorf("it is written as %q, %v", data, err)
			}
			if header, n, err := proxyproto.Parse(data); err != nil || n != len(data) || !reflect.DeepEqual(*header, test.header) {
				t.Errorf("written as %q, it is read as %+v, %d, %v", data, header, n, err)
			}
		})
	}
}

var badHeaders = []struct{ name, data, says string }{
	{"another protocol", "GET / HTTP/1.1\r\n", `there is none, but "GET / HTTP/1"`},
	{"TLS", "\x16\x03\x01\x02\x00", `"\x16`},
	{"lower case", "proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n", "there is none"},
	{"no space", "PROXYTCP4", "there is none"},
	{"the other signature cut short", "\r\n\r\n\x00\r\nQUIX", "there is none"},
	{"TCP5", "PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n", "unknown protocol"},
	{"nothing", "PROXY \r\n", "unknown protocol"},
	{"two spaces at first", "PROXY  TCP4 1.1.1.1 2.2.2.2 1 2\r\n", "unknown protocol"},
	{"a tab", "PROXY TCP4\t1.1.1.1 2.2.2.2 1 2\r\n", "unknown protocol"},
	{"UNKNOWN and more in one word", "PROXY UNKNOWNS\r\n", "unknown protocol"},
	{"two spaces", "PROXY TCP4 1.1.1.1  2.2.2.2 1 2\r\n", "fields"},
	{"a space at the end", "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n", "5 fields"},
	{"no ports", "PROXY TCP4 1.1.1.1 2.2.2.2\r\n", "2 fields"},
	{"no addresses", "PROXY TCP4\r\n", "0 fields"},
	{"leading zero in an address", "PROXY TCP4 1.1.1.01 2.2.2.2 1 2\r\n", "bad address"},
	{"three numbers", "PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n", "bad address"},
	{"256", "PROXY TCP4 1.1.1.1 2.2.2.256 1 2\r\n", "bad address"},
	{"hexadecimal", "PROXY TCP4 0x1.1.1.1 2.2.2.2 1 2\r\n", "bad address"},
	{"a name", "PROXY TCP4 localhost 2.2.2.2 1 2\r\n", "bad address"},
	{"IPv6 in TCP4", "PROXY TCP4 ::1 2.2.2.2 1 2\r\n", "bad address"},
	{"mapped in TCP4", "PROXY TCP4 ::ffff:1.2.3.4 2.2.2.2 1 2\r\n", "bad address"},
	{"IPv4 in TCP6", "PROXY TCP6 1.1.1.1 ::1 1 2\r\n", "bad address"},
	{"dotted and not mapped", "PROXY TCP6 1::1.2.3.4 ::1 1 2\r\n", "bad address"},
	{"a zone", "PROXY TCP6 fe80::1%lo ::1 1 2\r\n", "bad address"},
	{"brackets", "PROXY TCP6 [::1] ::1 1 2\r\n", "bad address"},
	{"five digits", "PROXY TCP6 00001::1 ::1 1 2\r\n", "bad address"},
	{"two gaps", "PROXY TCP6 1::2::3 ::1 1 2\r\n", "bad address"},
	{"leading zero in a port", "PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n", "bad port"},
	{"two zeros as a port", "PROXY TCP4 1.1.1.1 2.2.2.2 1 00\r\n", "bad port"},
	{"port 65536", "PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n", "bad port"},
	{"a sign", "PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n", "bad port"},
	{"an empty port", "PROXY TCP4 1.1.1.1 2.2.2.2 1 \r\n", "bad port"},
	{"no CR", "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\nGET / HTTP/1.1\r\n", ""},
	{"no LF", "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\rGET / HTTP/1.1\r\n", ""},
	{"no end", "PROXY UNKNOWN " + strings.Repeat("x", 93), "no end of the line within 107 bytes"},
	{"an end too late", "PROXY UNKNOWN " + strings.Repeat("x", 92) + "\r\n", "no end of the line within 107 bytes"},

	{"version 1 in binary", signature + "\x11", "unknown version or command 0x11"},
	{"version 3", signature + "\x31", "unknown version"},
	{"command 2", signature + "\x22", "unknown version or command 0x22"},
	{"family 4", signature + "\x21\x41", "unknown family or protocol 0x41"},
	{"protocol 3", signature + "\x21\x13", "unknown family or protocol 0x13"},
	{"IPv4 too short", binaryHeader(0x21, 0x11, inet4[1:]), "11 bytes are too few"},
	{"IPv6 too short", binaryHeader(0x21, 0x21, inet6[1:]), "35 bytes are too few"},
	{"Unix too short", binaryHeader(0x21, 0x31, paddedPath("a")+paddedPath("b")[1:]), "215 bytes are too few"},
	{"no addresses at all", binaryHeader(0x21, 0x11, ""), "0 bytes are too few"},
	{"half a TLV", binaryHeader(0x21, 0x11, inet4+"\x01\x00"), "2 bytes after the last TLV"},
	{"a TLV too long", binaryHeader(0x21, 0x11, inet4+"\x01\x00\x03h2"), "has 3 bytes, of which 2 are there"},
	{"a short checksum", binaryHeader(0x21, 0x11, inet4+tlvOf(3, "\x00\x00\x00")), "a checksum of 3 bytes"},
	{"a wrong checksum", binaryHeader(0x21, 0x11, inet4+tlvOf(3, "\x00\x00\x00\x00")), "its checksum is 0x"},
	{"a checksum of something else", withChecksum(binaryHeader(0x21, 0x11, inet4+tlvOf(3, "\x00\x00\x00\x00")))[:16] + "\x02" + inet4[1:] + tlvOf(3, "abcd"), "its checksum"},
}

func TestParseBad(t *testing.T) {
	for _, test := range badHeaders {
		t.Run(test.name, func(t *testing.T) {
			header, n, err := proxyproto.Parse([]byte(test.data))
			if header != nil || n != 0 || !errors.Is(err, proxyproto.ErrHeader) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%+v, %d, %v", header, n, err)
			}
			if len(fmt.Sprint(err)) > 500 {
				t.Errorf("an error of %d bytes", len(fmt.Sprint(err)))
			}
			for end := range len(test.data) {
				if header, _, _ := proxyproto.Parse([]byte(test.data[:end])); header != nil {
					t.Errorf("after %d bytes it is %+v", end, header)
				}
			}
		})
	}
}

// What can be seen to be wrong is not waited for.
func TestParseBadAtOnce(t *testing.T) {
	for _, data := range []string{
		"G",
		"PROXY\t",
		"\r\n\r\n\x00\r\nQUIT ",
		signature + "\x02",
		signature + "\x21\x51",
		"PROXY TCP4 " + strings.Repeat("1", 96),
	} {
		if _, _, err := proxyproto.Parse([]byte(data)); !errors.Is(err, proxyproto.ErrHeader) {
			t.Errorf("%q: %v", data, err)
		}
		if _, _, err := proxyproto.Parse([]byte(data[:len(data)-1])); err != io.ErrUnexpectedEOF {
			t.Errorf("%q, one byte earlier: %v", data, err)
		}
	}
}

// How long a header of version 2 is can be told from its first 16 bytes, so that nobody has to
// receive one that is too long.
func TestLengthIsKnownEarly(t *testing.T) {
	whole := binaryHeader(0x21, 0x11, inet4+tlvOf(0xe0, strings.Repeat("x", 0xffff-len(inet4)-3)))
	for _, end := range []int{16, 17, len(whole) - 1} {
		if _, n, err := proxyproto.Parse([]byte(whole[:end])); n != 16+0xffff || err != io.ErrUnexpectedEOF {
			t.Errorf("after %d bytes: %d, %v", end, n, err)
		}
	}
	if header, n, err := proxyproto.Parse([]byte(whole)); header == nil || n != len(whole) || err != nil {
		t.Errorf("the longest header: %d of %d, %v", n, len(whole), err)
	}
}

// A header keeps nothing of the bytes that it was parsed from: they are the caller's again.
func TestParsedIsApart(t *testing.T) {
	data := []byte(binaryHeader(0x21, 0x31, paddedPath("/a")+paddedPath("/b")+tlvOf(0xe0, "text")))
	header, _, err := proxyproto.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	if want := between(2, unixAt("/a"), unixAt("/b"), proxyproto.TLV{0xe0, []byte("text")}); !reflect.DeepEqual(*header, want) {
		t.Errorf("%+v", header)
	}
}

// FuzzParse: whatever comes, Parse does not panic, does not change it, says the same of the
// whole as of what comes byte by byte, and what it returns is formatted as what it would
// return again.
func FuzzParse(f *testing.F) {
	for _, test := range goodHeaders {
		f.Add([]byte(test.data + "rest"))
	}
	for _, test := range badHeaders {
		f.Add([]byte(test.data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		data = data[:min(len(data), 600)] // each of its beginnings is parsed
		given := slices.Clone(data)
		header, n, err := proxyproto.Parse(data)
		if !bytes.Equal(data, given) {
			t.Fatalf("it has changed %q to %q", given, data)
		}
		if !consistent(data, header, n, err) {
			t.Fatalf("%+v, %d, %v", header, n, err)
		}
		for end := range data {
			part, size, partErr := proxyproto.Parse(data[:end])
			switch {
			case !consistent(data[:end], part, size, partErr):
				t.Fatalf("after %d bytes: %+v, %d, %v", end, part, size, partErr)
			case partErr == io.ErrUnexpectedEOF:
				if err == nil && size > n {
					t.Fatalf("after %d bytes it has %d; after all: %d", end, size, n)
				}
			case partErr != nil:
				if !errors.Is(err, proxyproto.ErrHeader) {
					t.Fatalf("after %d bytes: %v; after all: %+v, %v", end, partErr, header, err)
				}
				return
			default:
				if size != n || !reflect.DeepEqual(part, header) {
					t.Fatalf("after %d bytes: %+v, %d; after all: %+v, %d, %v", end, part, size, header, n, err)
				}
			}
		}
		if header == nil {
			return
		}
		written, err := header.AppendBinary(nil)
		if err != nil {
			t.Fatalf("%+v cannot be written: %v", header, err)
		}
		again, size, err := proxyproto.Parse(written)
		if err != nil || size != len(written) || !reflect.DeepEqual(again, header) {
			t.Fatalf("%+v, written as %q, is %+v, %d, %v", header, written, again, size, err)
		}
	})
}

// consistent reports whether what Parse has returned for data is one of three: a header within
// data, a want of more, or a mistake that can be told in a few words.
func consistent(data []byte, header *proxyproto.Header, n int, err error) bool {
	switch {
	case err == nil:
		return header != nil && 0 < n && n <= len(data)
	case err == io.ErrUnexpectedEOF:
		return header == nil && n > len(data)
	}
	return header == nil && n == 0 && errors.Is(err, proxyproto.ErrHeader) && len(err.Error()) <= 500
}
