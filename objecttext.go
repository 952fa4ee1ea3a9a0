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

// objectText says what a task waits for, "" for nothing, with its address, as two locks look the same otherwise. Objects of the user's are told by their type: their methods may
// wait for the very mutex that everything hangs on.
func objectText(object any) string {
	switch o := object.(type) {
	case nil:
		return ""
	case *AnyTask:
		return fmt.Sprintf("%s (%d)", taskName(o), o.ID())
	case wait.Several:
		texts := make([]string, len(o))
		for i, part := range o {
			texts[i] = part.Op + " " + objectText(part.Object)
		}
		return strings.Join(texts, " or ")
	}
	v := reflect.ValueOf(object)
	if v.Kind() != reflect.Pointer {
		return fmt.Sprintf("a %T", object)
	}
	what := fmt.Sprintf("a %T", object)
	if said, ok := object.(fmt.Stringer); ok && speaking[v.Type().Elem().PkgPath()] {
		what = said.String()
	}
	kind, details, _ := strings.Cut(what, "(")
	if details != "" {
		details = "(" + details
	}
	return fmt.Sprintf("%s %p%s", kind, object, details)
}
