package file

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"github.com/curio-go/curio/internal/wait"
)

// ErrOutcomeUnknown reports that a call that changes something was abandoned while the system was
// executing it. The call may have taken effect, or may yet take effect, completely, partly or not
// at all. The error also wraps the reason why the call was abandoned, usually ctx's error.
var ErrOutcomeUnknown = errors.New("outcome unknown")

// ErrLineTooLong reports a line that is longer than the limit. Errors of [File.ReadLine] and
// [File.Lines] wrap it, and name the limit and the place in the file where the line begins.
var ErrLineTooLong = errors.New("line too long")

// ErrTooLong reports a file that is longer than the limit. Errors of [File.ReadAll] and
// [ReadFileLimit] wrap it.
var ErrTooLong = errors.New("file too long")

// ErrBusy reports that calls are in progress. Errors of [File.Detach] wrap it.
var ErrBusy = errors.New("in use")

// ErrUnread reports data that has been read ahead and not returned. Errors of [File.Detach] wrap
// it.
var ErrUnread = errors.New("unread data")

var (
	errNegative  = errors.New("negative offset")
	errAppends   = errors.New("the file was opened with O_APPEND, so the system writes at the end, not at the offset")
	errIrregular = errors.New("not a regular file")
)

// failed returns the error of an operation: err with what it was about, and with ErrOutcomeUnknown if
// that is so.
func (f *File) failed(op string, err error, unknown bool) error {
	return failed(op, f.name, err, unknown)
}

func failed(op, path string, err error, unknown bool) error {
	if err == nil {
		return nil
	}
	switch err.(type) {
	case *fs.PathError, *os.LinkError:
		if !unknown {
			return err
		}
	}
	switch err {
	case net.ErrClosed, wait.ErrTurnClosed:
		err = fs.ErrClosed
	}
	if unknown {
		err = &unknownError{err}
	}
	return &os.PathError{Op: op, Path: path, Err: err}
}

// An unknownError is an error that is ErrOutcomeUnknown too. It is not joined from two: a task that
// ends with it has been cancelled, if that is what err says, and has not failed.
type unknownError struct{ err error }

func (e *unknownError) Error() string        { return fmt.Sprintf("%v: %v", e.err, ErrOutcomeUnknown) }
func (e *unknownError) Unwrap() error        { return e.err }
func (e *unknownError) Is(target error) bool { return target == ErrOutcomeUnknown }

// Timeout is for callers that do not look at wrapped errors.
func (e *unknownError) Timeout() bool {
	timeout, ok := e.err.(interface{ Timeout() bool })
	return ok && timeout.Timeout()
}
