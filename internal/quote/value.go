package quote

import (
	"fmt"
	"reflect"
	"strconv"
)

// Value returns a text of v, as package fmt would make it, but without calling a method of v or of what is in it: these
// may hang on the very thing that everything hangs on. What is not a string, a number or a bool is told by its type, and
// a pointer also by its address.
func Value(v any) string {
	if v == nil {
		return "<nil>"
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.String:
		return r.String()
	case reflect.Bool:
		return strconv.FormatBool(r.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(r.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return strconv.FormatUint(r.Uint(), 10)
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(r.Float(), 'g', -1, r.Type().Bits())
	case reflect.Pointer, reflect.Chan, reflect.Func, reflect.Map, reflect.UnsafePointer:
		return fmt.Sprintf("a %T %#x", v, r.Pointer())
	default:
		return fmt.Sprintf("a %T", v)
	}
}
