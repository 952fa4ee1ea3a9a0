package curio

import (
	"runtime"

	"github.com/curio-go/curio/internal/origin"
	"github.com/curio-go/curio/internal/wait"
)

// This file finds out where in the user's code a task is.

// A place is a line of the user's code. The zero value is no place.
type place struct {
	file string
	line int
}

// placeOf returns where in the user's code the goroutine with the given stack is, which is
// in s. For a task that is not running any user code, that is where it was spawned.
func placeOf(s *wait.Scope, stack string) place {
	at := where(stack)
	if at.file == "" && s.Kind() == wait.Task {
		at = taskOf(s.Owner()).origin()
	}
	return at
}

// where returns the innermost place in a stack that is the user's: the line that waits.
func where(stack string) place {
	file, line := origin.Innermost(stack)
	return place{file, line}
}

// origin returns where t was spawned, if that is the user's code, or else where its
// function begins, if that is. If neither is, it returns the origin of t's parent, and so
// on.
func (t *AnyTask) origin() place {
	for range trailLength {
		if t == nil {
			break
		}
		if at, users := callPlace(t.spawn()); users {
			return at
		}
		if origin.IsUsersFunction(t.entry) {
			f := runtime.FuncForPC(t.entry)
			file, line := f.FileLine(t.entry)
			return place{file, line}
		}
		t = t.Parent()
	}
	return place{}
}

// usersCall returns the innermost call on the stack that is the user's, 0 if there is none near.
func usersCall() uintptr {
	var pcs [16]uintptr
	for _, pc := range pcs[:runtime.Callers(2, pcs[:])] {
		if f := runtime.FuncForPC(pc - 1); f == nil || !origin.IsUsersFunction(f.Entry()) {
			continue // most are not, and it is known of most
		}
		if _, users := callPlace(pc); users {
			return pc
		}
	}
	return 0
}

// callPlace returns the line of the call at pc, and whether that is the user's.
func callPlace(pc uintptr) (at place, users bool) {
	if pc == 0 {
		return place{}, false
	}
	f, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	return place{f.File, f.Line}, origin.IsUsers(f.Function, f.File)
}
