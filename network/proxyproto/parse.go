package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// shown is data for an error.
func shown(data []byte) string {
	const most = 32
	if len(data) > most {
		return strconv.Quote(string(data[:most])) + "..."
	}
	return strconv.Quote(string(data))
}

// Parse parses the header at the beginning of data. n is the header's length: data[n:] is the data
// after it. The header shares no memory with data.
//
// If data is only the beginning of a header, the error is [io.ErrUnexpectedEOF], unwrapped, and n
// is the minimum length of the header, which is more than len(data). Unless n is more than you
// accept, receive more and call Parse again with all the data. Parse reports an invalid header as
// soon as it can, without asking for the rest.
//
// Any other error wraps [ErrHeader], and n is then 0. A header and an ErrHeader are final: they do
// not depend on further data.
func Parse(data []byte) (header *Header, n int, err error) {
	switch {
	case begins(data, signature1):
		return parseLine(data)
	case begins(data, signature2):
		return parseBinary(data)
	}
	return nil, 0, badHeader("there is none, but %s", shown(data[:min(len(data), len(signature2))]))
}

// begins reports whether data begins with a signature, as far as it goes.
func begins(data []byte, signature string) bool {
	n := min(len(data), len(signature))
	return string(data[:n]) == signature[:n]
}

// parseLine is version 1.
func parseLine(data []byte) (*Header, int, error) {
	within := data[:min(len(data), maxLine)]
	end := bytes.Index(within, []byte("\r\n"))
	switch {
	case end >= 0:
	case len(data) < maxLine:
		return nil, len(data) + 1, io.ErrUnexpectedEOF
	default:
		return nil, 0, badHeader("no end of the line within %d bytes: %s", maxLine, shown(within))
	}
	header, err := lineHeader(string(data[len(signature1):end]))
	if err != nil {
		return nil, 0, badHeader("%v: %s", err, strconv.Quote(string(data[:end])))
	}
	return header, end + len("\r\n"), nil
}

// lineHeader parses what is between the signature and the end of the line.
func lineHeader(line string) (*Header, error) {
	fields := strings.Split(line, " ")
	header := &Header{Version: 1}
	switch fields[0] {
	case "UNKNOWN":
		header.Local = true
		return header, nil // whatever the other fields are
	case "TCP4", "TCP6":
	default:
		return nil, errors.New("unknown protocol")
	}
	if len(fields) != 5 {
		return nil, fmt.Errorf("%d fields after the protocol, not 4", len(fields)-1)
	}
	var addrs [2]net.Addr
	for i := range addrs {
		addr, err := lineAddr(fields[1+i], fields[0] == "TCP6")
		if err != nil {
			return nil, err
		}
		port, err := linePort(fields[3+i])
		if err != nil {
			return nil, err
		}
		addrs[i] = tcpAddr(addr, port)
	}
	header.Source, header.Destination = addrs[0], addrs[1]
	return header, nil
}

// lineAddr parses an address. ParseAddr is strict enough except for zones, and for IPv6 addresses
// that end in the form of IPv4. These are allowed, against the letter of the specification, where
// inet_ntop(3) of the proxy prints them: in IPv4 addresses that are mapped.
func lineAddr(text string, ipv6 bool) (netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	dotted := strings.Contains(text, ".")
	if err != nil || addr.Is6() != ipv6 || addr.Zone() != "" || ipv6 && dotted && !addr.Is4In6() {
		return netip.Addr{}, errors.New("bad address")
	}
	return addr, nil
}

func linePort(text string) (uint16, error) {
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || strconv.FormatUint(port, 10) != text { // leading zeros
		return 0, errors.New("bad port")
	}
	return uint16(port), nil
}

// tcpAddr makes an IPv4 address of one that is mapped, as package socket does.
func tcpAddr(addr netip.Addr, port uint16) net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr.Unmap(), port))
}

