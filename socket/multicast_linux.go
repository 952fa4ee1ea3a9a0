package socket

import (
	"encoding/binary"
	"math/bits"
)

// groupOffset is where the address stands in a struct group_req: it is aligned as a
// pointer is.
const groupOffset = bits.UintSize / 8

// putFamily begins a struct sockaddr.
func putFamily(b []byte, family, _ int) { binary.NativeEndian.PutUint16(b, uint16(family)) }
