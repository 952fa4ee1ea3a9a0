package gobs

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// cycleDepth is from which depth on a walker remembers where it has been: few values are as deep, and one
// that contains itself always is.
const cycleDepth = 100

var (
	errTooDeep = fmt.Errorf("the value is nested more than %d deep", maxDepth)
	errNilElem = errors.New("a nil pointer in a slice, an array or a map cannot be sent")
)

// A walker visits those parts of a value that gob must not see unprepared: what can contain itself, of
// which gob's stack would overflow, and what is in interfaces, whose types have to be checked and defined.
type walker struct {
	concretes map[reflect.Type]*traits // known already
	found     map[reflect.Type]*traits // and those that are new
	foreign   bool                     // methods of the user's are called
	inside    map[visit]struct{}       // where we are, from cycleDepth on

	// With explains set, it looks everywhere for the reason why gob has failed.
	explains bool
	reason   string
}

// A visit is to a pointer, a map, or a slice of that length.
type visit struct {
	address uintptr
	length  int
	t       reflect.Type
}

// An errAt is an error and where in the value it is.
type errAt struct {
	steps []string // the innermost first
	err   error
}

func (e *errAt) Error() string {
	var path strings.Builder
	for _, step := range slices.Backward(e.steps) {
		path.WriteString(step)
	}
	return path.String() + ": " + e.err.Error()
}

func (e *errAt) Unwrap() error { return e.err }

// maxSteps is how many steps of a path are told.
const maxSteps = 20

// at adds a step to the path of an error. What is about the depth has no path: it would be as long.
func at(step string, err error) error {
	var inner *errAt
	if errors.As(err, &inner) {
		if len(inner.steps) < maxSteps {
			inner.steps = append(inner.steps, step)
		} else {
			inner.steps[maxSteps-1] = "..."
		}
		return err
	}
	return err
}

// fail begins an error with a path.
func fail(err error) error { return &errAt{err: err} }

// skips reports whether nothing in values of a type needs a visit.
func (w *walker) skips(t reflect.Type) bool {
	known := traitsOf(t)
	return known.methods != byFields || !known.walk && !w.explains
}

// value visits v at a depth, which counts what gob calls itself for.
func (w *walker) value(v reflect.Value, depth int) error {
	if w.skips(v.Type()) {
		return nil
	}
	if depth > maxDepth {
		return errTooDeep
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return w.once(v, 0, depth, func() error { return w.value(v.Elem(), depth) })
	case reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return w.concrete(v.Elem(), depth+1)
	case reflect.Struct:
		return w.fields(v, depth+1)
	case reflect.Array:
		return w.elements(v, depth+1)
	case reflect.Slice:
		return w.once(v, v.Len(), depth, func() error { return w.elements(v, depth+1) })
	case reflect.Map:
		return w.once(v, 0, depth, func() error { return w.entries(v, depth+1) })
	}
	return nil
}

// once calls f, which visits what v refers to, unless we are inside that already.
func (w *walker) once(v reflect.Value, length, depth int, f func() error) error {
	if depth < cycleDepth {
		return f()
	}
	here := visit{v.Pointer(), length, v.Type()}
	if _, again := w.inside[here]; again {
		return fmt.Errorf("a value of type %s contains itself", v.Type())
	}
	if w.inside == nil {
		w.inside = make(map[visit]struct{})
	}
	w.inside[here] = struct{}{}
	defer delete(w.inside, here)
	return f()
}

func (w *walker) fields(v reflect.Value, depth int) error {
	t := v.Type()
	for i := range v.NumField() {
		f := t.Field(i)
		if !f.IsExported() || w.skips(f.Type) {
			continue
		}
		if err := w.value(v.Field(i), depth); err != nil {
			return at("."+f.Name, err)
		}
	}
	return nil
}

func isNil(v reflect.Value) bool { return v.Kind() == reflect.Pointer && v.IsNil() }

func (w *walker) elements(v reflect.Value, depth int) error {
	pointers := v.Type().Elem().Kind() == reflect.Pointer
	if !pointers && w.skips(v.Type().Elem()) {
		return nil
	}
	for i := range v.Len() {
		elem, err := v.Index(i), error(nil)
		if pointers && elem.IsNil() {
			err = fail(errNilElem)
		} else {
			err = w.value(elem, depth)
		}
		if err != nil {
			return at(fmt.Sprintf("[%d]", i), err)
		}
	}
	return nil
}

func (w *walker) entries(v reflect.Value, depth int) error {
	for entries := v.MapRange(); entries.Next(); {
		for _, part := range []reflect.Value{entries.Key(), entries.Value()} {
			err := error(nil)
			if isNil(part) {
				err = fail(errNilElem)
			} else {
				err = w.value(part, depth)
			}
			if err != nil {
				return at("["+keyText(entries.Key())+"]", err)
			}
		}
	}
	return nil
}

// keyText is a key as a text, without calling methods of it.
func keyText(key reflect.Value) string {
	switch key.Kind() {
	case reflect.String:
		return fmt.Sprintf("%.40q", key.String())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return fmt.Sprint(key.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return fmt.Sprint(key.Uint())
	}
	return key.Type().String()
}

// concrete visits what is in an interface.
func (w *walker) concrete(v reflect.Value, depth int) error {
	if isNil(v) {
		return fail(fmt.Errorf("a nil %s in an interface cannot be sent", v.Type()))
	}
	t := v.Type()
	known := w.concretes[t]
	if known == nil {
		known = w.found[t]
	}
	if known == nil {
		known = traitsInside(t)
		if known.err != nil {
			return fail(known.err)
		}
		if w.found == nil {
			w.found = make(map[reflect.Type]*traits)
		}
		w.found[t] = known
	}
	w.foreign = w.foreign || known.foreign
	if w.explains {
		if err := unregistered(w.reason, t); err != nil {
			return fail(err)
		}
	}
	return w.value(v, depth)
}
