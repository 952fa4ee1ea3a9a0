package proxyproto

import "encoding/binary"

// A TLV is a further piece of information in a [Header]: type, length and value.
type TLV struct {
	Type  byte
	Value []byte
}

// Types of a [TLV]. Those from 0xe0 to 0xef are for whatever proxy and server have agreed
// upon.
const (
	ALPN      = 0x01 // the application's protocol, as TLS has negotiated it
	Authority = 0x02 // the name of the host that the client wants; with TLS, its SNI
	Checksum  = 0x03 // CRC32c of the header; AppendBinary fills in its value
	Padding   = 0x04 // nothing
	UniqueID  = 0x05 // names the connection
	TLS       = 0x20 // the client's TLS: see TLVs.TLS
	Netns     = 0x30 // the name of the network namespace
)

// Types of the TLVs in a [TLSInfo].
const (
	TLSVersion    = 0x21 // such as "TLSv1.3"
	TLSCommonName = 0x22 // of the client's certificate
	TLSCipher     = 0x23
	TLSSignature  = 0x24 // the algorithm that the proxy's certificate is signed with
	TLSKey        = 0x25 // the algorithm of the key in the proxy's certificate
)

// TLVs are the TLVs of a header, in its order.
type TLVs []TLV

// Get returns the value of the first TLV of a type. ok is false if there is none.
func (t TLVs) Get(typ byte) (value []byte, ok bool) {
	for _, tlv := range t {
		if tlv.Type == typ {
			return tlv.Value, true
		}
	}
	return nil, false
}

// A TLSInfo is what a proxy says of the TLS that its client speaks with it.
type TLSInfo struct {
	// TLS: the client speaks TLS. Certificate: it has shown a certificate, on this
	// connection or earlier in its TLS session. Verified: and that was a good one.
	TLS, Certificate, Verified bool

	// TLVs has the types from TLSVersion on.
	TLVs TLVs
}

// TLS returns what the TLV of type TLS says. ok is false if there is none, or one that makes
// no sense.
func (t TLVs) TLS() (info TLSInfo, ok bool) {
	value, ok := t.Get(TLS)
	if !ok || len(value) < 5 {
		return TLSInfo{}, false
	}
	inner, err := parseTLVs(value[5:])
	if err != nil {
		return TLSInfo{}, false
	}
	info.TLS = value[0]&1 != 0
	info.Certificate = value[0]&6 != 0
	info.Verified = info.Certificate && [4]byte(value[1:5]) == [4]byte{}
	info.TLVs = inner
	return info, true
}

// parseTLVs returns the TLVs that block is made of, and which keep it.
func parseTLVs(block []byte) (TLVs, error) {
	var tlvs TLVs
	for len(block) > 0 {
		if len(block) < 3 {
			return nil, badHeader("%d bytes after the last TLV", len(block))
		}
		n := int(binary.BigEndian.Uint16(block[1:]))
		if len(block)-3 < n {
			return nil, badHeader("a TLV of type %#02x has %d bytes, of which %d are there", block[0], n, len(block)-3)
		}
		tlvs = append(tlvs, TLV{Type: block[0], Value: block[3 : 3+n : 3+n]})
		block = block[3+n:]
	}
	return tlvs, nil
}
