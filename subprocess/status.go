package subprocess

import (
	"os"
	"strconv"
	"time"
)

// An ExitStatus is how a program has ended, and what it has used. The zero value is a success.
type ExitStatus struct {
	Code       int       // of exit(2), -1 if it did not exit by itself
	Signal     os.Signal // that has killed it, nil for none
	CoreDumped bool
	Unknown    bool // the status was lost: see Process.Wait; then Code is -1, and the rest is 0

	UserTime, SystemTime time.Duration // of the processor, also of the children that it has waited for
	MaxRSS               int64         // the most memory that it has used, in bytes; on Linux no less than this process did when it started it
}

// Success reports whether the program has exited with the status 0.
func (s ExitStatus) Success() bool { return s.Code == 0 && s.Signal == nil && !s.Unknown }

// String returns how the program has ended, as an os.ProcessState does: "exit status 1", or
// "signal: killed".
func (s ExitStatus) String() string {
	var text string
	switch {
	case s.Unknown:
		return "exit status unknown"
	case s.Signal != nil:
		text = "signal: " + s.Signal.String()
	default:
		text = "exit status " + strconv.Itoa(s.Code)
	}
	if s.CoreDumped {
		text += " (core dumped)"
	}
	return text
}

// Containment is how much of what a program has started is ended with it. It is never more than what was
// achieved: if a cgroup cannot be used, or killing it fails, it is the process group's.
type Containment int

const (
	// ContainedNone means that only the program itself is.
	ContainedNone Containment = iota
	// ContainedGroup means that its process group is: all except what has left the group, by setsid(2) or
	// because a daemon has started it.
	ContainedGroup
	// ContainedCgroup means that its cgroup is: everything.
	ContainedCgroup
)

// String returns "none", "group" or "cgroup".
func (c Containment) String() string {
	switch c {
	case ContainedNone:
		return "none"
	case ContainedGroup:
		return "group"
	case ContainedCgroup:
		return "cgroup"
	}
	return "Containment(" + strconv.Itoa(int(c)) + ")"
}
