package subprocess

import (
	"os"
	"time"
)

// An ExitStatus is how a program has ended.
type ExitStatus struct {
	Code       int       // of exit(2), -1 if it did not exit by itself
	Signal     os.Signal // that has killed it, nil for none
	CoreDumped bool
	Unknown    bool // somebody else has taken the status: see Process.Wait

	UserTime, SystemTime time.Duration // of the processor, also of the children that it has waited for
	MaxRSS               int64         // the most memory that it has used, in bytes
}

// Success reports whether the program has exited with the status 0.
func (s ExitStatus) Success() bool { return s.Code == 0 && s.Signal == nil && !s.Unknown }

// Containment is how much of what a program had started was ended with it.
type Containment int

const (
	// ContainedNone means that only the program itself was ended.
	ContainedNone Containment = iota
	// ContainedGroup means that its process group was: all but what has left the group.
	ContainedGroup
	// ContainedCgroup means that its cgroup was: everything.
	ContainedCgroup
)
