package subprocess

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/process"
)

// A child is a process of ours, from its birth until its status has been collected and nobody needs its
// group any more. A Process leads to its child, and never the other way round: so one that is dropped is
// garbage while the program runs on.
//
// A child has one owner from birth (reap.go), which alone collects its status:
//
//	runs ──► ended     by collect, under mu: the status is stored, those who wait are woken
//	ended ──► settled  when nobody signals the group any more: the pidfd is closed, and the child is
//	                   off the list of those that are killed when this process dies
//
// A signal is sent with mu held, and only after a look at ended: so without a pidfd, too, no signal
// goes to a number that is another process's by now. A group is signalled by its pidfd, which means it for
// ever, or by its number, as long as the leader's status has not been collected.
type child struct {
	// Set at birth.
	name        string
	pid         int
	fd          *poll.FD // the pidfd, nil for none
	leads       bool     // a process group, whose number is pid
	cgroup      *cgroup  // nil for none
	politely    syscall.Signal
	grace       time.Duration
	groupsByFD  bool          // the group can be signalled through fd
	isContained atomic.Uint32 // a Containment

	ended atomic.Bool // set under mu, after status

	mu        sync.Mutex
	exit      curio.WaitList[struct{}] // of tasks that wait for the end
	status    ExitStatus
	stops     int  // how many Stops are in progress: with the leader its group has to end
	asked     bool // the polite signal has been sent
	abandoned bool // by Close, or after a Stop: nobody signals the group any more
	settled   bool
}

// fork is what is known of a child when it is born.
type fork struct {
	pid, pidfd int // pidfd is -1 for none
	cgroup     *cgroup
}

// newChild makes a child of a process that has just been forked, and takes its pidfd over. It cannot fail:
// a pidfd that cannot be waited for is done without.
func newChild(name string, s *settings, f fork) *child {
	c := &child{
		name: name, pid: f.pid, leads: s.leads(), cgroup: f.cgroup, politely: s.politely, grace: s.grace,
	}
	c.exit.Mutex, c.exit.State, c.exit.Object, c.exit.Serve = &c.mu, "PROCESS_WAIT", c, c.serveLocked
	if f.pidfd >= 0 {
		c.fd = ownPidfd(f.pidfd)
	}
	c.groupsByFD = c.fd != nil && groupsByPidfd()
	switch {
	case c.cgroup != nil:
		c.isContained.Store(uint32(ContainedCgroup))
	case c.leads:
		c.isContained.Store(uint32(ContainedGroup))
	}
	return c
}

// For tests, which do without.
var (
	usePidfds     = process.Pidfds
	groupsByPidfd = process.GroupsByPidfd
)

// ownPidfd gives a pidfd to the poller, or closes it.
func ownPidfd(pidfd int) *poll.FD {
	if err := errors.Join(fault("pidfd"), process.MakeNonblocking(pidfd)); err != nil || !usePidfds() {
		syscall.Close(pidfd)
		return nil
	}
	fd, err := poll.New(pidfd, 0) // which closes it if it fails
	if err != nil {
		return nil
	}
	return fd
}

// injected is called at the steps at which something can go wrong. Tests set it; an error is taken for the
// system's.
var injected atomic.Pointer[func(step string) error]

func fault(step string) error {
	if f := injected.Load(); f != nil {
		return (*f)(step)
	}
	return nil
}

func (c *child) serveLocked() {
	if c.ended.Load() {
		c.exit.HandAll(struct{}{})
	}
}

// at calls call with what stands for the child, and keeps a pidfd open for that long.
func (c *child) at(call func(h process.Handle) error) error {
	if c.fd == nil {
		return call(process.Handle{Pid: c.pid, FD: -1})
	}
	err := c.fd.Control(func(fd int) error { return call(process.Handle{Pid: c.pid, FD: fd}) })
	if err == net.ErrClosed {
		return os.ErrProcessDone
	}
	return err
}

// signal sends sig to the process itself.
func (c *child) signal(sig syscall.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.signalLocked(sig)
}

func (c *child) signalLocked(sig syscall.Signal) error {
	if c.ended.Load() {
		return os.ErrProcessDone
	}
	if err := fault("signal"); err != nil {
		return err
	}
	return done(c.at(func(h process.Handle) error {
		if h.FD >= 0 {
			return process.SignalPidfd(h.FD, sig)
		}
		if _, err := h.HasEnded(); err == syscall.ECHILD { // somebody else has collected it
			return os.ErrProcessDone
		}
		return process.Signal(h.Pid, sig)
	}))
}

