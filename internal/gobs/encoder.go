package gobs

import (
	"encoding/gob"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// maxKept is how large a buffer may be that is kept for the next message.
const maxKept = 1 << 20

// An Encoder turns values into messages for a Decoder at the other end of a connection. The zero value is
// ready. It must not be copied, nor used by several goroutines at once.
type Encoder struct {
	_         noCopy
	buf       buffer
	gob       *gob.Encoder             // nil: the table begins anew with the next message
	defined   int                      // bytes of definitions in the table
	concretes map[reflect.Type]*traits // types found in interfaces, whose definitions have been sent
}

// A buffer is what has been written.
type buffer []byte

func (b *buffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// noCopy makes go vet complain about copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// Encode returns v as a message, which is valid until the next call of a method. If v is a pointer, what it
// points to is sent: pass the address of a variable to send a value of an interface type. A nil pointer, or
// a pointer to one, is sent as such. The type of v must be one that Check accepts.
//
// If it fails, nothing has happened except that the next message begins a new table. The error says what in
// v it was about, if gob's own does not: a type that is not registered or that Check refuses in an
// interface, a value that contains itself or is nested more than 10,000 deep, a nil pointer where there can
// be none. A panic of a method of v is a *PanicError, and runtime.Goexit in one is ErrGoexit. Such a method
// may take its time, and Encode waits for it.
func (e *Encoder) Encode(v any) (msg []byte, err error) {
	value := reflect.ValueOf(v)
	if !value.IsValid() {
		return nil, errors.New("a nil interface has no type")
	}
	for range 2 { // the address of a variable, and what is in it
		if value.Kind() != reflect.Pointer {
			break
		}
		if value.IsNil() {
			if err := Check(value.Type()); err != nil {
				return nil, err
			}
			e.buf = append(e.buf[:0], flagNil)
			return e.buf, nil
		}
		value = value.Elem()
	}
	if err := Check(value.Type()); err != nil {
		return nil, err
	}
	if value.Kind() == reflect.Pointer {
		return nil, pointerToPointer(value.Type())
	}
	t := traitsOf(value.Type())
	if !value.CanAddr() { // as a method may need it
		copied := reflect.New(value.Type()).Elem()
		copied.Set(value)
		value = copied
	}
	if err := e.encode(value, t); err != nil {
		e.Reset()
		return nil, err
	}
	msg = e.buf
	if len(msg) > maxKept {
		e.Reset() // gob's buffer is as large
		e.buf = nil
	}
	return msg, nil
}

func (e *Encoder) encode(value reflect.Value, t *traits) error {
	foreign := t.foreign
	var found map[reflect.Type]*traits
	if t.walk {
		w := walker{concretes: e.concretes, foreign: foreign}
		if err := w.value(value, 0); err != nil {
			return err
		}
		foreign, found = w.foreign, w.found
	}
	flags := byte(0)
	if e.gob == nil {
		flags = flagAnew
		e.gob = gob.NewEncoder(&e.buf)
	}
	e.buf = append(e.buf[:0], flags)
	for concrete, t := range found {
		if err := e.define(concrete); err != nil {
			return err
		}
		if e.concretes == nil {
			e.concretes = make(map[reflect.Type]*traits)
		}
		e.concretes[concrete] = t
	}
	if err := e.run(foreign, value); err != nil {
		return err
	}
	if e.defined += e.lastMessage(1) - 1; e.defined > maxDefinitions/2 {
		e.Reset() // the Decoder does not keep any number of them
	}
	return nil
}

// run has gob encode a value.
func (e *Encoder) run(foreign bool, value reflect.Value) (err error) {
	if foreign {
		return apart(func() error { return e.run(false, value) })
	}
	defer recovered(&err)
	if err := e.gob.EncodeValue(value); err != nil {
		return explain(value, err) // the error may be the user's, too
	}
	return nil
}

// define writes the definitions of a type that was found in an interface, and of all that it consists of:
// those that gob writes before an empty slice of them. The slice itself is taken out again.
func (e *Encoder) define(t reflect.Type) error {
	start := len(e.buf)
	empty := reflect.MakeSlice(reflect.SliceOf(t), 0, 0)
	if err := e.run(false, empty); err != nil {
		return err
	}
	last := e.lastMessage(start)
	if last < start {
		return errors.New("gob has written something else than messages")
	}
	e.buf = e.buf[:last]
	return nil
}

// lastMessage returns where the last message of gob's begins of those from start on. It is negative if they
// are none.
func (e *Encoder) lastMessage(start int) int {
	r := reader{data: e.buf, at: start}
	for {
		from := r.at
		r.skip(r.uint())
		switch {
		case r.failed():
			return -1
		case r.rest() == 0:
			return from
		}
	}
}

// Reset makes the table of types begin anew with the next message. Call it if a message was not sent.
func (e *Encoder) Reset() { e.gob, e.concretes, e.defined = nil, nil, 0 }

// explain says where in a value the reason is why gob has failed, if that is one that can be found.
func explain(value reflect.Value, err error) error {
	reason := err.Error()
	if !strings.Contains(reason, "nil element") && !strings.Contains(reason, notRegistered) {
		return err
	}
	w := walker{reason: reason, explains: true}
	if where := w.value(value, 0); where != nil {
		return where
	}
	return err
}

const notRegistered = "type not registered for interface: "

// unregistered reports whether reason says that a type is not registered.
func unregistered(reason string, t reflect.Type) error {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if !strings.HasSuffix(reason, notRegistered+t.String()) {
		return nil
	}
	return fmt.Errorf("a value of type %s in an interface: the type is not registered, see gob.Register", t)
}
