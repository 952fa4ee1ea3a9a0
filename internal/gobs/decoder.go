package gobs

import (
	"bytes"
	"encoding/gob"
	"errors"
)

// A Decoder turns the messages of an Encoder into values. The zero value is ready. It must not be
// copied, nor used by several goroutines at once.
type Decoder struct {
	in  bytes.Reader
	gob *gob.Decoder
}

// Decode sets *into, which must be a pointer, to the value in msg: all of it or nothing.
func (d *Decoder) Decode(msg []byte, into any) error {
	if len(msg) == 0 {
		return errors.New("empty message")
	}
	if msg[0]&flagAnew != 0 {
		d.gob = gob.NewDecoder(&d.in)
	}
	if d.gob == nil {
		return errors.New("no table of types")
	}
	d.in.Reset(msg[1:])
	return d.gob.Decode(into)
}
