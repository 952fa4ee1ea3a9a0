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

// This file knows which code is the user's.

// A place is a line of the user's code. The zero value is no place.
type place struct {
	file string
	line int
}

// placeOf is where the goroutine with that stack, which is in s, is in the user's code.
// For a task of which nothing of the user's is running, it is where it was spawned.
func placeOf(s *wait.Scope, stack string) place {
	at := where(stack)
	if at.file == "" && s.Kind() == wait.Task {
		at = taskOf(s.Owner()).origin()
	}
	return at
}

// where finds in a stack the innermost place that is the user's. It is the line that
// waits.
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

// origin is where t was spawned. If it was by code that is not the user's, it is where
// the task was that did it, and so on.
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

// callPlace is the line of the call at pc, and whether that is the user's.
func callPlace(pc uintptr) (at place, users bool) {
	if pc == 0 {
		return place{}, false
	}
	f, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	return place{f.File, f.Line}, isUsers(f.Function, f.File)
}

// users remembers of functions, by their entries, whether they are the user's: to find
// that out costs more than to spawn a task. The lowest bit of a word is the answer, the
// rest the entry, which is even.
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

// isUsers reports whether code is the user's: neither of this module, nor of the
// standard library, nor made by the compiler. It goes by the file, as the name of a
// function that was inlined is that of the one it was inlined into.
func isUsers(function, file string) bool {
	return !strings.HasPrefix(file, "<") && !strings.HasPrefix(file, "_cgo_") && !isOurs(file) && !isStandard(function, file)
}

// home is the directory of this module's sources, as stacks have it.
var home = func() string {
	_, file, _, _ := runtime.Caller(0)
	return file[:strings.LastIndexByte(file, '/')+1]
}()

// isOurs reports whether a source file is of this module, and not of its examples or
// tests, or of the modules within.
func isOurs(file string) bool {
	rest, ok := strings.CutPrefix(file, home)
	if !ok || strings.HasSuffix(rest, "_test.go") {
		return false
	}
	for _, users := range []string{"examples/", "cmd/", "bench/", "conformance/", "interop/"} {
		if strings.HasPrefix(rest, users) {
			return false
		}
	}
	return true
}

// library is the directory of the standard library's sources, as stacks have it; "" in
// a program that was built with -trimpath.
var library = func() string {
	entry := reflect.ValueOf(strings.Cut).Pointer()
	file, _ := runtime.FuncForPC(entry).FileLine(entry)
	return strings.TrimSuffix(file, "strings/strings.go")
}()

// isStandard reports whether a source file is of the standard library.
//
// With -trimpath its path there begins with that of its package, as "time/sleep.go",
// and that of any other file with that of its module. A module's path has a dot in its
// first element, or it is that of the program or of something that replaces it.
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

// dotless are the paths of the program's modules that could be taken for packages of the
// standard library.
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
