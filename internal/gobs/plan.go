package gobs

import (
	"errors"
	"fmt"
	"reflect"
	"unicode"
	"unicode/utf8"
)

// This file finds out how gob will read the values of a type, so that they can be followed. It does what
// gob's decoder does when it compiles a type, with the same result or an error:
//
//   - a struct is compiled once for each pair of a type there and a type here;
//   - inside it, all fields of one type here are read by what was compiled for the first of them, although
//     their types there may differ: so these must look the same, or it is an error;
//   - a field that is not here is ignored, and then a nil in an interface is read wrongly.

// A planKey is a type of a message and the type here that it is decoded into.
type planKey struct {
	local reflect.Type
	id    typeID
}

// A node is how the values of a type are to be read.
type node struct {
	kind      nodeKind
	ignored   bool   // of an interface: its value is skipped
	foreign   bool   // of nodeBytes: methods of the user's decode it
	length    uint64 // of an array
	key, elem *node
	fields    []*node // of a struct
}

type nodeKind uint8

const (
	nodeNumber nodeKind = iota
	nodeComplex
	nodeBytes // and strings, and what methods decode
	nodeArray
	nodeSlice
	nodeMap
	nodeStruct
	nodeInterface
)

// builtins are the nodes of the types that need no definition.
var builtins = [...]*node{
	idBool: {kind: nodeNumber}, idInt: {kind: nodeNumber}, idUint: {kind: nodeNumber}, idFloat: {kind: nodeNumber},
	idBytes: {kind: nodeBytes}, idString: {kind: nodeBytes}, idComplex: {kind: nodeComplex},
	idInterface: {kind: nodeInterface},
}

var ignoredInterface = &node{kind: nodeInterface, ignored: true}

var errTooManyTypes = errors.New("too many types for one connection")

// enter counts a part of a type, and how deep inside other types it is. leave ends it.
func (t *table) enter() error {
	t.depth++
	if t.planned++; t.planned > maxPlanned || t.depth > maxTypeDepth {
		return errTooManyTypes
	}
	return nil
}

func (t *table) leave() { t.depth-- }

// top plans a value that stands by itself: a message's, or an interface's. If local is nil, it is ignored.
func (t *table) top(local reflect.Type, id typeID) (*node, error) {
	key := planKey{local, id}
	if n := t.plans[key]; n != nil {
		return n, nil
	}
	before := t.planned
	t.newPlans, t.newIgnored = t.newPlans[:0], t.newIgnored[:0]
	var n *node
	var err error
	if local != nil {
		n, err = t.part(local, id, make(map[reflect.Type]compiled))
	} else {
		n, err = t.ignore(id, make(map[typeID]*node))
	}
	if err != nil { // nothing is left: neither here, nor with gob, which will not see the value
		t.planned = before
		for _, key := range t.newPlans {
			delete(t.plans, key)
		}
		for _, id := range t.newIgnored {
			delete(t.ignored, id)
		}
		return nil, err
	}
	t.plans[key] = n
	return n, nil
}

// A compiled is what gob has compiled first for a type here.
type compiled struct {
	id typeID
	n  *node
}

func misfit(local reflect.Type) error {
	return fmt.Errorf("what was sent cannot be decoded into a value of type %s", local)
}

// part plans a value inside a value. seen has what is compiled together with it.
func (t *table) part(local reflect.Type, id typeID, seen map[reflect.Type]compiled) (*node, error) {
	defer t.leave()
	if err := t.enter(); err != nil {
		return nil, err
	}
	whole := local
	for range 100 {
		if local.Kind() != reflect.Pointer {
			break
		}
		local = local.Elem()
	}
	methods := decodedBy(local)
	if id <= lastBuiltin {
		if methods != byFields || builtinOf(local) != id {
			return nil, misfit(whole)
		}
		return builtins[id], nil
	}
	d := t.types[id]
	switch {
	case d == nil:
		return nil, fmt.Errorf("%w: a type is not defined", errMalformed)
	case d.isOpaque() || methods != byFields:
		if d.kind == ofGob && methods == byGob || d.kind == ofBinary && methods == byBinary {
			return &node{kind: nodeBytes, foreign: !isTrusted(local)}, nil
		}
		return nil, misfit(whole)
	}
	if first, again := seen[local]; again {
		if first.id != id && !t.alike(first.id, id, make(map[[2]typeID]bool)) {
			return nil, fmt.Errorf("two types that differ are to be decoded into one, %s", local)
		}
		return first.n, nil
	}
	return t.composite(local, id, d, seen)
}

