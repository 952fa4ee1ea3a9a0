package curiotest

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// A place is a call of this module from outside of it.
type place struct {
	call string // the function of ours, as curio.Sleep
	file string
	line int
}

func (p place) String() string {
	switch {
	case p.file == "":
		return p.call
	case p.call == "":
		return fmt.Sprintf("%s:%d", p.file, p.line)
	}
	return fmt.Sprintf("%s at %s:%d", p.call, p.file, p.line)
}

// here is the call of this module in which the goroutine is now: that from the innermost
// function which belongs neither to this module nor to the standard library, which may
// have been handed something of ours to call.
func here() place {
	var p place
	pcs := make([]uintptr, 64)
	for skip := 2; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs)
		frames := runtime.CallersFrames(pcs[:n])
		for n > 0 {
			f, more := frames.Next()
			switch {
			case isOurs(f.File):
				p.call = f.Function[strings.LastIndexByte(f.Function, '/')+1:]
			case !isStandard(f.File):
				p.file, p.line = f.File, f.Line
				return p
			}
			if !more {
				break
			}
		}
		if n < len(pcs) {
			return p
		}
	}
}

// home is the directory of this module's sources, and standard that of the standard
// library's, as stacks have them; standard is "" if the build left them out.
var (
	home     = directory(1)
	standard = func() string {
		f := runtime.FuncForPC(reflect.ValueOf(fmt.Sprint).Pointer())
		file, _ := f.FileLine(f.Entry())
		return strings.TrimSuffix(file, "fmt/print.go")
	}()
)

// directory is that of this file, and so many levels up.
func directory(up int) string {
	_, dir, _, _ := runtime.Caller(0)
	for range up + 1 {
		dir = dir[:strings.LastIndexByte(dir, '/')]
	}
	return dir + "/"
}

// isOurs reports whether a source file is of this module, and not of its examples or
// tests, which stand for the user.
func isOurs(file string) bool {
	rest, ok := strings.CutPrefix(file, home)
	if !ok || strings.HasSuffix(rest, "_test.go") {
		return false
	}
	for _, users := range []string{"examples/", "cmd/", "bench/"} {
		if strings.HasPrefix(rest, users) {
			return false
		}
	}
	return true
}

func isStandard(file string) bool { return standard != "" && strings.HasPrefix(file, standard) }

// taskOf is the task that o is, nil for none.
func taskOf(o *wait.Owner) *curio.AnyTask {
	if o == nil {
		return nil
	}
	return curio.CurrentTask(&o.Scope)
}

// nameOf is how the task t is called in messages.
func nameOf(t *curio.AnyTask) string {
	if t == nil {
		return "a goroutine of no task"
	}
	return "task " + t.Path()
}

// plain calls the main tasks of environments by what they stand for in a message. They
// are named after functions of ours, which says nothing to the reader.
func plain(text string) string { return mainTasks.Replace(text) }

var mainTasks = strings.NewReplacer(
	"task curiotest.(*run).body-fm/", "task ",
	"task curiotest.(*run).body-fm", "the main task",
	"task curiotest.(*bystander).stand-fm/", "task ",
	"task curiotest.(*bystander).stand-fm", "the test",
)
