//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cpuVariable is the environment variable that says which CPU a child is to run on.
const cpuVariable = "NETWORK_BENCH_CPU"

// init pins a child, and becomes it once more: an affinity is a thread's, and the runtime
// has several by now.
func init() {
	cpu := os.Getenv(cpuVariable)
	if cpu == "" {
		return
	}
	os.Unsetenv(cpuVariable)
	runtime.LockOSThread()
	n, err := strconv.Atoi(cpu)
	if err == nil {
		var set unix.CPUSet
		set.Set(n)
		err = unix.SchedSetaffinity(0, &set)
	}
	if err == nil {
		err = syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), "GOMAXPROCS=1"))
	}
	exit(fmt.Errorf("pinning to CPU %s: %w", cpu, err))
}

// A child is a server or a client.
type child struct {
	command *exec.Cmd
	out     *bufio.Reader
}

func startSelf(cpu string, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{command: exec.Command(self, args...)}
	c.command.Env = append(os.Environ(), cpuVariable+"="+cpu)
	c.command.Stderr = os.Stderr
	c.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	return c, c.command.Start()
}

func (c *child) pid() int { return c.command.Process.Pid }

// line is the next line that the child prints.
func (c *child) line() (string, error) {
	line, err := c.out.ReadString('\n')
	if err == io.EOF {
		err = errors.New("it has ended without a word")
	}
	return strings.TrimSuffix(line, "\n"), err
}

func (c *child) kill() {
	_ = c.command.Process.Kill()
	_ = c.command.Wait()
}

// cpuOf is how much CPU time a process has used.
func cpuOf(pid int) (time.Duration, error) {
	// clock_getcpuclockid(3), as the system's library does it.
	var at unix.Timespec
	err := unix.ClockGettime(int32(^pid<<3|2), &at)
	return time.Duration(at.Nano()), err
}

// residentOf is how much memory a process has, in bytes.
func residentOf(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/%d/statm: %q", pid, text)
	}
	pages, err := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize()), err
}
