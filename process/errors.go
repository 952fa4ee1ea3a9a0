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
	// ErrNoMain reports that the program has not called Main, which must be the first line of
	// main, and of TestMain in tests.
	ErrNoMain = errors.New("process: process.Main has not been called; it must be the first line of main, and of TestMain in tests")

	// ErrInWorker reports a call from a function that itself runs in a worker. Workers do not start
	// workers, as all of them could wait for each other.
	ErrInWorker = errors.New("process: a worker cannot call functions in workers")

	// ErrPoolClosed reports a call to a pool that is closed or whose kernel has been shut down.
	ErrPoolClosed = errors.New("process: the pool is closed")

	// ErrUnsendable reports a value that cannot be encoded, because a concrete type in it is not
	// registered with encoding/gob, or because it contains itself. Nothing has been sent.
	ErrUnsendable = errors.New("it cannot be sent to a worker")
)

// A RemoteError reports that the function itself failed: it returned an error or panicked. It never
// matches a cancellation or a timeout: if the function returned context.Canceled, that concerned a
// context in the worker. To return an error that the caller can examine, make it a part of the
// result.
type RemoteError struct {
	Func  string // the function's name
	Type  string // the type of the error or of the panic's value, as fmt's %T prints it
	Text  string // what its Error method returned, or the panic's value as text; at most 64 KiB
	Panic bool   // the function panicked
	Stack string // the stack of the function when it panicked, at most 64 KiB; "" for an error
}

// Error returns the function's name and Text.
func (e *RemoteError) Error() string {
	if e.Panic {
		return "process: " + e.Func + ": panic: " + e.Text
	}
	return "process: " + e.Func + ": " + e.Text
}

// A WorkerError reports that a worker died during a call or ended before it called Main. The
// function may have done a part of its work.
type WorkerError struct {
	Func   string                // the function's name, "" if the worker was not calling one yet
	Pid    int                   // the worker's process ID
	Reason string                // such as "memory limit", or "killed by SIGKILL, perhaps out of memory"
	Status subprocess.ExitStatus // how the worker ended
	Stderr []byte                // from its standard error: the beginning of a crash report and the last lines; at most 8 KiB
}

// Error returns the worker, how it ended, and the last line of its standard error.
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
