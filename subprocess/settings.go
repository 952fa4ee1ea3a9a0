package subprocess

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/curio-go/curio/internal/process"
)

// defaultGrace is the grace time if Cmd.Grace is 0.
const defaultGrace = 5 * time.Second

// settings are a Cmd, worked out for one start.
type settings struct {
	path     string // what is executed
	dir      string
	args     []string
	env      []string
	attr     syscall.SysProcAttr
	cgroup   string
	limits   []Limit
	politely syscall.Signal
	grace    time.Duration
}

// leads reports whether the program will lead a process group.
func (s *settings) leads() bool { return s.attr.Setpgid || s.attr.Setsid }

// settle works out how to start c with std as its standard streams.
func (c *Cmd) settle(std [3]*os.File) (*settings, error) {
	s := &settings{
		path: c.Path, dir: c.Dir, args: c.Args, cgroup: c.Cgroup, limits: c.Limits,
		politely: syscall.SIGTERM, grace: c.Grace,
	}
	if len(s.args) == 0 {
		s.args = []string{c.Path}
	}
	switch {
	case c.Grace == 0:
		s.grace = defaultGrace
	case c.Grace < 0:
		s.grace = 0
	}
	if c.StopSignal != nil {
		sig, ok := c.StopSignal.(syscall.Signal)
		if !ok {
			return nil, fmt.Errorf("StopSignal is %v of type %T, which is not a signal of the system", c.StopSignal, c.StopSignal)
		}
		s.politely = sig
	}
	if err := c.checkTexts(); err != nil {
		return nil, err
	}
	if len(c.Limits) > 0 && runtime.GOOS != "linux" {
		return nil, fmt.Errorf("resource limits: %w on %s", errors.ErrUnsupported, runtime.GOOS)
	}
	if err := s.find(); err != nil {
		return nil, err
	}
	s.env = (&exec.Cmd{Env: c.Env, Dir: c.Dir}).Environ() // its error is about NUL, which has been looked for
	s.attr.Credential = c.Credential
	return s, s.place(c, std)
}

// find looks the program up as package os/exec does.
func (s *settings) find() error {
	switch {
	case s.path == "":
		return errors.New("no program: Cmd.Path is empty")
	case filepath.Base(s.path) != s.path:
		return nil // it has a slash
	}
	path, err := exec.LookPath(s.path)
	if err != nil {
		return err
	}
	s.path = path
	return nil
}

// place decides on the group, the session and the terminal.
func (s *settings) place(c *Cmd, std [3]*os.File) error {
	group := c.Group
	if c.Terminal != nil {
		for i, x := range [...]Stdio{c.Stdin, c.Stdout, c.Stderr} { // not by std: that may have somebody else's terminal, too
			if x == Stdio(tty) {
				if group == GroupShared {
					return errors.New("GroupShared with a Terminal: a program that has a terminal of its own is in a session of its own")
				}
				s.attr.Setsid, s.attr.Setctty, s.attr.Ctty = true, true, i
				return nil
			}
		}
	}
	if group == GroupAuto {
		group = GroupOwn
		if control(std[0], process.IsOurTerminal) {
			group = GroupShared
		}
	}
	switch group {
	case GroupOwn:
		s.attr.Setpgid = true
	case GroupSession:
		s.attr.Setsid = true
	case GroupShared:
	default:
		return fmt.Errorf("there is no process group %d: Cmd.Group is one of the constants", group)
	}
	return nil
}

// control asks something about the descriptor of f, of which it changes nothing. f may be nil.
func control(f *os.File, ask func(fd int) bool) (yes bool) {
	if f == nil {
		return false
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) { yes = ask(int(fd)) })
	return yes
}

// checkTexts refuses what the system cannot be given: its texts end with a NUL.
func (c *Cmd) checkTexts() error {
	refuse := func(what string) error {
		return fmt.Errorf("%s has a NUL in it: %w", what, syscall.EINVAL)
	}
	switch {
	case strings.Contains(c.Path, "\x00"):
		return refuse("the path")
	case strings.Contains(c.Dir, "\x00"):
		return refuse("the directory")
	}
	for i, arg := range c.Args {
		if strings.Contains(arg, "\x00") {
			return refuse(fmt.Sprintf("argument %d", i))
		}
	}
	for i, entry := range c.Env {
		if strings.Contains(entry, "\x00") {
			key, _, _ := strings.Cut(entry, "=")
			return refuse(fmt.Sprintf("entry %d of the environment, %q,", i, key))
		}
	}
	return nil
}
