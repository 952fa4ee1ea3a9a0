package testutil

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// A Child is a process that a test has started. It is killed when the test ends,
// if it still runs.
type Child struct {
	// Stdin is the child's standard input.
	Stdin io.WriteCloser

	t       testing.TB
	command *exec.Cmd
	out     output
	err     output
	done    chan struct{} // closed when the process has ended and its output is complete
}

// Self starts this test binary once more, as a child in which Main runs what it was
// given. Whatever goes wrong with the child ends the test.
func Self(t testing.TB, args ...string) *Child {
	t.Helper()
	return startSelf(t, exec.Command(executable(t), args...))
}

// Shell is Self for children that a shell starts: in a script, "$0" "$@" is this test binary with args.
// The shell, which the test must have called Need for, is in a process group of its own, with what it
// starts.
func Shell(t testing.TB, shell, script string, args ...string) *Child {
	t.Helper()
	command := Command(t, shell, append([]string{"-c", script, executable(t)}, args...)...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c := startSelf(t, command)
	t.Cleanup(func() {
		select {
		case <-c.done: // nobody is left, and the number may be another group's
		default: // the processes that are left have the shell's output open
			_ = syscall.Kill(-c.PID(), syscall.SIGKILL)
		}
	})
	return c
}

func executable(t testing.TB) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// startSelf starts a command that is this test binary, or starts it.
func startSelf(t testing.TB, command *exec.Cmd) *Child {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	t.Cleanup(func() { w.Close() })
	command.Env = append(os.Environ(), childVariable+"=1")
	if Race { // it would wait for a second before it exits
		command.Env = append(command.Env, "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0")
	}
	command.ExtraFiles = []*os.File{r}
	return start(t, command)
}

// Need skips the test if the program is not installed. It has to be the first call in a
// test: the skip would abandon a task or a child that was started before.
func Need(t testing.TB, program string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed here: %v", program, err)
	}
	if program == "nc" {
		needNetcat(t, path)
	}
	needed.Store(t.Name()+" "+program, true)
}

// NeedReachable skips the test if other users may not go to path, because of a directory above it.
func NeedReachable(t testing.TB, path string) {
	t.Helper()
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&1 == 0 {
			t.Skipf("other users may not go to %s, because of %s", path, dir)
		}
		if dir == filepath.Dir(dir) {
			return
		}
	}
}

// needNetcat skips the test if nc does not support both Unix sockets and half-closing, as
// OpenBSD's nc does.
func needNetcat(t testing.TB, path string) {
	t.Helper()
	help, _ := exec.Command(path, "-h").CombinedOutput() // its exit status means nothing
	for _, option := range []string{"-N", "-U"} {
		if !bytes.Contains(help, []byte(option)) {
			t.Skipf("%s has no option %s: it is not the one of OpenBSD", path, option)
		}
	}
}

// needed has an entry for each test and program for which Need was called.
var needed sync.Map

// Program starts a program. The test, or a test that it is a part of, must have called
// Need. That is checked even on machines that have all programs, so that a missing Need
// shows there, too.
func Program(t testing.TB, name string, args ...string) *Child {
	t.Helper()
	return start(t, Command(t, name, args...))
}

// Command is exec.Command for a test that has called Need, as it must for Program.
func Command(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	for test := t.Name(); ; {
		if _, ok := needed.Load(test + " " + name); ok {
			return exec.Command(name, args...)
		}
		i := strings.LastIndexByte(test, '/')
		if i < 0 {
			t.Fatalf("a test that runs %[1]s begins with testutil.Need(t, %[1]q)", name)
		}
		test = test[:i]
	}
}

func start(t testing.TB, command *exec.Cmd) *Child {
	t.Helper()
	c := &Child{t: t, command: command, done: make(chan struct{})}
	c.out.changed, c.err.changed = make(chan struct{}), make(chan struct{})
	command.Stdout, command.Stderr = &c.out, &c.err
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stdin = stdin
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = command.Wait() // the status is in command.ProcessState
		close(c.done)
	}()
	t.Cleanup(func() {
		c.Kill()
		<-c.done
		c.Stdin.Close()
		if t.Failed() && c.Stderr() != "" {
			t.Logf("%s wrote to standard error:\n%s", command.Path, c.Stderr())
		}
	})
	return c
}

// PID is the child's process id.
func (c *Child) PID() int { return c.command.Process.Pid }

