package process

import (
	"errors"
	"syscall"
)

// closeRange fails: close_range(2) closes here, and marks only since FreeBSD 15.
func closeRange(int) error { return errors.ErrUnsupported }

// descriptors lists all that may be open: /dev/fd does not tell without a file system of its own.
func descriptors() (open []int, err error) {
	soft, _, err := OwnLimit(syscall.RLIMIT_NOFILE)
	for fd := range int(min(soft, 1<<20)) {
		open = append(open, fd)
	}
	return open, err
}
