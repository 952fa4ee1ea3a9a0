package subprocess

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// The system says of a failed start only a number, and the same one for several reasons. This file looks
// afterwards which it was. What it finds may have changed by then, so it only ever adds to the number.

// explain says more about why the start has failed with err.
func (s *settings) explain(err error) error {
	errno, ok := err.(syscall.Errno)
	if !ok {
		return err
	}
	switch errno {
	case syscall.ENOENT, syscall.ENOTDIR, syscall.EACCES, syscall.ELOOP, syscall.ENAMETOOLONG:
		if wrong := s.wrongDir(errno); wrong != nil {
			return wrong
		}
	}
	failed := &os.PathError{Op: "exec", Path: s.path, Err: errno}
	switch errno {
	case syscall.ENOENT:
		if why := s.missingInterpreter(); why != "" {
			return fmt.Errorf("%w: %s", failed, why)
		}
	case syscall.ENOEXEC:
		return fmt.Errorf("%w: it does not begin with #!, and is not a program for this system", failed)
	case syscall.EACCES:
		if info, err := os.Stat(s.fromHere()); err == nil && info.IsDir() {
			failed.Err = syscall.EISDIR
		}
	case syscall.E2BIG:
		return fmt.Errorf("%w: %s", failed, s.longest())
	case syscall.EAGAIN:
		return fmt.Errorf("%w: the limit of processes is reached: see RLIMIT_NPROC, and pids.max of the cgroup", failed)
	case syscall.EBADF: // all that it gets are open: so it is what dup3(2) says of a number that is too high
		failed.Err = syscall.EMFILE
		return fmt.Errorf("%w: a start needs a descriptor above all those that the program gets, and there is none: see RLIMIT_NOFILE", failed)
	case syscall.ENOMEM:
		return fmt.Errorf("%w: there is not enough memory for another process", failed)
	case syscall.EPERM:
		return s.explainPermission(failed)
	}
	return failed
}

// explainPermission is for EPERM, which says that the process may not do something to itself.
func (s *settings) explainPermission(failed error) error {
	var needs []string
	if s.attr.Credential != nil {
		needs = append(needs, "another user or other groups need privileges")
	}
	if len(s.limits) > 0 {
		needs = append(needs, "limits need ptrace(2), which may be forbidden here")
	}
	if s.attr.Setctty {
		needs = append(needs, "the terminal may be another session's")
	}
	if len(needs) == 0 {
		return failed
	}
	return fmt.Errorf("%w: %s", failed, strings.Join(needs, "; "))
}

// wrongDir returns an error about the working directory, if that is what is missing.
func (s *settings) wrongDir(errno syscall.Errno) error {
	if s.dir == "" {
		return nil
	}
	info, err := os.Stat(s.dir)
	var path *os.PathError
	switch {
	case errors.As(err, &path):
		return &os.PathError{Op: "chdir", Path: s.dir, Err: path.Err}
	case err == nil && !info.IsDir():
		return &os.PathError{Op: "chdir", Path: s.dir, Err: syscall.ENOTDIR}
	case errno == syscall.EACCES && syscall.Access(s.dir, mayEnter) != nil:
		return &os.PathError{Op: "chdir", Path: s.dir, Err: errno}
	}
	return nil
}

const mayEnter = 1 // X_OK

// fromHere is the program's path as seen from our working directory.
func (s *settings) fromHere() string {
	if s.dir == "" || filepath.IsAbs(s.path) {
		return s.path
	}
	return filepath.Join(s.dir, s.path)
}

// missingInterpreter says what is missing if the program itself is not.
func (s *settings) missingInterpreter() string {
	path := s.fromHere()
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer file.Close()
	line, _ := bufio.NewReader(io.LimitReader(file, 4096)).ReadString('\n')
	interpreter, isScript := strings.CutPrefix(line, "#!")
	if !isScript {
		return "the file is there, but not the loader that it needs"
	}
	name, _, _ := strings.Cut(strings.TrimLeft(strings.TrimRight(interpreter, "\n"), " \t"), " ")
	if strings.HasSuffix(name, "\r") {
		return fmt.Sprintf("its interpreter %q does not exist: the line ends with \\r\\n", name)
	}
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return "" // there is more to it
	}
	return fmt.Sprintf("its interpreter %q does not exist", name)
}

// maxText is how long an argument or an entry of the environment may be, on Linux with pages of 4 KiB.
const maxText = 128<<10 - 1

// longest says which text, or how many bytes of all, the system has refused.
func (s *settings) longest() string {
	size := 0
	for i, arg := range s.args {
		if len(arg) > maxText {
			return fmt.Sprintf("argument %d has %d bytes", i, len(arg))
		}
		size += len(arg) + 1
	}
	for _, entry := range s.env {
		if len(entry) > maxText {
			key, _, _ := strings.Cut(entry, "=")
			return fmt.Sprintf("%s in the environment has %d bytes", key, len(entry))
		}
		size += len(entry) + 1
	}
	return fmt.Sprintf("arguments and environment have %d bytes", size)
}
