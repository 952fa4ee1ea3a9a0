package curio

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
)

// Go has no call for the stack of another goroutine, but it prints all of them,
// with the arguments of each function. The outermost function of a task's
// goroutine is AnyTask.run, whose argument is the task's address. So a task can be
// found, and it costs the task nothing. Asking does cost: the program stands still
// while its stacks are printed, some milliseconds for a thousand goroutines.

// Traceback is the stack of the task's goroutine as text, "" if the task has ended
// or not begun. It stops all goroutines for as long as it takes to print their
// stacks.
func (t *AnyTask) Traceback() string { return tracebacks([]*AnyTask{t})[t] }

// Where is the file and line at which the task is now, outside of this module;
// "" and 0 if it has ended or not begun. It costs what Traceback does.
func (t *AnyTask) Where() (file string, line int) { return where(t.Traceback()) }

// maxStacks bounds the text in which tasks are looked for.
const maxStacks = 256 << 20

// tracebacks returns the stacks of those of the tasks that have one.
func tracebacks(tasks []*AnyTask) map[*AnyTask]string {
	byCall := make(map[string]*AnyTask, len(tasks))
	for _, t := range tasks {
		byCall[fmt.Sprintf("(*AnyTask).run(%p)", t)] = t
	}
	found := make(map[*AnyTask]string, len(tasks))
	for stack := range strings.SplitSeq(allStacks(), "\n\n") {
		i := strings.LastIndex(stack, "(*AnyTask).run(")
		if i < 0 {
			continue
		}
		call, _, _ := strings.Cut(stack[i:], "\n")
		if t := byCall[call]; t != nil {
			found[t] = stack
		}
	}
	return found
}

func allStacks() string {
	for size := 64 << 10; ; size *= 4 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size || size >= maxStacks {
			return string(buf[:n])
		}
	}
}

// where finds in a stack the innermost place that belongs to the user: neither to
// this module nor to the runtime. It is the line that waits.
func where(stack string) (file string, line int) {
	lines := strings.Split(stack, "\n")
	for i := 1; i+1 < len(lines); i += 2 {
		place, _, _ := strings.Cut(strings.TrimSpace(lines[i+1]), " +0x")
		colon := strings.LastIndexByte(place, ':')
		if colon < 0 || isSystem(lines[i]) || isOurs(place[:colon]) {
			continue
		}
		line, _ = strconv.Atoi(place[colon+1:])
		return place[:colon], line
	}
	return "", 0
}

// isSystem reports whether a call in a stack is one that a wait makes, or the end of
// the stack.
func isSystem(call string) bool {
	for _, system := range []string{"runtime.", "runtime/", "panic(", "sync.", "internal/", "os.", "syscall.", "created by "} {
		if strings.HasPrefix(call, system) {
			return true
		}
	}
	return false
}

// home is the directory of this module's sources, as stacks have it.
var home = func() string {
	_, file, _, _ := runtime.Caller(0)
	return file[:strings.LastIndexByte(file, '/')+1]
}()

// isOurs reports whether a source file is of this module, and not of its examples or
// tests. It goes by the file, as the name of a function that was inlined is that of the
// one it was inlined into.
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