// composite plans a value of a type that was defined.
func (t *table) composite(local reflect.Type, id typeID, d *definition, seen map[reflect.Type]compiled) (n *node, err error) {
	n = &node{}
	if d.kind != ofStruct {
		seen[local] = compiled{id, n}
	}
	switch kind := local.Kind(); {
	case d.kind == ofStruct && kind == reflect.Struct:
		n, err = t.structure(local, id, d)
		seen[local] = compiled{id, n}
		return n, err
	case d.kind == ofArray && kind == reflect.Array && uint64(local.Len()) == d.length:
		n.kind, n.length = nodeArray, d.length
	case d.kind == ofSlice && kind == reflect.Slice && local.Elem().Kind() != reflect.Uint8:
		n.kind = nodeSlice
	case d.kind == ofMap && kind == reflect.Map:
		n.kind = nodeMap
		if n.key, err = t.part(local.Key(), d.key, seen); err != nil {
			return nil, err
		}
	default:
		return nil, misfit(local)
	}
	n.elem, err = t.part(local.Elem(), d.elem, seen)
	return n, err
}

// structure plans a struct, which gob compiles by itself.
func (t *table) structure(local reflect.Type, id typeID, d *definition) (*node, error) {
	key := planKey{local, id}
	if n := t.plans[key]; n != nil {
		return n, nil
	}
	n := &node{kind: nodeStruct, fields: make([]*node, len(d.ids))}
	t.plans[key] = n
	t.newPlans = append(t.newPlans, key)
	seen := make(map[reflect.Type]compiled)
	for i, name := range d.names {
		var err error
		field, found := local.FieldByName(name)
		if found && isExported(name) {
			n.fields[i], err = t.part(field.Type, d.ids[i], seen)
		} else {
			n.fields[i], err = t.ignore(d.ids[i], make(map[typeID]*node))
		}
		if err != nil {
			return nil, inField(local, name, err)
		}
	}
	return n, nil
}

// A fieldError is an error about a field of a struct, or about something in it.
type fieldError struct {
	name string // of the innermost
	err  error
}

func (e *fieldError) Error() string { return fmt.Sprintf("field %.60q: %v", e.name, e.err) }
func (e *fieldError) Unwrap() error { return e.err }

func inField(t reflect.Type, name string, err error) error {
	if inner := (*fieldError)(nil); errors.As(err, &inner) {
		return err
	}
	return &fieldError{t.String() + "." + name, err}
}

// isExported is gob's idea of it.
func isExported(name string) bool {
	first, _ := utf8.DecodeRuneInString(name)
	return unicode.IsUpper(first)
}

// ignore plans a value that has no place here. gob compiles it for each field anew, except for structs.
func (t *table) ignore(id typeID, seen map[typeID]*node) (*node, error) {
	defer t.leave()
	if err := t.enter(); err != nil {
		return nil, err
	}
	if id == idInterface {
		return ignoredInterface, nil
	}
	if id <= lastBuiltin {
		return builtins[id], nil
	}
	if n := seen[id]; n != nil {
		return n, nil
	}
	d := t.types[id]
	if d == nil {
		return nil, fmt.Errorf("%w: a type is not defined", errMalformed)
	}
	if d.kind == ofStruct {
		return t.ignoreStruct(id, d)
	}
	n := &node{length: d.length}
	seen[id] = n
	err := error(nil)
	switch d.kind {
	case ofArray:
		n.kind = nodeArray
	case ofSlice:
		n.kind = nodeSlice
	case ofMap:
		n.kind = nodeMap
		if n.key, err = t.ignore(d.key, seen); err != nil {
			return nil, err
		}
	default:
		n.kind = nodeBytes
		return n, nil
	}
	n.elem, err = t.ignore(d.elem, seen)
	return n, err
}

func (t *table) ignoreStruct(id typeID, d *definition) (*node, error) {
	if n := t.ignored[id]; n != nil {
		return n, nil
	}
	n := &node{kind: nodeStruct, fields: make([]*node, len(d.ids))}
	t.ignored[id] = n
	t.newIgnored = append(t.newIgnored, id)
	for i, part := range d.ids {
		var err error
		if n.fields[i], err = t.ignore(part, make(map[typeID]*node)); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// builtinOf is what gob sends the values of a type as, 0 if that needs a definition.
func builtinOf(t reflect.Type) typeID {
	switch t.Kind() {
	case reflect.Bool:
		return idBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return idInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return idUint
	case reflect.Float32, reflect.Float64:
		return idFloat
	case reflect.Complex64, reflect.Complex128:
		return idComplex
	case reflect.String:
		return idString
	case reflect.Interface:
		return idInterface
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return idBytes
		}
	}
	return 0
}

// alike reports whether values of two types are written in the same way. under are the pairs that are being
// compared.
func (t *table) alike(a, b typeID, under map[[2]typeID]bool) bool {
	if a == b {
		return true
	}
	defer t.leave()
	x, y := t.types[a], t.types[b]
	pair := [2]typeID{a, b}
	if t.enter() != nil || x == nil || y == nil || x.kind != y.kind || x.length != y.length || len(x.ids) != len(y.ids) {
		return false
	}
	if under[pair] {
		return true
	}
	under[pair] = true
	for i := range x.ids {
		if x.names[i] != y.names[i] || !t.alike(x.ids[i], y.ids[i], under) {
			return false
		}
	}
	return (x.key == y.key || t.alike(x.key, y.key, under)) && (x.elem == y.elem || t.alike(x.elem, y.elem, under))
}
