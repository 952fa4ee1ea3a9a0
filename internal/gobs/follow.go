package gobs

import (
	"errors"
	"fmt"
)

// depthSlack is how much deeper than a walker allows a value may be: the walker does not count what a type
// has inside it at its end.
const depthSlack = maxTypeDepth

// A follower follows a value through a message, as gob will, and so finds each count that the bytes after
// it do not bear out: it takes a byte or more for each element, and finds the end.
type follower struct {
	reader
	decoder *Decoder
	table   *table
	foreign bool  // methods of the user's will be called
	err     error // the reason, if it is not just malformed
}

// whole follows a value that stands by itself.
func (f *follower) whole(n *node, depth int) {
	if n.kind != nodeStruct && f.uint() != 0 {
		f.fail()
		return
	}
	f.value(n, depth)
}

func (f *follower) refuse(err error) {
	if f.err == nil {
		f.err = err
	}
	f.fail()
}

func (f *follower) value(n *node, depth int) {
	switch n.kind {
	case nodeNumber:
		f.uint()
		return
	case nodeComplex:
		f.uint()
		f.uint()
		return
	case nodeBytes:
		f.foreign = f.foreign || n.foreign
		f.skip(f.uint())
		return
	}
	if depth++; depth > maxDepth+depthSlack {
		f.refuse(errTooDeep)
		return
	}
	switch n.kind {
	case nodeArray:
		count := f.uint()
		if count != n.length {
			f.fail()
		}
		f.elements(count, n.elem, depth)
	case nodeSlice:
		f.elements(f.uint(), n.elem, depth)
	case nodeMap:
		for range f.uint() {
			if f.bad {
				return
			}
			f.value(n.key, depth)
			f.value(n.elem, depth)
		}
	case nodeStruct:
		for number := uint64(0); ; {
			delta := f.uint()
			if delta == 0 {
				return
			}
			if delta > uint64(len(n.fields))-number {
				f.fail()
				return
			}
			number += delta
			f.value(n.fields[number-1], depth)
		}
	case nodeInterface:
		f.inside(n, depth)
	}
}

func (f *follower) elements(count uint64, elem *node, depth int) {
	if elem.kind == nodeNumber {
		f.skipNumbers(count)
		return
	}
	for range count {
		if f.bad {
			return
		}
		f.value(elem, depth)
	}
}

// maxName is how long a registered name may be, for gob.
const maxName = 1024

var errIgnoredNil = errors.New("a nil in an interface, in a field that is not here: gob cannot skip that")

// inside follows what is in an interface: the name that its type is registered under, the type, how many
// bytes the value has, and the value. gob does not look at that number, except to skip the value, so it has
// to be true. Nothing is defined here.
func (f *follower) inside(n *node, depth int) {
	name := f.take(f.uint())
	if len(name) == 0 {
		if n.ignored && !f.bad {
			f.refuse(errIgnoredNil)
		}
		return
	}
	id := f.id()
	size := f.uint()
	if len(name) > maxName || size > uint64(f.rest()) || id == idInterface {
		f.fail()
	}
	if f.bad {
		return
	}
	if n.ignored {
		f.skip(size)
		return
	}
	end := f.at + int(size)
	concrete, err := f.concrete(string(name), id)
	if err != nil {
		f.refuse(err)
		return
	}
	f.whole(concrete, depth)
	if f.at != end {
		f.fail()
	}
}

// opaque is the node of a value in an interface that methods decode, whatever its type is.
var opaque = &node{kind: nodeBytes, foreign: true}

// concrete plans a value in an interface.
func (f *follower) concrete(name string, id typeID) (*node, error) {
	if id <= lastBuiltin {
		return builtins[id], nil
	}
	d := f.table.types[id]
	switch {
	case d == nil:
		return nil, fmt.Errorf("%w: a type is not defined", errMalformed)
	case d.isOpaque():
		return opaque, nil
	case f.table.isPlain(d): // it makes no difference which type it is here
		return f.table.top(nil, id)
	}
	local, err := f.decoder.resolve(name, id)
	if err != nil {
		return nil, err
	}
	return f.table.top(local, id)
}

// isPlain reports whether a type is an array of such as are read in the same way wherever they are.
func (t *table) isPlain(d *definition) bool {
	for range maxTypeDepth {
		if d.kind != ofArray {
			return d.isOpaque()
		}
		if d.elem <= lastBuiltin {
			return d.elem != idInterface
		}
		if d = t.types[d.elem]; d == nil {
			return false
		}
	}
	return false
}
