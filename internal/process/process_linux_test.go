package process

import (
	"syscall"
	"testing"
	"unsafe"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, func() {}) }

// spawn starts /bin/sh with a script, in a group of its own, and returns it with a pidfd and without.
func spawn(t *testing.T, script string) (byPidfd, byNumber Handle) {
	t.Helper()
	if !Pidfds() {
		t.Skip("there are no pidfds here")
	}
	fd := -1
	pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", script}, &syscall.ProcAttr{
		Sys: &syscall.SysProcAttr{PidFD: &fd, Setpgid: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	return Handle{Pid: pid, FD: fd}, Handle{Pid: pid, FD: -1}
}

func TestHandle(t *testing.T) {
	for _, c := range []struct {
		script string
		want   Status
	}{
		{"exit 3", Status{Code: 3}},
		{"kill -9 $$", Status{Code: -1, Signal: syscall.SIGKILL}},
	} {
		for _, number := range []bool{false, true} {
			h, n := spawn(t, c.script)
			if number {
				h = n
			}
			testutil.Await(t, "end", func() bool {
				ended, err := h.HasEnded()
				if err != nil {
					t.Fatal(err)
				}
				return ended
			})
			s, ended, err := h.Collect()
			used := s.Usage.Maxrss
			s.Usage = syscall.Rusage{}
			if s != c.want || !ended || err != nil || used == 0 {
				t.Errorf("%s: %+v %v %v, used %d", c.script, s, ended, err, used)
			}
			if _, ended, err := h.Collect(); ended || err != syscall.ECHILD {
				t.Errorf("%s, again: %v, %v", c.script, ended, err)
			}
			if ended, err := h.HasEnded(); ended || err != syscall.ECHILD {
				t.Errorf("%s, again: %v, %v", c.script, ended, err)
			}
			if !number {
				if err := SignalPidfd(h.FD, 0); err != syscall.ESRCH {
					t.Errorf("a signal after the end: %v", err)
				}
			}
		}
	}
}

func TestIsStopped(t *testing.T) {
	h, n := spawn(t, "kill -STOP $$")
	testutil.Await(t, "stop", h.IsStopped)
	for range 2 {
		if !h.IsStopped() || !n.IsStopped() {
			t.Error("it is not stopped any more")
		}
		if ended, err := h.HasEnded(); ended || err != nil {
			t.Errorf("a stopped one: %v, %v", ended, err)
		}
	}
	signal := SignalPidfd
	if GroupsByPidfd() {
		signal = SignalGroup
	}
	if err := signal(h.FD, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testutil.Await(t, "end", func() bool { _, ended, _ := h.Collect(); return ended })
	if h.IsStopped() || n.IsStopped() {
		t.Error("it is stopped after its end")
	}
}

// The bits of a mask are where the kernel has them.
func TestMask(t *testing.T) {
	var m Mask
	m.set(syscall.SIGHUP, true)
	m.set(64, true)
	words := (*[16]byte)(unsafe.Pointer(&m))
	ones := 0
	for _, b := range words[:maskSize] {
		for ; b != 0; b &= b - 1 {
			ones++
		}
	}
	if ones != 2 {
		t.Errorf("%x has %d bits", *words, ones)
	}
	m.set(64, false)
	m.set(syscall.SIGHUP, false)
	if m != (Mask{}) {
		t.Errorf("%x is left", *words)
	}
}

// A limit of this process itself is set, to what it is.
func TestSetLimit(t *testing.T) {
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &now); err != nil {
		t.Fatal(err)
	}
	if err := SetLimit(syscall.Getpid(), syscall.RLIMIT_CORE, uint64(now.Cur), uint64(now.Max)); err != nil {
		t.Error(err)
	}
	if err := SetLimit(syscall.Getpid(), 4711, 0, 0); err != syscall.EINVAL {
		t.Errorf("of an unknown resource: %v", err)
	}
}

// Package os comes to the same answer, and is asked where the question is dangerous.
func TestPidfdsOfPackageOS(t *testing.T) {
	if ours, theirs := Pidfds(), packageOSHasPidfds(); theirs && !ours {
		t.Errorf("package os has pidfds: %v, we: %v", theirs, ours)
	}
}
