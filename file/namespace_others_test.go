//go:build !linux

package file_test

import (
	"errors"
	"os/exec"
	"testing"
)

func isolate(*exec.Cmd, bool) error { return errors.ErrUnsupported }

func tinyDisk(t *testing.T) string {
	t.Helper()
	t.Skip("file systems are mounted on Linux only")
	return ""
}

func bindMount(t *testing.T, _, _ string) {
	t.Helper()
	t.Skip("file systems are mounted on Linux only")
}
