package subprocess

import (
	"os"
	"strconv"
	"time"
)

// An ExitStatus tells how a program has ended and which resources it has used. The zero value means
// success.
type ExitStatus struct {
	Code       int       // the exit code, -1 if the program did not exit by itself
	Signal     os.Signal // the signal that killed the program, or nil
	CoreDumped bool      // the signal produced a core dump
	Unknown    bool      // the status was lost: see Process.Wait; Code is then -1, and the other fields are 0

	UserTime, SystemTime time.Duration // processor time, including that of children it has waited for
	MaxRSS               int64         // the peak of memory use, in bytes; on Linux at least the use of this process at the start
}

// Success reports whether the program has exited with status 0.
func (s ExitStatus) Success() bool { return s.Code == 0 && s.Signal == nil && !s.Unknown }

// String returns how the program has ended, such as "exit status 1" or "signal: killed", as
// os.ProcessState does.
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

// A Containment tells which of the processes that a program has started are ended with it. It
// describes what was achieved: if a cgroup cannot be used, or killing it fails, the Containment is
// the process group's.
type Containment int

const (
	// ContainedNone means that only the program itself is ended.
	ContainedNone Containment = iota
	// ContainedGroup means that the program's process group is ended: all processes except those
	// that have left the group, with setsid(2), or that a daemon has started.
	ContainedGroup
	// ContainedCgroup means that the program's cgroup is ended: all processes.
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
