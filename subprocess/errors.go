package subprocess

import "strconv"

// An Error is what starting a program, or doing something with it, has failed with. Err tells what the
// system says: errors.Is finds fs.ErrNotExist, exec.ErrNotFound, syscall.ETXTBSY and the like in it.
type Error struct {
	Op   string // "start", "run", "communicate with", "stop", "signal", "kill" or "resize"
	Name string // the program: Cmd.Path
	Pid  int    // 0 if it has not been started
	Err  error
}

// Error names the operation, the program and what was wrong.
func (e *Error) Error() string {
	text := "subprocess: " + e.Op + " " + e.Name
	if e.Pid != 0 {
		text += " (process " + strconv.Itoa(e.Pid) + ")"
	}
	return text + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }
