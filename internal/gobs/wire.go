package gobs

import (
	"errors"
	"fmt"
	"math"
	"reflect"
)

// A reader reads gob's numbers. Once it has failed, there is nothing left in it and all numbers are 0.
type reader struct {
	data []byte
	at   int
	bad  bool
}

func (r *reader) rest() int    { return len(r.data) - r.at }
func (r *reader) failed() bool { return r.bad }

func (r *reader) fail() {
	r.bad = true
	r.at = len(r.data)
}

func (r *reader) uint() uint64 {
	if r.at >= len(r.data) {
		r.fail()
		return 0
	}
	first := r.data[r.at]
	r.at++
	if first <= 0x7f {
		return uint64(first)
	}
	size := -int(int8(first))
	if size > 8 || size > r.rest() {
		r.fail()
		return 0
	}
	x := uint64(0)
	for _, b := range r.data[r.at : r.at+size] {
		x = x<<8 | uint64(b)
	}
	r.at += size
	return x
}

func (r *reader) int() int64 {
	x := r.uint()
	if x&1 != 0 {
		return ^int64(x >> 1)
	}
	return int64(x >> 1)
}

// skipNumbers skips count numbers, of which there may be very many.
func (r *reader) skipNumbers(count uint64) {
	data, at := r.data, r.at
	for ; count > 0 && at < len(data); count-- {
		size := 1
		if first := data[at]; first > 0x7f {
			size = 1 - int(int8(first))
		}
		if size > 1+8 {
			break
		}
		at += size
	}
	if count > 0 || at > len(data) {
		r.fail()
		return
	}
	r.at = at
}

// take returns the next n bytes.
func (r *reader) take(n uint64) []byte {
	if n > uint64(r.rest()) {
		r.fail()
		return nil
	}
	start := r.at
	r.at += int(n)
	return r.data[start:r.at]
}

func (r *reader) skip(n uint64) { r.take(n) }

// fields calls field with the number of each field of a struct.
func (r *reader) fields(field func(number uint64)) {
	for number := uint64(0); ; {
		delta := r.uint()
		if delta == 0 || r.bad {
			return
		}
		if delta > maxFields {
			r.fail()
			return
		}
		number += delta
		field(number - 1)
	}
}

// maxFields is far above the number of fields of any struct, and far below an overflow.
const maxFields = 1 << 24

// A typeID is what a message calls a type.
type typeID int32

// The types that need no definition, and the first that may have one.
const (
	idBool typeID = 1 + iota
	idInt
	idUint
	idFloat
	idBytes
	idString
	idComplex
	idInterface
	lastBuiltin         = idInterface
	firstDefined typeID = 64
)

// id reads a type that may be referred to.
func (r *reader) id() typeID {
	x := r.int()
	if x >= 1 && x <= int64(lastBuiltin) || x >= int64(firstDefined) && x <= math.MaxInt32 {
		return typeID(x)
	}
	r.fail()
	return 0
}

// A definition is one that the message contains or an earlier one did. The numbers of its kinds are the
// numbers of the fields of gob's wireType.
type definition struct {
	kind      uint64
	key, elem typeID
	length    uint64
	names     []string // of a struct's fields
	ids       []typeID
}

const (
	ofArray uint64 = iota
	ofSlice
	ofStruct
	ofMap
	ofGob
	ofBinary
	ofText
)

// isOpaque reports whether methods decode the values.
func (d *definition) isOpaque() bool { return d.kind >= ofGob }

var errMalformed = errors.New("malformed message")

// definition reads one: a wireType, of which exactly one field is there.
func (r *reader) definition() (*definition, error) {
	d, found := &definition{}, 0
	r.fields(func(kind uint64) {
		found++
		d.kind = kind
		r.fields(func(field uint64) { r.detail(d, field) })
	})
	incomplete := d.elem == 0 && (d.kind == ofArray || d.kind == ofSlice || d.kind == ofMap) || d.key == 0 && d.kind == ofMap
	if r.bad || found != 1 || d.kind > ofText || incomplete {
		return nil, fmt.Errorf("%w: definition of a type", errMalformed)
	}
	return d, nil
}