// Line returns the next line of the child's standard output.
func (c *Child) Line() string {
	c.t.Helper()
	bound, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	for {
		line, ok, changed := c.out.line()
		if ok {
			return line
		}
		select {
		case <-changed:
		case <-c.done:
			if line, ok, _ = c.out.line(); ok {
				return line
			}
			c.t.Fatalf("%s ended with %v and printed no more; standard error:\n%s", c.command.Path, c.command.ProcessState, c.Stderr())
		case <-bound.Done():
			c.hangs("it prints no line")
		}
	}
}

// After returns what the next line has after prefix, which it must begin with.
func (c *Child) After(prefix string) string {
	c.t.Helper()
	line := c.Line()
	rest, ok := strings.CutPrefix(line, prefix)
	if !ok {
		c.t.Fatalf("%s printed %q, not a line that begins with %q", c.command.Path, line, prefix)
	}
	return rest
}

// Rest waits for the child to end and returns what it has printed since the last
// line taken, and its exit status, -1 if a signal ended it.
func (c *Child) Rest() (printed string, status int) {
	c.t.Helper()
	status = c.Wait()
	return c.out.rest(), status
}

// EndedBy waits for the child to end, which must be by the signal, and returns what it has said since
// the last line taken: what it has printed, and all that it has written to standard error.
func (c *Child) EndedBy(sig syscall.Signal) (said string) {
	c.t.Helper()
	printed, _ := c.Rest()
	if status := c.command.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != sig {
		c.t.Errorf("%s ended with %v, want the signal %q", c.command.Path, c.command.ProcessState, sig)
	}
	return printed + c.Stderr()
}

// Wait waits for the child to end and returns its exit status, -1 if a signal
// ended it.
func (c *Child) Wait() int {
	c.t.Helper()
	bound, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	select {
	case <-c.done:
	case <-bound.Done():
		c.hangs("it does not end")
	}
	return c.command.ProcessState.ExitCode()
}

// hangs ends the test. If the child is a Go program it prints its goroutines.
func (c *Child) hangs(what string) {
	c.t.Helper()
	_ = c.command.Process.Signal(syscall.SIGQUIT)
	bound, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	select {
	case <-c.done:
	case <-bound.Done():
		c.Kill()
	}
	c.t.Fatalf("%s: %s within %v", c.command.Path, what, Patience)
}

// Stderr is what the child has written to its standard error so far.
func (c *Child) Stderr() string { return c.err.String() }

// Interrupt sends SIGINT to the child, as Ctrl-C does.
func (c *Child) Interrupt() {
	c.t.Helper()
	if err := c.command.Process.Signal(os.Interrupt); err != nil {
		c.t.Fatal(err)
	}
}

// InterruptGroup sends SIGINT to the child's process group, as a terminal does at Ctrl-C. It is for a
// child of Shell.
func (c *Child) InterruptGroup() {
	c.t.Helper()
	if err := syscall.Kill(-c.PID(), syscall.SIGINT); err != nil {
		c.t.Fatal(err)
	}
}

// Signal sends a signal to the child.
func (c *Child) Signal(sig syscall.Signal) {
	c.t.Helper()
	if err := c.command.Process.Signal(sig); err != nil {
		c.t.Fatal(err)
	}
}

// InterruptAgain sends SIGINT until the child has ended, for a child that has received a
// first Interrupt and is still busy with that. It returns the child's exit status, or -1 if
// the signal ended it.
func (c *Child) InterruptAgain() int {
	c.t.Helper()
	Await(c.t, "end of the child", func() bool {
		if err := c.command.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
			c.t.Fatal(err)
		}
		select {
		case <-c.done:
			return true
		default:
			return false
		}
	})
	return c.command.ProcessState.ExitCode()
}

// Kill ends the child with SIGKILL, if it still runs.
func (c *Child) Kill() {
	if err := c.command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.t.Error(err)
	}
}

// An output collects what a child writes.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed at the next Write
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(p)
}

// line takes the next complete line. If there is none, changed tells when to look
// again.
func (o *output) line() (line string, ok bool, changed <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := bytes.IndexByte(o.text.Bytes(), '\n')
	if i < 0 {
		return "", false, o.changed
	}
	return strings.TrimSuffix(string(o.text.Next(i+1)), "\n"), true, nil
}

func (o *output) rest() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text.Next(o.text.Len()))
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
