package gobs_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/curio-go/curio/internal/gobs"
)

// Whatever two messages in a row are, decoding them takes no more memory than their length allows, and does
// not panic; and what was decoded can be sent again, and arrives the same.
func FuzzDecode(f *testing.F) {
	var e gobs.Encoder
	for kind, v := range variables() {
		msg, err := e.Encode(v)
		check(f, err)
		again, err := e.Encode(someShape())
		check(f, err)
		f.Add(uint8(kind), append([]byte(nil), msg...), append([]byte(nil), again...))
		e.Reset()
	}
	first, err := e.Encode(someShape())
	check(f, err)
	first = append([]byte(nil), first...)
	second, err := e.Encode(someShape())
	check(f, err)
	f.Add(uint8(0), first, second)
	f.Add(uint8(3), []byte(anew().mapping(65, idInt, idInt).value(65, wire{}.uint(0).uint(1<<29)...)), []byte{2})
	f.Fuzz(func(t *testing.T, kind uint8, first, second []byte) {
		decodes = func() error { return nil }
		var d gobs.Decoder
		for _, msg := range [][]byte{first, second} {
			into := variables()[int(kind)%len(variables())]
			if decodeHostile(t, &d, msg, into) != nil {
				continue
			}
			var l link
			again, err := l.Encode(into)
			if err != nil {
				continue // a nil in a slice of pointers, say, which a hostile message cannot bring about; or too deep
			}
			got := reflect.New(reflect.TypeOf(into).Elem())
			check(t, l.Decode(again, got.Interface()))
			// Printed, as a NaN is not equal to itself; an empty slice arrives as nil.
			if before, after := fmt.Sprint(into), fmt.Sprint(got.Interface()); before != after && !hasPointers(before) {
				t.Errorf("%s has become %s", before, after)
			}
		}
	})
}

// hasPointers reports whether a printed value has addresses in it.
func hasPointers(text string) bool {
	for i := range len(text) - 1 {
		if text[i] == '0' && text[i+1] == 'x' {
			return true
		}
	}
	return false
}
