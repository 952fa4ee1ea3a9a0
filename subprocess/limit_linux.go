package subprocess

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"github.com/curio-go/curio/internal/process"
)

// limit sets the resource limits of c, which stands before its first instruction or is about to, and
// lets it go. If it fails, c is left where it is, to be killed. The caller's thread has started c.
func (s *settings) limit(c *child, mask process.Mask) error {
	if err := fault("limits"); err != nil {
		return err
	}
	owed, err := process.AwaitExec(c.pid)
	if err != nil {
		return fmt.Errorf("resource limits: %w", err)
	}
	if err := mayBeTraced(c.pid, os.Geteuid()); err != nil {
		return err
	}
	for _, l := range s.limits {
		if err := process.SetLimit(c.pid, l.Resource, l.Soft, l.Hard); err != nil {
			err = fmt.Errorf("resource limit %d, to %d and %d: %w", l.Resource, l.Soft, l.Hard, err)
			if errors.Is(err, syscall.EPERM) {
				err = fmt.Errorf("%w: CAP_SYS_RESOURCE is needed to raise a hard limit, and for a program of another user or group", err)
			}
			return err
		}
	}
	if err := process.ReleaseAtExec(c.pid, mask, owed); err != nil {
		return fmt.Errorf("resource limits: %w", err)
	}
	return nil
}

var errPrivileged = errors.New("resource limits: this program gets privileges from its file (set-user-id, set-group-id or " +
	"capabilities), which the system withholds when we set limits without being root")

// mayBeTraced returns an error if the program would have got privileges from its file, if we, who run as
// the user euid, had not traced it. It looks at the file that is being executed, which for a script is the
// interpreter.
func mayBeTraced(pid, euid int) error {
	if euid == 0 {
		return nil
	}
	exe := "/proc/" + strconv.Itoa(pid) + "/exe"
	var info syscall.Stat_t
	if err := syscall.Stat(exe, &info); err != nil {
		return fmt.Errorf("resource limits: %w", &os.PathError{Op: "stat", Path: exe, Err: err})
	}
	setUser := info.Mode&syscall.S_ISUID != 0 && int(info.Uid) != euid
	setGroup := info.Mode&syscall.S_ISGID != 0 && info.Mode&syscall.S_IXGRP != 0 && int(info.Gid) != os.Getegid()
	size, err := syscall.Getxattr(exe, "security.capability", nil)
	if setUser || setGroup || err == nil && size > 0 {
		return errPrivileged
	}
	return nil
}
