package subprocess

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/curio-go/curio"
)

// A child is a process of ours, from its birth until its status has been collected.
type child struct {
	name string
	pid  int

	mu     sync.Mutex
	exit   curio.WaitList[struct{}]
	ended  atomic.Bool
	status ExitStatus // before ended
}

func newChild(name string, pid int) *child {
	c := &child{name: name, pid: pid}
	c.exit.Mutex, c.exit.State, c.exit.Object, c.exit.Serve = &c.mu, "PROCESS_WAIT", c, c.serve
	return c
}

func (c *child) serve() {
	if c.ended.Load() {
		c.exit.HandAll(struct{}{})
	}
}

func (c *child) failed(op string, err error) error {
	return &Error{Op: op, Name: c.name, Pid: c.pid, Err: err}
}

func (c *child) stopped() bool { return false }

func (c *child) signal(sig syscall.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended.Load() {
		return os.ErrProcessDone
	}
	return syscall.Kill(c.pid, sig)
}

func (c *child) abandon() error { return c.signal(syscall.SIGKILL) }

func (c *child) containment() Containment { return ContainedNone }

func (c *child) String() string { return fmt.Sprintf("process %d (%s)", c.pid, c.name) }

// reap is naive.
func (c *child) reap() {
	var ws syscall.WaitStatus
	var ru syscall.Rusage
	_, err := syscall.Wait4(c.pid, &ws, 0, &ru)
	for err == syscall.EINTR {
		_, err = syscall.Wait4(c.pid, &ws, 0, &ru)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = ExitStatus{Code: ws.ExitStatus(), Unknown: err != nil}
	if ws.Signaled() {
		c.status.Signal = ws.Signal()
	}
	c.ended.Store(true)
	c.serve()
}
