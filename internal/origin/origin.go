// Package origin tells whose code a function is: this module's, the standard library's, or the
// user's. It goes by the file that a stack names.
package origin

import (
	"reflect"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// users remembers whether functions are the user's, by their entries: finding that out
// costs more than spawning a task. The lowest bit of a word is the answer, the rest is the
// entry, which is even.
var users [1 << 9]atomic.Uintptr

// IsUsersFunction reports whether the function that begins at entry is the user's.
func IsUsersFunction(entry uintptr) bool {
	known := &users[entry>>5%uintptr(len(users))]
	if v := known.Load(); v&^1 == entry {
		return v&1 != 0
	}
	f := runtime.FuncForPC(entry)
	if f == nil {
		return false
	}
	file, _ := f.FileLine(entry)
	if !IsUsers(f.Name(), file) {
		known.Store(entry)
		return false
	}
	known.Store(entry | 1)
	return true
}

// IsUsers reports whether code is the user's: not this module's, not the standard
// library's, and not made by the compiler. It goes by the file, because an inlined function
// has the name of the function that it was inlined into.
func IsUsers(function, file string) bool {
	return !strings.HasPrefix(file, "<") && !strings.HasPrefix(file, "_cgo_") && !IsOurs(file) && !IsStandard(function, file)
}

// home is the directory of this module's sources, as it appears in stacks.
var home = func() string {
	_, file, _, _ := runtime.Caller(0)
	return strings.TrimSuffix(file, "internal/origin/origin.go")
}()

// IsOurs reports whether a source file belongs to this module, and not to its examples or
// tests or to the modules nested in it.
func IsOurs(file string) bool {
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

// IsStandard reports whether a source file belongs to the standard library.
//
// With -trimpath, such a file's path begins with the path of its package, as in
// "time/sleep.go". Any other file's path begins with the path of its module. The path of a
// module has a dot in its first element, unless the module is the program itself or
// replaces another.
func IsStandard(function, file string) bool {
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

// Innermost returns the innermost line in a stack, as runtime.Stack prints it, that is the user's: where a task waits. file
// is "" if there is none.
func Innermost(stack string) (file string, line int) {
	function := ""
	for l := range strings.SplitSeq(stack, "\n") {
		text, ok := strings.CutPrefix(l, "\t")
		if !ok {
			function = strings.TrimPrefix(l, "created by ")
			continue
		}
		text, _, _ = strings.Cut(text, " +0x")
		colon := strings.LastIndexByte(text, ':')
		if colon < 0 || !IsUsers(function, text[:colon]) {
			continue
		}
		line, _ := strconv.Atoi(text[colon+1:])
		return text[:colon], line
	}
	return "", 0
}
