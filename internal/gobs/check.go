package gobs

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"sync"
)

// Check returns an error if values of type t cannot be sent, or if something of them would be lost without
// a word. The error says where in the type, and what.
//
// Refused are, at any depth: functions, channels and unsafe pointers; fields that are not exported, except
// those named _; pointers to pointers; a field that points to something whose zero value gob does not send,
// such as a *bool, as a pointer to false would arrive as nil; methods that encode without those that
// decode, or that need an address where the value has none; methods of an embedded field, beside which there
// are others. A type with GobEncode and GobDecode or
// MarshalBinary and UnmarshalBinary may have in it what it likes. An interface is allowed; the type of what
// is in it is checked when it is sent.
//
// Accepted, and not kept by gob: an empty slice arrives as nil; a nil map at the top, or inside a slice, an
// array or a map, arrives as an empty one; two pointers to one value arrive as pointers to two. A nil
// pointer inside a slice, an array, a map or an interface is an error when it is encoded.
func Check(t reflect.Type) error {
	if t == nil {
		return errors.New("a nil interface has no type")
	}
	if t.Kind() == reflect.Pointer { // what it points to is sent, or that it is nil
		if t.Elem().Kind() == reflect.Pointer {
			return pointerToPointer(t)
		}
		t = t.Elem()
	}
	return traitsOf(t).err
}

func pointerToPointer(t reflect.Type) error {
	return fmt.Errorf("%s: of a pointer to a pointer, only the last would be sent", t)
}

// traits are what there is to know about a type before a value of it is encoded.
type traits struct {
	err     error // why it is refused
	walk    bool  // a value can contain itself, be nested without end, or have something in an interface
	foreign bool  // its values are encoded by methods that are the user's
	methods byte  // how its values are encoded: byFields, byGob or byBinary
}

// A place is a type and whether its values can be addressed.
type place struct {
	t           reflect.Type
	addressable bool
}

// addressable and unaddressable have the traits of each type that was asked for, in a *traits. Asking them
// costs no allocation.
var addressable, unaddressable sync.Map

// traitsOf returns the traits of a type whose values have an address.
func traitsOf(t reflect.Type) *traits { return findTraits(&addressable, place{t, true}) }

// traitsInside returns the traits of a type whose values are in interfaces.
func traitsInside(t reflect.Type) *traits { return findTraits(&unaddressable, place{t, false}) }

func findTraits(all *sync.Map, p place) *traits {
	if known, ok := all.Load(p.t); ok {
		return known.(*traits)
	}
	c := checker{visited: make(map[place]bool)}
	c.visit(p, p.t.String(), false)
	if c.err == nil {
		if err := try(p.t); err != nil {
			c.refuse(p.t.String(), "%v", err)
		}
	}
	methods, _ := encodedBy(p.t)
	found, _ := all.LoadOrStore(p.t, &traits{err: c.err, walk: c.walk, foreign: c.foreign, methods: methods})
	return found.(*traits)
}

// try finds out whether gob has something against a type that is not known here. It sends no value of it,
// as that might call the user's methods.
func try(t reflect.Type) (err error) {
	defer recovered(&err)
	var wire bytes.Buffer
	none := reflect.New(reflect.SliceOf(t))
	if err := gob.NewEncoder(&wire).EncodeValue(none.Elem()); err != nil {
		return err
	}
	return gob.NewDecoder(&wire).DecodeValue(none)
}

// A checker visits everything that a type consists of.
type checker struct {
	visited       map[place]bool // true: and is being visited
	err           error          // the first objection
	walk, foreign bool
}

func (c *checker) refuse(path, format string, args ...any) {
	if c.err == nil {
		c.err = errors.New(path + ": " + fmt.Sprintf(format, args...))
	}
}

// visit looks at a type. inField is whether it is what a field points to.
func (c *checker) visit(p place, path string, inField bool) {
	if open, visited := c.visited[p]; visited {
		c.walk = c.walk || open
		return
	}
	c.visited[p] = true
	defer func() { c.visited[p] = false }()
	if c.methods(p, path) {
		return
	}
	switch p.t.Kind() {
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		c.refuse(path, "a value of type %s cannot be sent", p.t)
	case reflect.Interface:
		c.walk = true
	case reflect.Pointer:
		c.pointer(p.t, path, inField)
	case reflect.Slice:
		c.visit(place{p.t.Elem(), true}, path+"[]", false)
	case reflect.Array:
		c.visit(place{p.t.Elem(), p.addressable}, path+"[]", false)
	case reflect.Map:
		c.visit(place{p.t.Key(), false}, path+"[key]", false)
		c.visit(place{p.t.Elem(), false}, path+"[]", false)
	case reflect.Struct:
		c.fields(p, path)
	}
}

func (c *checker) pointer(t reflect.Type, path string, inField bool) {
	elem := t.Elem()
	if elem.Kind() == reflect.Pointer {
		c.refuse(path, "of a pointer to a pointer, only the last would be sent")
		return
	}
	if inField {
		if methods, _ := encodedBy(elem); methods == byFields && zeroIsLost(elem.Kind()) {
			c.refuse(path, "a %s that points to a zero value would arrive as nil", t)
			return
		}
	}
	c.visit(place{elem, true}, path, false)
}

