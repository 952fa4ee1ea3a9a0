package process

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/curio-go/curio/subprocess"
)

var (
	// ErrNoMain is the error of a call in a program that has not called [Main]: it has to be the first line of
	// main, and of TestMain in tests.
	ErrNoMain = errors.New("process: process.Main has not been called; it has to be the first line of main, and of TestMain in tests")

	// ErrInWorker is the error of a call by a function that runs in a worker itself. A worker does not start
	// workers: all of them could wait for each other.
	ErrInWorker = errors.New("process: a worker cannot call functions in workers")

	// ErrPoolClosed is the error of a call to a pool that is closed, or whose kernel has been shut down.
	ErrPoolClosed = errors.New("process: the pool is closed")

	// ErrUnsendable is the error of a call whose argument cannot be encoded, as a concrete type in it has
	// not been registered with encoding/gob, or it contains itself. Nothing has been sent then.
	ErrUnsendable = errors.New("it cannot be sent to a worker")
)

// A RemoteError is a failure of the function itself. It is never a cancellation or a timeout of the caller:
// if the function has returned context.Canceled, say, that was about a context in the worker. To return an
// error that the caller can look into, make it a part of the result.
type RemoteError struct {
	Func  string // the function's name
	Type  string // the type of the error or of the panic's value, as fmt's %T prints it
	Text  string // what its Error method returned, or the panic's value as text; at most 64 KiB
	Panic bool   // the function has panicked
	Stack string // the stack of the function when it panicked, at most 64 KiB; "" for an error
}

// Error returns the function's name and the text.
func (e *RemoteError) Error() string {
	if e.Panic {
		return "process: " + e.Func + ": panic: " + e.Text
	}
	return "process: " + e.Func + ": " + e.Text
}

// A WorkerError says that the worker has died, and the call with it, or that it ended before it has called Main.
// The function may have done a part of its work.
type WorkerError struct {
	Func   string // the function's name, "" if the worker was not calling one yet
	Pid    int    // of the worker
	Reason string // such as "memory limit", or "killed by SIGKILL, perhaps out of memory"
	Status subprocess.ExitStatus
	Stderr []byte // what it wrote to its standard error: the beginning of a crash, and the last lines; at most 8 KiB
}

// Error says which worker it was, how it has ended, and the last line that it wrote to its standard error.
func (e *WorkerError) Error() string {
	text := "process: "
	if e.Func != "" {
		text += e.Func + ": "
	}
	text += "worker " + strconv.Itoa(e.Pid) + " has died: " + e.Reason
	if line := lastLine(e.Stderr); line != "" {
		text += ": " + line
	}
	return text
}

// maxLastLine is how much of a line of standard error is in the text of an error.
const maxLastLine = 256

// lastLine returns the last line of what a worker has written, or the one with which it has crashed. It may
// end up in a log or on a terminal, so what is not plain text is quoted.
func lastLine(stderr []byte) string {
	lines := strings.Split(strings.TrimSpace(string(stderr)), "\n")
	line := lines[len(lines)-1]
	for _, l := range lines {
		if isCrash(l) {
			line = l
			break
		}
	}
	line = strings.TrimSpace(line)
	if len(line) > maxLastLine {
		n := maxLastLine
		for n > maxLastLine-utf8.UTFMax && !utf8.RuneStart(line[n]) {
			n--
		}
		line = line[:n] + "..."
	}
	if !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
		line = strconv.Quote(line)
	}
	return line
}

// isCrash reports whether a line is the first one that the Go runtime writes when a program crashes.
func isCrash(line string) bool {
	for _, begin := range []string{"panic: ", "fatal error: ", "runtime: out of memory", "runtime: cannot allocate", "runtime/cgo: pthread_create failed", "SIG"} {
		if strings.HasPrefix(line, begin) {
			return begin != "SIG" || strings.Contains(line, ": ") // as SIGSEGV: segmentation violation
		}
	}
	return false
}
