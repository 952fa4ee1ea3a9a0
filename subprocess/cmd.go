package subprocess

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Cmd describes a program to run and how to run it. Fields with the names of exec.Cmd's fields
// mean the same. The functions of this package do not modify a Cmd, so it can be run several times,
// also at the same time. The zero value has no program and cannot be started.
//
// The program inherits everything else from this process: the umask, resource limits, and
// properties of the thread that starts it, such as its priority, processors and blocked signals.
// That thread is the caller's, so settings made after runtime.LockOSThread apply. A signal that was
// ignored or blocked when this process started is also ignored or blocked in the program. The limit
// of open files is the one that this process started with, as the Go runtime raises only its own; a
// limit that the process has set with syscall.Setrlimit applies to the program too. The program
// gets its standard streams and ExtraFiles, and no other descriptor that Go or this library has
// opened. A descriptor without close-on-exec that this process has inherited, for example from a
// shell, is passed on.
type Cmd struct {
	// Path is the program. A name without a slash is looked up in this process's PATH, as
	// exec.LookPath does, even if Env has another PATH; a result in the current directory is
	// refused with exec.ErrDot. A relative path with a slash is relative to Dir. No shell is
	// involved: for a file that is neither a program nor begins with "#!", the error wraps
	// syscall.ENOEXEC.
	Path string

	// Args holds the arguments, beginning with the program's name. If it is empty, the program gets
	// Path as its name and no arguments.
	Args []string

	// Env is the environment, with entries of the form "key=value". If a key occurs several times,
	// the last entry counts. If Env is nil, the program gets this process's environment, with PWD
	// set to Dir. If Env is empty and not nil, the program's environment is empty.
	Env []string

	// Dir is the working directory. If it is empty, the program runs in this process's current
	// directory.
	Dir string

	// Stdin, Stdout and Stderr are the standard streams. If one is nil, it is the null device,
	// except that Run, CheckOutput, Lines and RunPipeline capture a Stdout or Stderr that is nil.
	Stdin, Stdout, Stderr Stdio

	// ExtraFiles holds further open files for the program: entry i becomes descriptor 3+i. A nil
	// entry leaves that descriptor closed. The files still belong to the caller, and are passed on
	// unchanged: a file that package os has put into non-blocking mode, such as a pipe, is
	// non-blocking in the program too.
	ExtraFiles []*os.File

	// Credential, if not nil, holds the user and the groups that the program runs as. It requires
	// privileges, even for the same user, unless NoSetGroups is set. Dir is entered as that user.
	// HOME and USER in the environment do not change.
	Credential *syscall.Credential

	// Group selects the program's process group, and so which of the processes that it starts can
	// be ended with it.
	Group ProcessGroup

	// Limits holds resource limits, which apply from the program's first instruction on. They
	// require Linux, where ptrace(2) stops the program at its start, and permission to use that;
	// otherwise the error wraps errors.ErrUnsupported. A program that gets privileges from its file
	// (set-user-ID, capabilities) is refused unless this process runs as root. RLIMIT_STACK does
	// not change the space for arguments, which is determined before the limits apply.
	Limits []Limit

	// Terminal, if not nil, gives the program a pseudo-terminal of its own, for each of Stdin,
	// Stdout and Stderr that is TTY. It is the controlling terminal of the program, which is in a
	// session of its own.
	Terminal *Terminal

	// Cgroup is the directory of a cgroup (version 2) that the program is started in. When the
	// program is killed, everything in the cgroup is killed. Use a new cgroup for each start: in a
	// cgroup that was killed before, Linux (since 6.14) kills new processes at once. If the cgroup
	// cannot be used, because it does not exist, is not delegated to this user, or the system is
	// too old (before Linux 5.14), the process group is used instead, and Containment reports that.
	// A cgroup that contains this process is refused. The caller must remove the cgroup.
	Cgroup string

	// StopSignal is the signal that asks the program to end. nil means SIGTERM.
	StopSignal os.Signal

	// Grace is the time between StopSignal and killing the program. 0 means 5 seconds; if it is
	// negative, the program is killed at once.
	Grace time.Duration

	// OutputLimit is how many bytes of Stdout and of Stderr are kept when they are captured. 0
	// means 64 MiB; a negative value means no limit. If there is more output, the beginning and the
	// end are kept, and the program does not have to wait.
	OutputLimit int64

	// Drain is how long Run, CheckOutput, Lines, RunPipeline and Communicate wait for more output
	// after the program has ended, if another process still has its pipes open. It counts from the
	// last output. 0 means 1 second; a negative value means no limit.
	Drain time.Duration
}

// Command returns a [Cmd] that runs the program name with the given arguments. It is like
// exec.Command.
func Command(name string, args ...string) *Cmd {
	return &Cmd{Path: name, Args: append([]string{name}, args...)}
}

// String returns the program and its arguments, for people. Words with a space or a special
// character are quoted as in Go.
func (c *Cmd) String() string {
	var b strings.Builder
	b.WriteString(c.Path)
	for _, arg := range c.Args[min(1, len(c.Args)):] {
		b.WriteByte(' ')
		if arg == "" || strings.ContainsFunc(arg, isSpecial) {
			arg = strconv.Quote(arg)
		}
		b.WriteString(arg)
	}
	return b.String()
}

func isSpecial(r rune) bool {
	return r <= ' ' || strings.ContainsRune(`"'`+"`"+`$&|;<>()*?[]#~\\`, r) || !strconv.IsPrint(r)
}

// A ProcessGroup selects a program's process group. On a terminal, the group decides two things.
// Ctrl-C and similar keys send their signals to one group, the foreground group, which is this
// process's if a shell has started it. And the system stops any other process that reads from the
// terminal, with SIGTTIN, until it gets SIGCONT in the foreground; [Process.Stopped] reports that.
type ProcessGroup int

const (
	// GroupAuto is GroupShared if the program reads the terminal of this process as its standard
	// input, and GroupOwn otherwise.
	GroupAuto ProcessGroup = iota
	// GroupOwn is a new group, which is ended as a whole. Ctrl-C does not reach it, and the system
	// stops it if it reads from the terminal.
	GroupOwn
	// GroupShared is the group of this process. Ctrl-C reaches the program at the same time as this
	// process. Only the program itself can be ended, not the processes that it has started.
	GroupShared
	// GroupSession is a new session without a terminal, and a new group in it.
	GroupSession
)

// A Limit is a resource limit: setrlimit(2). Its unit depends on the resource.
type Limit struct {
	Resource   int    // such as syscall.RLIMIT_NOFILE
	Soft, Hard uint64 // math.MaxUint64 means no limit
}

// A Terminal is a pseudo-terminal for a program.
type Terminal struct {
	Rows, Columns uint16 // 0 means 24 rows and 80 columns
}
