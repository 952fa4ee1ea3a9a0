package curio

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/curio-go/curio/internal/wait"
)

// speaking are the packages of this module whose types may be asked what they are, whatever is wrong with the program: their
// String methods call nothing of the user's, and wait for nothing but a mutex that is held for a moment.
var speaking = map[string]bool{
	module: true, module + "/internal/wait": true, module + "/internal/poll": true, module + "/socket": true,
	module + "/subprocess": true, module + "/file": true,
}

const module = "github.com/curio-go/curio"

// objectTexts are what is said of objects, so that of each it is said once, however many wait for it.
type objectTexts map[any]string

// text says what a task waits for, "" for nothing.
func (x objectTexts) text(object any) string {
	switch o := object.(type) {
	case nil:
		return ""
	case wait.Several:
		texts := make([]string, len(o))
		for i, part := range o {
			texts[i] = part.Op + " " + x.text(part.Object)
		}
		return strings.Join(texts, " or ")
	}
	if t := reflect.TypeOf(object); t.Kind() != reflect.Pointer {
		if said, ok := object.(fmt.Stringer); ok && speaking[t.PkgPath()] {
			return said.String()
		}
		return fmt.Sprintf("a %T", object)
	}
	text, known := x[object]
	if !known {
		text = objectText(object)
		x[object] = text
	}
	return text
}

// objectText says what a task waits for, which is a pointer, with its address, as two locks look the same otherwise.
// Objects of the user's are told by their type: their methods may wait for the very mutex that everything hangs on.
func objectText(object any) string {
	if t, ok := object.(*AnyTask); ok {
		return fmt.Sprintf("%s (%d)", taskName(t), t.ID())
	}
	what := fmt.Sprintf("a %T", object)
	if said, ok := object.(fmt.Stringer); ok && speaking[reflect.TypeOf(object).Elem().PkgPath()] {
		what = said.String()
	}
	kind, details, _ := strings.Cut(what, "(")
	if details != "" {
		details = "(" + details
	}
	return fmt.Sprintf("%s %p%s", kind, object, details)
}
