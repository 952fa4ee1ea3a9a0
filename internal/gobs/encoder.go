package gobs

import (
	"bytes"
	"encoding/gob"
)

// An Encoder turns values into messages for a Decoder at the other end of a connection. The zero value
// is ready. It must not be copied, nor used by several goroutines at once.
type Encoder struct {
	buf bytes.Buffer
	gob *gob.Encoder
}

// Encode returns v as a message, which is valid until the next call. If v is a pointer, what it points at
// is sent: pass the address of a variable to send a value of an interface type, or a pointer that may be
// nil. The type of v must be one that Check accepts.
func (e *Encoder) Encode(v any) ([]byte, error) {
	e.buf.Reset()
	if e.gob == nil {
		e.gob = gob.NewEncoder(&e.buf)
		e.buf.WriteByte(flagAnew)
	} else {
		e.buf.WriteByte(0)
	}
	if err := e.gob.Encode(v); err != nil {
		e.Reset()
		return nil, err
	}
	return e.buf.Bytes(), nil
}

// Reset makes the table of types begin anew with the next message. Call it if a message was not sent.
func (e *Encoder) Reset() { e.gob = nil }