// zeroIsLost reports whether gob leaves out a field with the zero value of a kind.
func zeroIsLost(k reflect.Kind) bool { return k != reflect.Struct && k != reflect.Array }

func (c *checker) fields(p place, path string) {
	sent := 0
	for f := range p.t.Fields() {
		if f.Name == "_" {
			continue // it has no value that anybody could read
		}
		if !f.IsExported() {
			c.refuse(path+"."+f.Name, "a field that is not exported would be lost")
			continue
		}
		sent++
		c.visit(place{f.Type, p.addressable}, path+"."+f.Name, true)
	}
	if sent == 0 && p.t.NumField() > 0 {
		c.refuse(path, "it has no exported fields")
	}
}

// What a type's values are encoded or decoded by.
const (
	byFields = iota
	byGob
	byBinary
)

var (
	gobEncoder        = reflect.TypeFor[gob.GobEncoder]()
	gobDecoder        = reflect.TypeFor[gob.GobDecoder]()
	binaryMarshaler   = reflect.TypeFor[encoding.BinaryMarshaler]()
	binaryUnmarshaler = reflect.TypeFor[encoding.BinaryUnmarshaler]()
)

// has reports whether a type, which is no pointer, has the methods of an interface, and whether they need
// an address.
func has(t, methods reflect.Type) (found, needsAddress bool) {
	if t.Implements(methods) {
		return true, false
	}
	if t.Kind() == reflect.Interface || t.Kind() == reflect.Pointer {
		return false, false
	}
	found = reflect.PointerTo(t).Implements(methods)
	return found, found
}

// encodedBy returns what gob encodes values of a type by, and whether that needs their address.
func encodedBy(t reflect.Type) (methods byte, needsAddress bool) {
	if found, needsAddress := has(t, gobEncoder); found {
		return byGob, needsAddress
	}
	if found, needsAddress := has(t, binaryMarshaler); found {
		return byBinary, needsAddress
	}
	return byFields, false
}

// decodedBy returns what gob decodes values of a type by.
func decodedBy(t reflect.Type) byte {
	if found, _ := has(t, gobDecoder); found {
		return byGob
	}
	if found, _ := has(t, binaryUnmarshaler); found {
		return byBinary
	}
	return byFields
}

var (
	encodeNames = [...]string{"its fields", "GobEncode", "MarshalBinary"}
	decodeNames = [...]string{"its fields", "GobDecode", "UnmarshalBinary"}
)

// methods reports whether a type has methods of its own that gob uses.
func (c *checker) methods(p place, path string) bool {
	if p.t.Kind() == reflect.Pointer {
		return false // what it points to has them
	}
	encode, needsAddress := encodedBy(p.t)
	decode := decodedBy(p.t)
	switch {
	case encode == byFields && decode == byFields:
		return false
	case encode != decode:
		c.refuse(path, "%s is encoded by %s, but decoded by %s", p.t, encodeNames[encode], decodeNames[decode])
	case p.t.Kind() == reflect.Interface:
		c.refuse(path, "%s is an interface with %s: which type to decode into is not known", p.t, decodeNames[decode])
	case isBorrowed(p.t, encode):
		c.refuse(path, "%s has %s and %s from a field that is embedded: the other fields would be lost",
			p.t, encodeNames[encode], decodeNames[decode])
	case needsAddress && !p.addressable:
		c.refuse(path, "%s of *%s needs the value's address, and in a map or an interface it has none: use a pointer",
			encodeNames[encode], p.t)
	}
	if !isTrusted(p.t) {
		c.foreign = true
	}
	return true
}

// isBorrowed reports whether a struct encodes or decodes its values by a method of an embedded field, which
// knows nothing of the other fields.
func isBorrowed(t reflect.Type, by byte) bool {
	if t.Kind() != reflect.Struct || t.NumField() < 2 {
		return false
	}
	lends := false
	for f := range t.Fields() {
		lends = lends || f.Anonymous && hasMethods(f.Type)
	}
	if !lends {
		return false
	}
	// The names are constant, as otherwise the linker keeps all methods of all types.
	if by == byGob {
		return isGenerated(t, func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("GobEncode") }) ||
			isGenerated(t, func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("GobDecode") })
	}
	return isGenerated(t, func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("MarshalBinary") }) ||
		isGenerated(t, func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("UnmarshalBinary") })
}

// hasMethods reports whether a type, or what it points to, is encoded or decoded by methods.
func hasMethods(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	encode, _ := encodedBy(t)
	return encode != byFields || decodedBy(t) != byFields
}

// isGenerated reports whether a method of a type was made by the compiler, to call the method of an embedded field:
// such a method is in no file.
func isGenerated(t reflect.Type, find func(reflect.Type) (reflect.Method, bool)) bool {
	m, found := find(t)
	if !found {
		m, found = find(reflect.PointerTo(t))
	}
	if !found {
		return false
	}
	f := runtime.FuncForPC(m.Func.Pointer())
	if f == nil {
		return false
	}
	file, _ := f.FileLine(f.Entry())
	return file == "<autogenerated>"
}

// isTrusted reports whether the methods of a type are known to return.
func isTrusted(t reflect.Type) bool {
	switch t.PkgPath() {
	case "time", "math/big", "net/netip", "net/url":
		return true
	}
	return false
}