// parseBinary is version 2.
func parseBinary(data []byte) (*Header, int, error) {
	at := len(signature2)
	if len(data) > at && (data[at]&0xf0 != version2 || data[at]&0x0f > commandProxy) {
		return nil, 0, badHeader("unknown version or command %#02x", data[at])
	}
	local := len(data) > at && data[at]&0x0f == commandLocal
	if len(data) > at+1 && !local && (data[at+1]>>4 > familyUnix || data[at+1]&0x0f > protocolDgram) {
		return nil, 0, badHeader("unknown family or protocol %#02x", data[at+1])
	}
	if len(data) < fixedPart {
		return nil, fixedPart, io.ErrUnexpectedEOF
	}
	n := fixedPart + int(binary.BigEndian.Uint16(data[at+2:]))
	if len(data) < n {
		return nil, n, io.ErrUnexpectedEOF
	}
	header := &Header{Version: 2, Local: true}
	if local || data[at+1]>>4 == familyUnspec || data[at+1]&0x0f != protocolStream {
		// Not about a client, or one that does not speak in streams, for which the
		// specification has the same rule. The rest is to be ignored.
		return header, n, nil
	}
	header.Local = false
	if err := header.parseBlock(data[at+1]>>4, bytes.Clone(data[:n])); err != nil {
		return nil, 0, err
	}
	return header, n, nil
}

// parseBlock parses what follows the fixed part of whole, and keeps whole.
func (h *Header) parseBlock(family byte, whole []byte) error {
	block := whole[fixedPart:]
	size := map[byte]int{familyInet: 12, familyInet6: 36, familyUnix: 2 * unixPath}[family]
	if len(block) < size {
		return badHeader("%d bytes are too few for the addresses", len(block))
	}
	switch family {
	case familyInet:
		h.Source = tcpAddr(netip.AddrFrom4([4]byte(block[0:])), binary.BigEndian.Uint16(block[8:]))
		h.Destination = tcpAddr(netip.AddrFrom4([4]byte(block[4:])), binary.BigEndian.Uint16(block[10:]))
	case familyInet6:
		h.Source = tcpAddr(netip.AddrFrom16([16]byte(block[0:])), binary.BigEndian.Uint16(block[32:]))
		h.Destination = tcpAddr(netip.AddrFrom16([16]byte(block[16:])), binary.BigEndian.Uint16(block[34:]))
	case familyUnix:
		h.Source, h.Destination = unixAddr(block[:unixPath]), unixAddr(block[unixPath:2*unixPath])
	}
	tlvs, err := parseTLVs(block[size:])
	if err != nil {
		return err
	}
	for _, tlv := range tlvs {
		switch tlv.Type {
		case Padding:
		case Checksum:
			if err := verifyChecksum(whole, tlv.Value); err != nil {
				return err
			}
		default:
			h.TLVs = append(h.TLVs, tlv)
		}
	}
	return nil
}

// unixAddr is an address of the Unix domain: a path with zeros after it, or a zero byte
// and the name, of an abstract one, which package net writes with an "@".
func unixAddr(path []byte) net.Addr {
	name := ""
	if path[0] != 0 {
		before, _, _ := bytes.Cut(path, []byte{0})
		name = string(before)
	} else if abstract := bytes.TrimRight(path[1:], "\x00"); len(abstract) > 0 {
		name = "@" + string(abstract)
	}
	if name == "@" {
		name = "" // some write that for no name
	}
	return &net.UnixAddr{Name: name, Net: "unix"}
}

// verifyChecksum compares the checksum sum, which is a part of whole, with whole.
func verifyChecksum(whole, sum []byte) error {
	if len(sum) != crc32.Size {
		return badHeader("a checksum of %d bytes, and not %d", len(sum), crc32.Size)
	}
	said := binary.BigEndian.Uint32(sum)
	clear(sum) // it is of the header with zeros in its place
	actual := crc32.Checksum(whole, castagnoli)
	binary.BigEndian.PutUint32(sum, said) // for the case that there are two of them
	if said != actual {
		return badHeader("its checksum is %#08x, and it says %#08x", actual, said)
	}
	return nil
}
