//go:build linux || darwin

package process

import (
	"os"
	"runtime"
	"strconv"
)

// descriptors lists those that are open.
func descriptors() (open []int, err error) {
	dir := "/dev/fd"
	if runtime.GOOS == "linux" {
		dir = "/proc/self/fd"
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil {
			open = append(open, fd)
		}
	}
	return open, err
}
