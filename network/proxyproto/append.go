package proxyproto

import (
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"net"
	"net/netip"
)

var _ encoding.BinaryAppender = Header{}

// AppendBinary appends the encoded header to buf and returns the extended buffer. A proxy sends the
// header before all other data on the connection that it has opened for its client, best in the
// same SendAll.
//
// A TLV of type [Checksum] makes the header carry its checksum, and one of type [Padding] adds as
// many padding bytes as its value has. If the version cannot express the addresses, or there are
// TLVs in version 1 or in a Local header, AppendBinary returns buf unchanged and an error. It
// implements [encoding.BinaryAppender].
func (h Header) AppendBinary(buf []byte) ([]byte, error) {
	from := len(buf)
	var err error
	switch {
	case h.Version < 0 || h.Version > 2:
		err = fmt.Errorf("unknown version %d", h.Version)
	case len(h.TLVs) > 0 && (h.Version == 1 || h.Local):
		err = errors.New("TLVs are for version 2, and not for a Local header")
	case h.Version == 1:
		buf, err = h.appendLine(buf)
	default:
		buf, err = h.appendBlock(buf)
	}
	if err != nil {
		return buf[:from], fmt.Errorf("curio/network/proxyproto: %w", err)
	}
	return buf, nil
}

func (h Header) appendLine(buf []byte) ([]byte, error) {
	if h.Local {
		return append(buf, "PROXY UNKNOWN\r\n"...), nil
	}
	from, to, err := h.inetAddrs()
	if err != nil {
		return buf, err
	}
	protocol := "TCP4"
	if from.Addr().Is6() {
		protocol = "TCP6"
	}
	return fmt.Appendf(buf, "PROXY %s %s %s %d %d\r\n",
		protocol, lineText(from.Addr()), lineText(to.Addr()), from.Port(), to.Port()), nil
}

// lineText is addr without dots, if it is of IPv6.
func lineText(addr netip.Addr) string {
	if !addr.Is4In6() {
		return addr.String()
	}
	b := addr.As16()
	return fmt.Sprintf("::ffff:%x:%x", binary.BigEndian.Uint16(b[12:]), binary.BigEndian.Uint16(b[14:]))
}

// inetAddrs is the addresses, both of the same family. It is of IPv4 if both are, mapped
// or not.
func (h Header) inetAddrs() (from, to netip.AddrPort, err error) {
	if from, err = inetAddr("Source", h.Source); err != nil {
		return from, to, err
	}
	if to, err = inetAddr("Destination", h.Destination); err != nil {
		return from, to, err
	}
	if from.Addr().Is4() != to.Addr().Is4() {
		from = netip.AddrPortFrom(netip.AddrFrom16(from.Addr().As16()), from.Port())
		to = netip.AddrPortFrom(netip.AddrFrom16(to.Addr().As16()), to.Port())
	}
	return from, to, nil
}

func inetAddr(what string, addr net.Addr) (netip.AddrPort, error) {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || tcp == nil {
		return netip.AddrPort{}, fmt.Errorf("%s is %v of type %T, not a *net.TCPAddr", what, addr, addr)
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("") // a zone means nothing elsewhere
	if !ip.IsValid() || tcp.Port < 0 || tcp.Port > math.MaxUint16 {
		return netip.AddrPort{}, fmt.Errorf("%s is %v, which is not an address", what, addr)
	}
	return netip.AddrPortFrom(ip, uint16(tcp.Port)), nil
}

func (h Header) appendBlock(buf []byte) ([]byte, error) {
	at := len(buf)
	buf = append(buf, signature2...)
	if h.Local {
		return append(buf, version2|commandLocal, familyUnspec, 0, 0), nil
	}
	buf = append(buf, version2|commandProxy, 0, 0, 0)
	family, err := byte(familyUnix), error(nil)
	if from, ok := h.Source.(*net.UnixAddr); ok {
		to, _ := h.Destination.(*net.UnixAddr)
		buf, err = appendUnix(buf, from, to)
	} else {
		family, buf, err = h.appendInet(buf)
	}
	if err != nil {
		return buf, err
	}
	sum := 0
	for _, tlv := range h.TLVs {
		value := tlv.Value
		if tlv.Type == Checksum {
			value = make([]byte, crc32.Size)
		}
		if len(value) > math.MaxUint16 {
			return buf, fmt.Errorf("%d bytes are too many for a TLV", len(value))
		}
		buf = binary.BigEndian.AppendUint16(append(buf, tlv.Type), uint16(len(value)))
		if tlv.Type == Checksum {
			if sum != 0 {
				return buf, errors.New("two checksums")
			}
			sum = len(buf)
		}
		buf = append(buf, value...)
	}
	n := len(buf) - at - fixedPart
	if n > math.MaxUint16 {
		return buf, fmt.Errorf("%d bytes are too many for a header", n)
	}
	buf[at+fixedPart-3] = family<<4 | protocolStream
	binary.BigEndian.PutUint16(buf[at+fixedPart-2:], uint16(n))
	if sum != 0 {
		binary.BigEndian.PutUint32(buf[sum:], crc32.Checksum(buf[at:], castagnoli))
	}
	return buf, nil
}

func (h Header) appendInet(buf []byte) (family byte, _ []byte, err error) {
	from, to, err := h.inetAddrs()
	if err != nil {
		return 0, buf, err
	}
	family = familyInet
	if from.Addr().Is6() {
		family = familyInet6
	}
	buf = append(buf, from.Addr().AsSlice()...)
	buf = append(buf, to.Addr().AsSlice()...)
	buf = binary.BigEndian.AppendUint16(buf, from.Port())
	return family, binary.BigEndian.AppendUint16(buf, to.Port()), nil
}

func appendUnix(buf []byte, from, to *net.UnixAddr) ([]byte, error) {
	if from == nil || to == nil {
		return buf, errors.New("the addresses are not both *net.UnixAddr")
	}
	for _, addr := range []*net.UnixAddr{from, to} {
		if len(addr.Name) > unixPath {
			return buf, fmt.Errorf("%q is longer than %d bytes", addr.Name, unixPath)
		}
		var path [unixPath]byte
		copy(path[:], addr.Name)
		if path[0] == '@' {
			path[0] = 0
		}
		buf = append(buf, path[:]...)
	}
	return buf, nil
}
