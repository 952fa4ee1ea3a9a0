package subprocess

import (
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// A Cmd says which program to run, and how. Its fields are those of exec.Cmd where they mean the same.
// Nothing changes a Cmd, so it can be run several times, also at the same time.
type Cmd struct {
	// Path is the program. If it has no slash, it is looked up in the PATH of this process, as
	// exec.LookPath does; a hit in the current directory is refused with exec.ErrDot. A relative path
	// is relative to Dir.
	Path string

	// Args are the arguments, with the program's name as the first one. If it is empty, the program
	// gets Path as its name, and no arguments.
	Args []string

	// Env is the environment, with entries "key=value"; of several with the same key the last one
	// counts. If it is nil, the program gets that of this process. If Dir is set as well, PWD
	// follows it, as in exec.Cmd.
	Env []string

	// Dir is the working directory, the current one of this process if it is empty.
	Dir string

	// Stdin, Stdout and Stderr are the standard streams. A nil one is the null device, but Run,
	// CheckOutput, Lines and RunPipeline capture a Stdout that is nil, and Run, CheckOutput and
	// RunPipeline a Stderr that is nil.
	Stdin, Stdout, Stderr Stdio

	// ExtraFiles are further descriptors for the program: entry i becomes descriptor 3+i.
	ExtraFiles []*os.File

	// Credential is the user and the groups that the program runs as, if it is not nil.
	Credential *syscall.Credential

	// Group says which process group the program is in, and so how much of what it starts can be
	// ended with it.
	Group ProcessGroup

	// Limits are resource limits. The program does not make an instruction without them.
	Limits []Limit

	// Terminal gives the program a terminal of its own, a pseudo-terminal, for those of Stdin, Stdout
	// and Stderr that are TTY.
	Terminal *Terminal

	// Cgroup is the directory of a cgroup (version 2) in which the program is started, and which is
	// killed when the program is. If it cannot be used, the process group takes its place, and
	// Containment says so.
	Cgroup string

	// StopSignal is the signal that asks the program to end, SIGTERM if it is nil.
	StopSignal os.Signal

	// Grace is how long the program has, from StopSignal on, before it is killed. 0 means 5 s; if it
	// is negative, the program is killed at once.
	Grace time.Duration

	// OutputLimit is how many bytes of each of Stdout and Stderr are kept, when they are captured; 0
	// means 64 MiB, a negative value that there is no limit. Of longer output the beginning and the
	// end are kept, and the program is not held up.
	OutputLimit int64

	// Drain is how long Run and its kin wait for more output once the program has ended, if somebody
	// else has its pipes still open. It counts from the last output on. 0 means 1 s; if it is
	// negative, they wait for the end of the output, however long it takes.
	Drain time.Duration
}

// Command returns a Cmd that runs the program name with the given arguments, as exec.Command does.
func Command(name string, args ...string) *Cmd {
	return &Cmd{Path: name, Args: append([]string{name}, args...)}
}

// String returns the command line, for people.
func (c *Cmd) String() string { return filepath.Base(c.Path) }

// A ProcessGroup says which process group a program is in.
type ProcessGroup int

const (
	// GroupAuto is GroupShared if the program reads the terminal of this process as its standard
	// input, and GroupOwn otherwise.
	GroupAuto ProcessGroup = iota
	// GroupOwn is a new group. It is ended as a whole. Ctrl-C does not reach it, and the system
	// stops it if it reads from the terminal.
	GroupOwn
	// GroupShared is the group of this process. Ctrl-C reaches it, and only the program itself is
	// ended, not what it has started.
	GroupShared
	// GroupSession is a new session, and with it a new group, without a terminal.
	GroupSession
)

// A Limit is a resource limit of setrlimit(2).
type Limit struct {
	Resource   int // as syscall.RLIMIT_NOFILE
	Soft, Hard uint64
}

// A Terminal is a pseudo-terminal for a program.
type Terminal struct {
	Rows, Columns uint16 // 24 and 80 if they are 0
}

// A Stdio is what a program gets as one of its standard streams. See the functions and variables that
// return one.
type Stdio interface{ stdio() }
