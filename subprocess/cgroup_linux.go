package subprocess

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/curio-go/curio/internal/process"
)

// A cgroup is one of version 2 that a program is started in.
type cgroup struct {
	dir string
	fd  int // while the program is started
}

var errOwnCgroup = errors.New("this process is in that cgroup, and would be killed with the program")

// openCgroup opens a cgroup for a start. It returns nil if that cannot be used: as it is none of
// version 2, or cannot be killed, which is possible since Linux 5.14 and if its files belong to us.
func openCgroup(dir string) (*cgroup, error) {
	if dir == "" {
		return nil, nil
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if !isWritable(filepath.Join(dir, "cgroup.kill")) || fault("cgroup") != nil {
		return nil, nil
	}
	if containsUs(dir) {
		return nil, &os.PathError{Op: "cgroup", Path: dir, Err: errOwnCgroup}
	}
	fd, err := openPath(dir)
	if err != nil {
		return nil, nil
	}
	return &cgroup{dir: dir, fd: fd}, nil
}

func isWritable(path string) bool {
	const writable = 2 // W_OK
	return syscall.Access(path, writable) == nil
}

func openPath(dir string) (fd int, err error) {
	for {
		const path = 0x200000 // O_PATH
		fd, err = syscall.Open(dir, path|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
		if err != syscall.EINTR {
			return fd, err
		}
	}
}

// containsUs reports whether this process is in the cgroup or in one below it.
func containsUs(dir string) bool { return slices.Contains(members(dir), os.Getpid()) }

// members returns the processes in the cgroup and in those below it.
func members(dir string) (pids []int) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil // a cgroup that has just been removed
		}
		list, _ := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		for line := range bytes.Lines(list) {
			if pid, err := strconv.Atoi(string(bytes.TrimSpace(line))); err == nil {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids
}

// manyMembers is how many are signalled at a time, each with a descriptor.
const manyMembers = 64

// signal sends sig to those in the cgroup except the leader and its group. Somebody who comes meanwhile is
// missed: it is for a polite signal.
func (g *cgroup) signal(sig syscall.Signal, leader int) {
	for pids := range slices.Chunk(members(g.dir), manyMembers) {
		g.signalSome(pids, sig, leader)
	}
}

// signalSome signals members by pidfds. One whose number is on the list again after its pidfd was opened
// is a member, or has ended, in which case nobody gets the signal.
func (g *cgroup) signalSome(pids []int, sig syscall.Signal, leader int) {
	pidfds := make(map[int]int)
	for _, pid := range pids {
		if group, _ := syscall.Getpgid(pid); pid == leader || group == leader {
			continue
		}
		if fd, err := process.OpenPidfd(pid); err == nil {
			pidfds[pid] = fd
		}
	}
	if len(pidfds) == 0 {
		return
	}
	still := members(g.dir)
	for pid, fd := range pidfds {
		if slices.Contains(still, pid) {
			_ = process.SignalPidfd(fd, sig)
		}
		syscall.Close(fd)
	}
}

// close lets go of the directory, when the program has been started. g may be nil.
func (g *cgroup) close() {
	if g != nil {
		syscall.Close(g.fd)
		g.fd = -1
	}
}

// kill kills all that is in the cgroup.
func (g *cgroup) kill() error {
	file, err := os.OpenFile(filepath.Join(g.dir, "cgroup.kill"), os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) { // the cgroup has been removed, so it was empty
		return nil
	}
	if err != nil {
		return err
	}
	_, err = file.WriteString("1")
	return errors.Join(err, file.Close())
}

// isPopulated reports whether somebody is in the cgroup.
func (g *cgroup) isPopulated() bool {
	events, err := os.ReadFile(filepath.Join(g.dir, "cgroup.events"))
	return err == nil && bytes.Contains(events, []byte("populated 1"))
}

// refusesCgroup reports whether a start can have failed because of the cgroup: an old kernel, or one
// that is not allowed to be used so (ENOSYS), a cgroup with threads (EOPNOTSUPP), one with controllers for
// those below it (EBUSY), one that was not delegated to us (EACCES), one that has been removed (ENODEV,
// ENOENT), or a directory that only looks like one (EBADF).
func refusesCgroup(err error) bool {
	switch err {
	case syscall.ENOSYS, syscall.EOPNOTSUPP, syscall.EBUSY, syscall.EACCES, syscall.ENODEV, syscall.ENOENT, syscall.EPERM,
		syscall.EBADF:
		return true
	}
	return false
}