// signalGroupLocked sends sig to the members of the group that the process leads.
func (c *child) signalGroupLocked(sig syscall.Signal) error {
	if !c.leads || c.ended.Load() && !c.groupsByFD {
		return os.ErrProcessDone
	}
	if err := fault("signal"); err != nil && sig != 0 {
		return err
	}
	return done(c.at(func(h process.Handle) error {
		if c.groupsByFD {
			return process.SignalGroup(h.FD, sig)
		}
		ended, err := h.HasEnded()
		if err == syscall.ECHILD {
			return os.ErrProcessDone
		}
		err = process.Signal(-h.Pid, sig)
		if err == syscall.EPERM && ended { // macOS returns it for a group in which all have ended
			err = os.ErrProcessDone
		}
		return err
	}))
}

// done translates the error of a signal.
func done(err error) error {
	if err == syscall.ESRCH {
		return os.ErrProcessDone
	}
	return err
}

// kill kills the process and all that it has started, as far as it is contained. It does not wait.
func (c *child) kill() error {
	if c.cgroup != nil && c.cgroup.kill() != nil {
		c.isContained.CompareAndSwap(uint32(ContainedCgroup), uint32(c.withoutCgroup()))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.killLocked()
}

// killLocked is kill without the cgroup. The leader is killed by itself, too: it may have left its group.
func (c *child) killLocked() error {
	group := c.signalGroupLocked(syscall.SIGKILL)
	err := c.signalLocked(syscall.SIGKILL)
	if err == nil || err == os.ErrProcessDone {
		err = group
	}
	if err == os.ErrProcessDone {
		return nil
	}
	return err
}

func (c *child) withoutCgroup() Containment {
	if c.leads {
		return ContainedGroup
	}
	return ContainedNone
}

func (c *child) containment() Containment { return Containment(c.isContained.Load()) }

// abandon is Close: it kills what still runs, and nobody signals the group any more.
func (c *child) abandon() (err error) {
	if !c.ended.Load() {
		err = c.kill()
	}
	c.mu.Lock()
	c.abandoned = true
	c.mu.Unlock()
	c.settle()
	return err
}

// collect takes the status if the process has ended, and wakes those who wait for that. Only the owner
// calls it.
func (c *child) collect() (ended bool) {
	_ = fault("collect")
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.at(func(h process.Handle) error {
		if c.stops > 0 && !c.groupsByFD { // the last moment in which its number means the group
			if over, err := h.HasEnded(); err == nil && over {
				_ = c.signalGroupLocked(syscall.SIGKILL)
			}
		}
		s, over, err := h.Collect()
		switch {
		case err == syscall.ECHILD:
			c.status, ended = ExitStatus{Code: -1, Unknown: true}, true
		case err == nil && over:
			c.status, ended = exitStatus(s), true
		}
		return nil
	})
	if ended {
		c.ended.Store(true)
		c.serveLocked()
	}
	return ended
}

// settle closes the pidfd if the process has ended and nobody needs its group. If the program has left
// somebody behind in it, that is when a Stop has ended, or Close was called, or the Process is garbage.
func (c *child) settle() {
	c.mu.Lock()
	over := c.ended.Load() && c.stops == 0
	now := over && !c.settled && (c.abandoned || !c.groupsByFD || c.signalGroupLocked(0) == os.ErrProcessDone)
	c.settled = c.settled || now
	c.mu.Unlock()
	if over {
		living.remove(c)
	}
	if now && c.fd != nil {
		_ = c.fd.Close()
	}
}

// stopped reports whether the process is stopped.
func (c *child) stopped() (stopped bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended.Load() {
		return false
	}
	_ = c.at(func(h process.Handle) error {
		stopped = h.IsStopped()
		return nil
	})
	return stopped
}

func (c *child) failed(op string, err error) error {
	return &Error{Op: op, Name: c.name, Pid: c.pid, Err: err}
}

// String describes the process for people. It tells whether the process is stopped, as that may be
// the reason for a long wait.
func (c *child) String() string {
	state := ""
	switch {
	case c.ended.Load():
		state = ", ended"
	case c.stopped():
		state = ", stopped"
	}
	return fmt.Sprintf("process %d (%s%s)", c.pid, c.name, state)
}

// exitStatus translates what the system says.
func exitStatus(s process.Status) ExitStatus {
	status := ExitStatus{
		Code: s.Code, CoreDumped: s.CoreDumped,
		UserTime: time.Duration(s.Usage.Utime.Nano()), SystemTime: time.Duration(s.Usage.Stime.Nano()),
		MaxRSS: int64(s.Usage.Maxrss) * process.RusageUnit,
	}
	if s.Signal != 0 {
		status.Signal = s.Signal
	}
	return status
}
