package subprocess

import "strconv"

// An Error reports that an operation on a program failed. Err is the cause: errors.Is finds
// fs.ErrNotExist, exec.ErrNotFound, syscall.ETXTBSY, ctx's error and others in it.
type Error struct {
	Op   string // "start", "run", "communicate with", "stop", "signal", "kill" or "resize"
	Name string // the program: Cmd.Path
	Pid  int    // 0 if the program has not been started
	Err  error  // the cause
}

// Error returns the operation, the program and the cause.
func (e *Error) Error() string {
	text := "subprocess: " + e.Op + " " + e.Name
	if e.Pid != 0 {
		text += " (process " + strconv.Itoa(e.Pid) + ")"
	}
	return text + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }
