package foreign

import (
	"fmt"
	"runtime"
	"strings"
)

// apart calls call, which is a method of c's, in a goroutine of its own. After that it
// calls then with call's error, or with a *fault if call did not return. c and method are
// only for the fault's text.
func apart(c any, method string, call func() error, then func(err error)) {
	go func() {
		var err error
		returned := false
		defer func() {
			if !returned {
				err = newFault(c, method, recover())
			}
			then(err)
		}()
		err = call()
		returned = true
	}()
}

// A fault is the error of a foreign method that panicked, or called runtime.Goexit, in a
// goroutine of ours.
type fault struct {
	method string // such as "SetDeadline of *tunnel.Conn"
	value  any    // what panic was called with, nil for runtime.Goexit
	at     string // where, such as "tunnel.go:12"
}

func newFault(c any, method string, value any) *fault {
	return &fault{fmt.Sprintf("%s of %T", method, c), value, panickedAt()}
}

func (f *fault) Error() string {
	if f.value == nil {
		return f.method + " called runtime.Goexit"
	}
	return fmt.Sprintf("panic in %s: %v%s", f.method, f.value, f.at)
}

// Unwrap returns what panic was called with, if that is an error.
func (f *fault) Unwrap() error {
	err, _ := f.value.(error)
	return err
}

func isFault(err error) bool {
	_, is := err.(*fault)
	return is
}

// panickedAt returns the line that panicked. It is called by the deferred function that
// recovers.
func panickedAt() string {
	var callers [32]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers[:])])
	for panicking := false; ; {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicking = true
		case panicking && !strings.HasPrefix(f.Function, "runtime."):
			return fmt.Sprintf(" (%s:%d)", f.File[strings.LastIndexByte(f.File, '/')+1:], f.Line)
		}
		if !more {
			return ""
		}
	}
}