// detail reads a field of what is in a wireType.
func (r *reader) detail(d *definition, field uint64) {
	switch {
	case field == 0: // the name and the number, which gob uses for messages only
		r.fields(func(field uint64) {
			switch field {
			case 0:
				r.skip(r.uint())
			case 1:
				r.int()
			default:
				r.fail()
			}
		})
	case field == 1 && d.kind == ofStruct:
		r.structFields(d)
	case field == 1 && d.kind == ofMap:
		d.key = r.id()
	case field == 1 && (d.kind == ofArray || d.kind == ofSlice):
		d.elem = r.id()
	case field == 2 && d.kind == ofMap:
		d.elem = r.id()
	case field == 2 && d.kind == ofArray:
		length := r.int()
		if length < 0 {
			r.fail()
		}
		d.length = uint64(length)
	default:
		r.fail()
	}
}

// structFields reads the names and types of a struct's fields. No two have the same name, as gob would
// compile the same again for each.
func (r *reader) structFields(d *definition) {
	const least = 6 // bytes of a field
	n := r.uint()
	if n > uint64(r.rest())/least {
		r.fail()
		return
	}
	seen := make(map[string]bool, n)
	for range n {
		var name string
		var id typeID
		r.fields(func(field uint64) {
			switch field {
			case 0:
				name = string(r.take(r.uint()))
			case 1:
				id = r.id()
			default:
				r.fail()
			}
		})
		if r.bad || name == "" || id == 0 || seen[name] {
			r.fail()
			return
		}
		seen[name] = true
		d.names = append(d.names, name)
		d.ids = append(d.ids, id)
	}
}

const (
	// maxDefinitions is how many bytes of definitions a table may have been made of.
	maxDefinitions = 1 << 20

	// maxPlanned is how many fields and parts of types may be planned for a table, of its types and of ours
	// that they are decoded into. For each, gob keeps some hundred bytes.
	maxPlanned = 100_000

	// maxTypeDepth is how many types may be inside each other, until one comes again.
	maxTypeDepth = 1000
)

// A table has the types that the other end has defined, and what was found out about them.
type table struct {
	types     map[typeID]*definition
	bytes     int                     // of the definitions
	planned   int                     // see maxPlanned
	depth     int                     // see maxTypeDepth
	plans     map[planKey]*node       // of what is decoded, by its type there and here
	ignored   map[typeID]*node        // of structs that have no field here
	concretes map[string]reflect.Type // by the name that gob.Register has given it

	newPlans   []planKey // by the call of top that runs
	newIgnored []typeID
}

func newTable() *table {
	return &table{
		types: make(map[typeID]*definition), plans: make(map[planKey]*node),
		ignored: make(map[typeID]*node), concretes: make(map[string]reflect.Type),
	}
}

// define reads definitions, until a message is none. It returns where that begins, and which type the value
// in it has. The value is what remains in r.
func (t *table) define(r *reader) (start int, id typeID, err error) {
	for {
		start = r.at
		size := r.uint()
		if r.bad || size == 0 || size > uint64(r.rest()) {
			return start, 0, fmt.Errorf("%w: length", errMalformed)
		}
		end := r.at + int(size)
		if r.isNegative() {
			if t.bytes += int(size); t.bytes > maxDefinitions {
				return start, 0, fmt.Errorf("more than %d bytes of definitions of types", maxDefinitions)
			}
			if err := t.defineOne(r, end); err != nil {
				return start, 0, err
			}
			continue
		}
		id = r.id()
		if r.bad || end != len(r.data) {
			return start, 0, fmt.Errorf("%w: it does not end with its value", errMalformed)
		}
		return start, id, nil
	}
}

// isNegative reports whether the next number is, as before a definition.
func (r *reader) isNegative() bool {
	ahead := *r
	return ahead.int() < 0
}

func (t *table) defineOne(r *reader, end int) error {
	id := -r.int()
	if id < int64(firstDefined) || id > math.MaxInt32 || t.types[typeID(id)] != nil {
		return fmt.Errorf("%w: number of a type", errMalformed)
	}
	d, err := r.definition()
	if err != nil {
		return err
	}
	if r.at != end {
		return fmt.Errorf("%w: definition of a type", errMalformed)
	}
	t.types[typeID(id)] = d
	return nil
}
