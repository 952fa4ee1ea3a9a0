//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
)

func TestPin(t *testing.T) {
	cpu := firstCPU()
	c, err := command(t.Context(), []int{cpu}, "cat", "/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	output, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("\nCpus_allowed_list:\t%d\n", cpu); !bytes.Contains(output, []byte(want)) {
		t.Errorf("no %q in\n%s", want, output)
	}
}

func TestPinErrors(t *testing.T) {
	for _, arguments := range []string{"", "0", "0 --", "x -- true", "0 true x", "1023 -- true"} {
		if err := pin(strings.Fields(arguments)); err == nil {
			t.Errorf("%q: no error", arguments)
		}
	}
}

func TestStartAndStop(t *testing.T) {
	s, err := start(t.Context(), mode{server: []int{firstCPU()}}, testServer("serve").command)
	if err != nil {
		t.Fatal(err)
	}
	if !listening(s.port) {
		t.Error("does not listen")
	}
	if err := s.alive(); err != nil {
		t.Error(err)
	}
	s.stop()
	if listening(s.port) {
		t.Error("still listens")
	}
	if err := s.alive(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("after its end: %v", err)
	}
}

func TestStartFails(t *testing.T) {
	m := mode{server: []int{firstCPU()}}
	_, err := start(t.Context(), m, []string{"sh", "-c", "echo sorry >&2; exit 3"})
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "sorry") {
		t.Errorf("got %v", err)
	}
	if _, err := start(t.Context(), m, []string{"/nonexistent/server"}); err == nil {
		t.Error("no error from a command that does not exist")
	}
}

// TestStopKillsWholeGroup has a server behind a wrapper, which a shell is.
func TestStopKillsWholeGroup(t *testing.T) {
	line := []string{"sh", "-c", `"$0" "$@" & wait`}
	s, err := start(t.Context(), mode{server: []int{firstCPU()}}, append(line, testServer("serve").command...))
	if err != nil {
		t.Fatal(err)
	}
	if found := family(s.command.Process.Pid); len(found) != 2 {
		t.Errorf("family %v", found)
	}
	s.stop()
	testutil.Await(t, "the port to be free", func() bool { return !listening(s.port) })
}

// TestServerDiesWithRunner kills a runner that has a server.
func TestServerDiesWithRunner(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// Into a file: a pipe would be held open by the server.
	output, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	c := exec.Command(self, "start-and-die", "now")
	c.Stdout = output
	if err := c.Run(); err == nil {
		t.Fatal("was not killed")
	}
	text, _ := os.ReadFile(output.Name())
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	testutil.Await(t, "the server to be gone", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		// Its new parent may be slow to bury it.
		return err != nil || bytes.Contains(stat, []byte(") Z "))
	})
}

func TestTail(t *testing.T) {
	var output tail
	for range 1000 {
		fmt.Fprint(&output, "0123456789")
	}
	fmt.Fprint(&output, " the end\n")
	if got := output.String(); len(got) > tailSize || !strings.HasSuffix(got, "9 the end") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

func TestCancelStopsWaiting(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	began := time.Now()
	if _, err := start(ctx, mode{server: []int{firstCPU()}}, []string{"sh", "-c", "sleep 60"}); err == nil {
		t.Error("no error")
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}
