package subprocess

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxErrorStderr is how much of the end of standard error an ExitError keeps, and maxErrorText is how
// much of that is in its text.
const (
	maxErrorStderr = 4 << 10
	maxErrorText   = 256
)

// An ExitError reports that a program ended with a status other than 0.
type ExitError struct {
	Name   string     // the program: Cmd.Path
	Args   []string   // as Cmd.Args
	Status ExitStatus // how it ended
	Stderr []byte     // the end of the program's standard error, at most 4 KiB, if it was captured
}

func newExitError(c *Cmd, done *Completed) *ExitError {
	end := done.Stderr[max(len(done.Stderr)-maxErrorStderr, 0):]
	return &ExitError{Name: c.Path, Args: done.Args, Status: done.Status, Stderr: bytes.Clone(end)}
}

// Error returns the program, how it ended, and the end of its standard error.
func (e *ExitError) Error() string {
	text := "subprocess: " + e.Name + ": " + e.Status.String()
	if said := lastWords(e.Stderr); said != "" {
		text += ": " + said
	}
	return text
}

// lastWords is the end of what a program has said, on one line. A program may write anything, and the
// text may end up in a log or on a terminal, so what is not plain text is quoted.
func lastWords(stderr []byte) string {
	said := strings.TrimSpace(string(stderr))
	cut := len(said) > maxErrorText
	if cut {
		said = said[len(said)-maxErrorText:]
		for i := 0; i < utf8.UTFMax && !utf8.RuneStart(said[0]); i++ {
			said = said[1:]
		}
	}
	if !utf8.ValidString(said) || strings.ContainsFunc(said, func(r rune) bool { return !unicode.IsPrint(r) }) {
		said = fmt.Sprintf("%q", said)
	}
	if cut {
		said = "..." + said
	}
	return said
}
