package curiotest

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/origin"
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
			case origin.IsOurs(f.File):
				p.call = f.Function[strings.LastIndexByte(f.Function, '/')+1:]
			case !origin.IsStandard(f.Function, f.File):
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
