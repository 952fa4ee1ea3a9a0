package gobs

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode"
)

// A Decoder turns the messages of an Encoder into values. The zero value is ready. It must not be copied,
// nor used by several goroutines at once.
type Decoder struct {
	_     noCopy
	in    bytes.Reader
	gob   *gob.Decoder
	table *table // nil: the next message has to begin anew
}

var errLost = errors.New("the types are not known: an earlier message is missing, or could not be decoded")

// Decode sets *into, where into is a pointer, to the value in msg: all of it, and nothing is left of what
// was there, or if it fails nothing. It keeps nothing of msg.
//
// A hostile message is an error. The memory that it takes is bounded: by its length times the size of the
// largest element that the types here have, and for types that it defines by a constant. In that, the
// methods of types that decode themselves are not counted.
//
// If the definitions of types in msg are malformed, all messages are errors until one begins anew. After
// any other error the next message is as good as ever. A panic of a method is a *PanicError, and
// runtime.Goexit in one is ErrGoexit. Such a method may take its time, and Decode waits for it.
func (d *Decoder) Decode(msg []byte, into any) error {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return fmt.Errorf("cannot decode into a %T: a pointer is needed", into)
	}
	target = target.Elem()
	if len(msg) == 0 {
		return fmt.Errorf("%w: it is empty", errMalformed)
	}
	switch msg[0] {
	case 0:
	case flagAnew:
		d.table = newTable()
		d.gob = gob.NewDecoder(&d.in)
	case flagNil:
		return decodeNil(msg, target)
	default:
		return fmt.Errorf("%w: flags", errMalformed)
	}
	if d.table == nil {
		return errLost
	}
	start, id, err := d.define(msg)
	if err != nil {
		d.table, d.gob = nil, nil
		return err
	}
	return d.value(msg[start:], id, target)
}

func decodeNil(msg []byte, target reflect.Value) error {
	switch {
	case len(msg) > 1:
		return fmt.Errorf("%w: something after a nil", errMalformed)
	case target.Kind() != reflect.Pointer:
		return fmt.Errorf("a nil pointer was sent, and it is to be decoded into a value of type %s", target.Type())
	}
	target.SetZero()
	return nil
}

// define reads the definitions of a message. It returns where its value is, and which type that has.
func (d *Decoder) define(msg []byte) (start int, id typeID, err error) {
	r := reader{data: msg, at: 1}
	if start, id, err = d.table.define(&r); err != nil || start == 1 {
		return start, id, err
	}
	// gob reads them, looks for a value, and finds the end.
	err = d.decode(false, msg[1:start], reflect.Value{})
	if err != io.ErrUnexpectedEOF {
		return start, 0, fmt.Errorf("%w: definition of a type: %w", errMalformed, err)
	}
	return start, id, nil
}

// value decodes the value of a message.
func (d *Decoder) value(msg []byte, id typeID, target reflect.Value) error {
	f := follower{reader: reader{data: msg}, decoder: d, table: d.table}
	f.uint() // the length
	f.id()
	plan, err := d.table.top(target.Type(), id)
	if err != nil {
		return err
	}
	f.whole(plan, 0)
	switch {
	case f.err != nil:
		return f.err
	case f.bad || f.rest() > 0:
		return fmt.Errorf("%w: value", errMalformed)
	}
	fresh := reflect.New(target.Type())
	if err := d.decode(f.foreign, msg, fresh); err != nil {
		return err
	}
	target.Set(fresh.Elem())
	return nil
}

// nothing is a message that sets gob's buffer to these few bytes: a false, and nowhere to put it.
var nothing = []byte{3, byte(idBool) << 1, 0, 0}

// decode has gob decode a message.
func (d *Decoder) decode(foreign bool, msg []byte, v reflect.Value) error {
	d.in.Reset(msg)
	err := d.run(foreign, v)
	if len(msg) > maxKept { // gob keeps it until the next one
		d.in.Reset(nothing)
		_ = d.run(false, reflect.Value{})
	}
	d.in.Reset(nil)
	return err
}

func (d *Decoder) run(foreign bool, v reflect.Value) (err error) {
	if foreign {
		return apart(func() error { return d.run(false, v) })
	}
	defer recovered(&err)
	return plain(d.gob.DecodeValue(v)) // the error may be the user's, too
}

// resolve returns the type here of values with a registered name, by decoding one that is empty: gob tells
// it in no other way.
func (d *Decoder) resolve(name string, id typeID) (reflect.Type, error) {
	if t := d.table.concretes[name]; t != nil {
		return t, nil
	}
	empty, ok := d.table.appendEmpty([]byte{0}, d.table.types[id])
	if !ok {
		return nil, fmt.Errorf("an array in an interface has more than %d elements", maxEmpty)
	}
	if d.table.types[id].kind == ofStruct {
		empty = empty[1:]
	}
	body := append([]byte{byte(idInterface) << 1, 0}, appendUint(nil, uint64(len(name)))...)
	body = append(body, name...)
	body = appendUint(body, uint64(id)<<1)
	body = appendUint(body, uint64(len(empty)))
	body = append(body, empty...)
	var value any
	if err := d.decode(false, append(appendUint(nil, uint64(len(body))), body...), reflect.ValueOf(&value)); err != nil {
		return nil, err
	}
	t := reflect.TypeOf(value)
	d.table.concretes[name] = t
	return t, nil
}

// maxEmpty is how long an array of structs, slices, maps or interfaces may be that is in an interface.
const maxEmpty = 1 << 16

// appendEmpty appends the shortest value of a type: no field, no element, except for arrays. Each other
// type has one of a byte, as it is not plain.
func (t *table) appendEmpty(b []byte, d *definition) (value []byte, ok bool) {
	if d == nil || d.kind != ofArray {
		return append(b, 0), true
	}
	b = appendUint(b, d.length)
	for range d.length {
		if len(b) > maxEmpty {
			return nil, false
		}
		if b, ok = t.appendEmpty(b, t.types[d.elem]); !ok {
			return nil, false
		}
	}
	return b, true
}

// appendUint appends a number as gob writes it.
func appendUint(b []byte, x uint64) []byte {
	if x <= 0x7f {
		return append(b, byte(x))
	}
	digits := bytes.TrimLeft(binary.BigEndian.AppendUint64(nil, x), "\x00")
	return append(append(b, byte(-len(digits))), digits...)
}

// maxText is how long the text of an error may be in which something of the message may be.
const maxText = 300

// A quoted is an error with a text that is fit for a log.
type quoted struct {
	text string
	err  error
}

func (q *quoted) Error() string { return q.text }
func (q *quoted) Unwrap() error { return q.err }

// plain returns err, with another text if that is long or not printable: gob's errors have names of the
// message in them.
func plain(err error) error {
	if err == nil || err == io.ErrUnexpectedEOF {
		return err
	}
	text := err.Error()
	long := len(text) > maxText
	if long {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	printable := !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
	if !long && printable {
		return err
	}
	if !printable {
		text = strconv.Quote(text)
	}
	if long {
		text += "..."
	}
	return &quoted{text, err}
}
