package subprocess

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Cmd says which program to run, and how. Its fields are those of exec.Cmd where they mean the same.
// Nothing changes a Cmd, so it can be run several times, also at the same time. The zero value has no
// program, and cannot be started.
//
// What a program inherits beside what is said here is up to the system: the umask, resource limits,
// and what belongs to the thread that starts it, such as its priority, its processors and the signals that
// it blocks. The thread is the caller's, so what has been set up after runtime.LockOSThread counts. A
// signal that was ignored or blocked when this process was started is so in the program, too. The limit of
// open files is the one that this process was started with, as the Go runtime raises only its own; if
// somebody has called syscall.Setrlimit for it, the program gets that. Of this process's descriptors
// the program has its standard streams and ExtraFiles, and none that Go or this library has opened otherwise;
// one that this process has itself inherited from a shell or so, and that does not close on exec, goes on to
// the program.
type Cmd struct {
	// Path is the program. If it has no slash, it is looked up in the PATH of this process, as
	// exec.LookPath does, even if Env has another PATH; a hit in the current directory is refused with
	// exec.ErrDot. A relative path with a slash is relative to Dir. No shell is involved: a file without
	// "#!" that is no program is syscall.ENOEXEC.
	Path string

	// Args are the arguments, with the program's name as the first one. If it is empty, the program
	// gets Path as its name, and no arguments.
	Args []string

	// Env is the environment, with entries "key=value"; of several with the same key the last one
	// counts. If it is nil, the program gets that of this process, in which PWD follows Dir. If it is
	// empty and not nil, the program gets none.
	Env []string

	// Dir is the working directory, the current one of this process if it is empty.
	Dir string

	// Stdin, Stdout and Stderr are the standard streams. A nil one is the null device, but Run,
	// CheckOutput, Lines and RunPipeline capture a Stdout or Stderr that is nil.
	Stdin, Stdout, Stderr Stdio

	// ExtraFiles are further descriptors for the program: entry i becomes descriptor 3+i. A nil entry is
	// a descriptor that the program does not have. The files stay the caller's, and are passed on as
	// they are: one that package os has put into non-blocking mode, as it does with pipes, is so in the
	// program, too.
	ExtraFiles []*os.File

	// Credential is the user and the groups that the program runs as, if it is not nil. It needs
	// privileges, even for the same user, unless NoSetGroups is set. Dir is entered as that user. HOME and
	// USER in the environment stay as they are.
	Credential *syscall.Credential

	// Group says which process group the program is in, and so how much of what it starts can be
	// ended with it.
	Group ProcessGroup

	// Limits are resource limits. The program does not make an instruction without them. They need
	// Linux, where ptrace(2) stops the program at its beginning, and a system that allows that; on others
	// the error is errors.ErrUnsupported. A program that gets privileges from its file (set-user-id,
	// capabilities) is refused unless this process is root's. The room for arguments is reckoned before
	// the limits count, so RLIMIT_STACK does not change it.
	Limits []Limit

	// Terminal gives the program a terminal of its own, a pseudo-terminal, for those of Stdin, Stdout
	// and Stderr that are TTY. It controls the program, which is in a session of its own.
	Terminal *Terminal

	// Cgroup is the directory of a cgroup (version 2) in which the program is started, and in which
	// everything is killed when the program is. It should be one for this program alone, and a new one for
	// each start: in a cgroup that was killed before, Linux (since 6.14) kills what is started at once. If the cgroup cannot be used, as it does not exist or was not
	// delegated to this user, or the system is too old (before Linux 5.14), the group takes its place, and
	// Containment says so. A cgroup with this process in it is refused. Removing it is the caller's.
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

	// Drain is how long Run, CheckOutput, Lines, RunPipeline and Communicate wait for more output once the
	// program has ended, if somebody else has its pipes still open. It counts from the last output on. 0
	// means 1 s; if it is negative, they wait for the end of the output, however long it takes.
	Drain time.Duration
}

// Command returns a Cmd that runs the program name with the given arguments, as exec.Command does.
func Command(name string, args ...string) *Cmd {
	return &Cmd{Path: name, Args: append([]string{name}, args...)}
}

// String returns the program and its arguments, for people: what has a space or a special character in it
// is quoted as in Go.
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

// A ProcessGroup says which process group a program is in. With a terminal, it decides two things: Ctrl-C
// and similar keys send their signals to one group, the foreground, which is that of this process if it
// was started by a shell; and the system stops any other process that reads from the terminal, by SIGTTIN, until it
// gets SIGCONT in the foreground. [Process.Stopped] tells when that has happened.
type ProcessGroup int

const (
	// GroupAuto is GroupShared if the program reads the terminal of this process as its standard
	// input, and GroupOwn otherwise.
	GroupAuto ProcessGroup = iota
	// GroupOwn is a new group. It is ended as a whole. Ctrl-C does not reach it, and the system
	// stops it if it reads from the terminal.
	GroupOwn
	// GroupShared is the group of this process. Ctrl-C reaches it, at the same time as this process, and
	// only the program itself is ended, not what it has started.
	GroupShared
	// GroupSession is a new session, and with it a new group, without a terminal.
	GroupSession
)

// A Limit is a resource limit of setrlimit(2). Which units it has depends on the resource.
type Limit struct {
	Resource   int    // such as syscall.RLIMIT_NOFILE
	Soft, Hard uint64 // math.MaxUint64 for no limit
}

// A Terminal is a pseudo-terminal for a program.
type Terminal struct {
	Rows, Columns uint16 // 24 and 80 if they are 0
}
