package curio

import (
	"reflect"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// This file finds out which code is the user's.

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
	function := ""
	for l := range strings.SplitSeq(stack, "\n") {
		text, ok := strings.CutPrefix(l, "\t")
		if !ok {
			function = strings.TrimPrefix(l, "created by ")
			continue
		}
		text, _, _ = strings.Cut(text, " +0x")
		colon := strings.LastIndexByte(text, ':')
		if colon < 0 || !isUsers(function, text[:colon]) {
			continue
		}
		line, _ := strconv.Atoi(text[colon+1:])
		return place{text[:colon], line}
	}
	return place{}
}

// origin returns where t was spawned, if that is the user's code, or else where its
// function begins, if that is. If neither is, it returns the origin of t's parent, and so
// on.
func (t *AnyTask) origin() place {
	for range trailLength {
		if t == nil {
			break
		}
		if at, users := callPlace(t.spawned); users {
			return at
		}
		if isUsersFunction(t.entry) {
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
		if f := runtime.FuncForPC(pc - 1); f == nil || !isUsersFunction(f.Entry()) {
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
	return place{f.File, f.Line}, isUsers(f.Function, f.File)
}

// users remembers whether functions are the user's, by their entries: finding that out
// costs more than spawning a task. The lowest bit of a word is the answer, the rest is the
// entry, which is even.
var users [1 << 9]atomic.Uintptr

// isUsersFunction reports whether the function that begins at entry is the user's.
func isUsersFunction(entry uintptr) bool {
	known := &users[entry>>5%uintptr(len(users))]
	if v := known.Load(); v&^1 == entry {
		return v&1 != 0
	}
	f := runtime.FuncForPC(entry)
	if f == nil {
		return false
	}
	file, _ := f.FileLine(entry)
	if !isUsers(f.Name(), file) {
		known.Store(entry)
		return false
	}
	known.Store(entry | 1)
	return true
}

// isUsers reports whether code is the user's: not this module's, not the standard
// library's, and not made by the compiler. It goes by the file, because an inlined function
// has the name of the function that it was inlined into.
func isUsers(function, file string) bool {
	return !strings.HasPrefix(file, "<") && !strings.HasPrefix(file, "_cgo_") && !isOurs(file) && !isStandard(function, file)
}

// home is the directory of this module's sources, as it appears in stacks.
var home = func() string {
	_, file, _, _ := runtime.Caller(0)
	return file[:strings.LastIndexByte(file, '/')+1]
}()

// isOurs reports whether a source file belongs to this module, and not to its examples or
// tests or to the modules nested in it.
func isOurs(file string) bool {
	rest, ok := strings.CutPrefix(file, home)
	if !ok || strings.HasSuffix(rest, "_test.go") {
		return false
	}
	for _, users := range []string{"examples/", "cmd/", "bench/", "verify/"} {
		if strings.HasPrefix(rest, users) {
			return false
		}
	}
	return true
}

// library is the directory of the standard library's sources, as it appears in stacks; ""
// in a program that was built with -trimpath.
var library = func() string {
	entry := reflect.ValueOf(strings.Cut).Pointer()
	file, _ := runtime.FuncForPC(entry).FileLine(entry)
	return strings.TrimSuffix(file, "strings/strings.go")
}()

// isStandard reports whether a source file belongs to the standard library.
//
// With -trimpath, such a file's path begins with the path of its package, as in
// "time/sleep.go". Any other file's path begins with the path of its module. The path of a
// module has a dot in its first element, unless the module is the program itself or
// replaces another.
func isStandard(function, file string) bool {
	if library != "" {
		return strings.HasPrefix(file, library)
	}
	first, _, ok := strings.Cut(file, "/")
	if !ok || strings.Contains(first, ".") || strings.HasPrefix(function, "main.") {
		return false
	}
	for _, path := range dotless() {
		if rest, ok := strings.CutPrefix(file, path); ok && (rest[0] == '/' || rest[0] == '@') {
			return false
		}
	}
	return true
}

// dotless returns the paths of the program's modules that could be taken for packages of
// the standard library.
var dotless = sync.OnceValue(func() (paths []string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	for _, m := range append(info.Deps, &info.Main) {
		first, _, _ := strings.Cut(m.Path, "/")
		if m.Path != "" && !strings.Contains(first, ".") {
			paths = append(paths, m.Path)
		}
	}
	return paths
})
