package debug

import (
	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/labelled"
)

// ErrNoLabel is the error of Stack for a task that has no label with its ID.
var ErrNoLabel = labelled.ErrNone

// Stack returns the stack of a task as text: a line with the task's ID, and for each call a line
// with the function and one with the file and the line, the innermost call first. It is "" if the
// task has ended or has not begun. The task's goroutine must have the label of the task's ID (see
// SetLabels), or else the error is ErrNoLabel.
//
// Stack is for programs with very many goroutines, which AnyTask.Traceback would stop for too long:
// for as long as it takes to print all their stacks. Stack takes the goroutine profile, for which
// the program is stopped for a tenth of that time or less. It still uses about a second of one
// processor with 100,000 goroutines, so it should not be called all the time. Unlike a traceback, a
// profile has only the innermost 128 calls of each stack: the text of a deeper one ends with a line
// about that. If several goroutines with the label are that deep, the task's cannot be told from the ones
// that it has started, and the error is ErrNoLabel.
func Stack(t *curio.AnyTask) (string, error) { return labelled.Stack(t) }
