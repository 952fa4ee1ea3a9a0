package proxyproto

import "encoding/binary"

// A TLV is a further piece of information in a [Header], with a type and a value.
type TLV struct {
	Type  byte   // one of the constants, such as Authority, or another type
	Value []byte // at most 65535 bytes
}

// Types of a [TLV]. Types from 0xe0 to 0xef are for private use between a proxy and a server.
const (
	ALPN      = 0x01 // the application protocol that TLS negotiated
	Authority = 0x02 // the host name that the client asked for; with TLS, its SNI
	Checksum  = 0x03 // CRC32c of the header; AppendBinary computes the value
	Padding   = 0x04 // ignored
	UniqueID  = 0x05 // identifies the connection
	TLS       = 0x20 // the client's use of TLS; see TLVs.TLS
	Netns     = 0x30 // the name of the network namespace
)

// Types of the TLVs in a [TLSInfo], all about the TLS connection between client and proxy.
const (
	TLSVersion    = 0x21 // such as "TLSv1.3"
	TLSCommonName = 0x22 // the common name in the client's certificate
	TLSCipher     = 0x23 // the name of the cipher
	TLSSignature  = 0x24 // the signature algorithm of the proxy's certificate
	TLSKey        = 0x25 // the key algorithm of the proxy's certificate
)

// TLVs holds the TLVs of a header in their order.
type TLVs []TLV

// Get returns the value of the first TLV of type typ. ok is false if there is none.
func (t TLVs) Get(typ byte) (value []byte, ok bool) {
	for _, tlv := range t {
		if tlv.Type == typ {
			return tlv.Value, true
		}
	}
	return nil, false
}

// A TLSInfo describes the TLS connection between a client and its proxy.
type TLSInfo struct {
	// TLS means that the client uses TLS, Certificate that it has presented a certificate, on this
	// connection or earlier in its TLS session, and Verified that the certificate was valid.
	TLS, Certificate, Verified bool

	// TLVs holds TLVs of the types from TLSVersion on.
	TLVs TLVs
}

// TLS returns the contents of the TLV of type [TLS]. ok is false if there is none or it is
// malformed.
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
