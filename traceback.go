package curio

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/curio-go/curio/internal/wait"
)

// Go has no call for the stack of another goroutine, but it prints all of them, with the
// arguments of each function. The outermost function of a task's goroutine is AnyTask.run,
// whose first argument is the task's address. So a task can be found, at no cost to the
// task. Asking does cost: the program is stopped while its stacks are printed, some
// milliseconds for a thousand goroutines.

// Traceback returns the stack of the task's goroutine as text, or "" if the task has ended or not
// begun. It stops all goroutines of the process while it prints their stacks.
func (t *AnyTask) Traceback() string {
	if t.Terminated() { // its goroutine may not have left yet
		return ""
	}
	s := &t.owner.Scope
	return stacksOf([]*wait.Scope{s}, allStacks())[s]
}

// Tracebacks returns the stack of each of the given tasks, as Traceback does. It stops all
// goroutines only once, for as long as for one task.
func Tracebacks(tasks ...*AnyTask) []string {
	scopes := make([]*wait.Scope, len(tasks))
	for i, t := range tasks {
		scopes[i] = &t.owner.Scope
	}
	found := stacksOf(scopes, allStacks())
	stacks := make([]string, len(tasks))
	for i, t := range tasks {
		if !t.Terminated() {
			stacks[i] = found[scopes[i]]
		}
	}
	return stacks
}

// Where returns the file and line where the task is now: its innermost call that is neither in this
// module nor in the standard library. If there is none, as in a task whose function is a method of
// this module, it returns where the task was spawned or, if that is cheaper to find out, where its
// function begins. If the task has ended, it returns "" and 0. Where costs as much as Traceback.
func (t *AnyTask) Where() (file string, line int) {
	if t.Terminated() {
		return "", 0
	}
	at := placeOf(&t.owner.Scope, t.Traceback())
	return at.file, at.line
}

// maxStacks bounds the text in which tasks are looked for.
const maxStacks = 256 << 20

func allStacks() string {
	// Most stacks are shorter than 1 KiB, and printing them all again costs more than the
	// memory.
	for size := max(64<<10, runtime.NumGoroutine()<<10); ; size *= 4 {
		buf := make([]byte, min(size, maxStacks))
		if n := runtime.Stack(buf, true); n < len(buf) || size >= maxStacks {
			return string(buf[:n])
		}
	}
}

// ofTask is how the outermost call of a task's goroutine begins in a stack.
const ofTask = "(*AnyTask).run("

// stacksOf finds, in the stacks of all goroutines, those that belong to scopes. For the
// scope of a task that is the task's own stack. For any other it is the stack of a
// goroutine of no living task that has the scope, or one around it, among the arguments of
// its calls.
func stacksOf(scopes []*wait.Scope, dump string) map[*wait.Scope]string {
	if dump == "" {
		return nil
	}
	tasks := make(map[string]*wait.Scope) // by address
	var others []*wait.Scope
	for _, s := range scopes {
		if s.Kind() == wait.Task {
			tasks[fmt.Sprintf("%p", taskOf(s.Owner()))] = s
		} else {
			others = append(others, s)
		}
	}
	found := make(map[*wait.Scope]string, len(scopes))
	var plain []string
	for stack := range strings.SplitSeq(dump, "\n\n") {
		i := strings.LastIndex(stack, ofTask)
		if i < 0 {
			plain = append(plain, stack)
			continue
		}
		arg := stack[i+len(ofTask):]
		if end := strings.IndexAny(arg, ",?)\n"); end >= 0 {
			arg = arg[:end]
		}
		if s := tasks[arg]; s != nil {
			found[s] = stack
		}
	}
	for _, s := range others {
		for p := s; p != nil && p.Kind() != wait.Task && p.Kind() != wait.Kernel && found[s] == ""; p = p.Parent() {
			found[s] = mentioning(plain, p)
		}
	}
	return found
}

// mentioning returns the first of the stacks that has the address of s among its
// arguments.
func mentioning(stacks []string, s *wait.Scope) string {
	address := fmt.Sprintf("%p", s)
	for _, stack := range stacks {
		for rest := stack; ; {
			_, after, ok := strings.Cut(rest, address)
			if !ok {
				break
			}
			if after != "" && strings.IndexByte("),?}", after[0]) >= 0 {
				return stack
			}
			rest = after
		}
	}
	return ""
}
