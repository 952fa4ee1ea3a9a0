package subprocess_test

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/curio-go/curio/subprocess"
)

func TestStatusText(t *testing.T) {
	for want, s := range map[string]fmt.Stringer{
		"exit status 0":                 subprocess.ExitStatus{},
		"exit status 3":                 subprocess.ExitStatus{Code: 3},
		"signal: killed":                subprocess.ExitStatus{Code: -1, Signal: syscall.SIGKILL},
		"signal: aborted (core dumped)": subprocess.ExitStatus{Code: -1, Signal: syscall.SIGABRT, CoreDumped: true},
		"exit status unknown":           subprocess.ExitStatus{Code: -1, Unknown: true},
		"none":                          subprocess.ContainedNone,
		"group":                         subprocess.ContainedGroup,
		"cgroup":                        subprocess.ContainedCgroup,
		"Containment(7)":                subprocess.Containment(7),
	} {
		if got := s.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
