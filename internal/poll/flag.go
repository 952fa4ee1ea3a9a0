package poll

import (
	"os"
	"runtime"
)

// A Flag is a descriptor that is readable while it is raised, for code that waits with poll(2) or
// a similar call. The methods of a nil Flag do nothing. They are not safe for concurrent use.
type Flag struct {
	fds     flagFDs
	cleanup runtime.Cleanup
}

// flagFDs are the end that is polled, and the end that is written to.
type flagFDs struct{ read, write int }

// NewFlag returns a flag that is not raised. It is closed by Close, or when it is garbage.
func NewFlag() (*Flag, error) {
	fds, call, err := newFlagFDs()
	if err != nil {
		return nil, os.NewSyscallError(call, err)
	}
	f := &Flag{fds: fds}
	f.cleanup = runtime.AddCleanup(f, flagFDs.close, fds)
	return f, nil
}

// FD is what can be polled.
func (f *Flag) FD() int { return f.fds.read }

// Raise makes it readable. It does nothing harmful to one that is: the counter, or the
// pipe, has no room for more at most.
func (f *Flag) Raise() {
	if f != nil {
		f.fds.raise()
	}
}

// Lower makes it unreadable.
func (f *Flag) Lower() {
	if f != nil {
		f.fds.lower()
	}
}

// Close closes the descriptor.
func (f *Flag) Close() {
	if f != nil {
		f.cleanup.Stop()
		f.fds.close()
	}
}
