package subprocess

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/curio-go/curio/internal/process"
	"github.com/curio-go/curio/internal/wait"
)

// A start goes through these steps. It is one call of the system from the fork until exec has read the
// program's file, and cannot be cut short; before and after that ctx counts.
//
//	settle    looks everything up, and refuses what cannot work
//	fork      the child comes into being, with its pidfd, and executes the program
//	limit     sets the limits, if there are any, while it stands before its first instruction
//	own       from here on it has an owner: what has failed, or fails after that, kills it, and the owner
//	          collects it
//	settleIn  if ctx is done by now, the child is killed
//
// The fork is made on the caller's thread, as the child inherits things from that: what the caller has set
// up after runtime.LockOSThread counts.

// start starts the program with std as its standard streams, of which a nil one is the null device. The
// caller closes them. If it fails, nothing is left of the program.
func (c *Cmd) start(ctx context.Context, std [3]*os.File) (*Process, error) {
	if _, err := wait.At(ctx); err != nil {
		return nil, err
	}
	if wait.InBubble() && !usePidfds() {
		return nil, c.failed(errInBubble)
	}
	s, err := c.settle(std)
	if err != nil {
		return nil, c.failed(err)
	}
	files, closeNull, err := withNull(std, c.ExtraFiles)
	if err != nil {
		return nil, c.failed(err)
	}
	defer closeNull()
	var child *child
	err = withDescriptors(files, make([]uintptr, 0, len(files)), func(fds []uintptr) error {
		child, err = s.startPatiently(ctx, c.Path, fds)
		return err
	})
	if child == nil {
		if cut, ok := err.(*cutShort); ok {
			return nil, cut.err
		}
		return nil, c.failed(err)
	}
	p := &Process{child: child}
	if err == nil {
		err = p.settleIn(ctx)
	} else {
		err = c.failed(err)
	}
	if err != nil {
		p.destroy(ctx)
		return nil, err
	}
	return p, nil
}

var errInBubble = fmt.Errorf("%w: in a testing/synctest bubble its end would not be noticed, as this system reports it by a signal", errors.ErrUnsupported)

func (c *Cmd) failed(err error) error { return &Error{Op: "start", Name: c.Path, Err: err} }

// settleIn looks at ctx when the child has its owner.
func (p *Process) settleIn(ctx context.Context) error {
	settled := false
	defer func() { // a context that is not ours may panic
		if !settled {
			_ = p.child.kill()
		}
	}()
	err := fault("started")
	if err == nil {
		_, err = wait.At(ctx)
	}
	settled = true
	return err
}

// destroy kills the child of a start that has failed, and waits until it has been collected.
func (p *Process) destroy(ctx context.Context) {
	_ = p.child.abandon()
	_ = p.child.awaitDeath(ctx)
}

// A cutShort says that a start was ended by its context, whose error it has.
type cutShort struct{ err error }

func (e *cutShort) Error() string { return e.err.Error() }

// How often a start is tried if the program's file is being written: somebody who forks at the same time
// may have inherited the descriptor that has just written it, until that exec closes it.
const busyTries = 10

// startPatiently starts the program, and tries again if its file is busy. The child is not nil if it has
// come into being, even if something has failed after that.
func (s *settings) startPatiently(ctx context.Context, name string, fds []uintptr) (c *child, err error) {
	pause := wait.Pause{First: time.Millisecond, Most: 50 * time.Millisecond}
	for tries := 1; ; tries++ {
		c, err = s.startOnce(name, fds)
		if c != nil || err != syscall.ETXTBSY || tries == busyTries {
			break
		}
		if err := pause.Sleep(ctx); err != nil {
			return nil, &cutShort{err}
		}
	}
	if c == nil {
		err = s.explain(err)
	}
	return c, err
}

// startOnce starts the program, in the cgroup if that is possible.
func (s *settings) startOnce(name string, fds []uintptr) (*child, error) {
	group, err := openCgroup(s.cgroup)
	if err != nil {
		return nil, err
	}
	defer group.close()
	if group != nil {
		c, err := s.startIn(name, fds, group)
		if c != nil || !refusesCgroup(err) {
			return c, err
		}
	}
	return s.startIn(name, fds, nil)
}

// startIn starts the program. With limits it does so on one thread, which is the child's tracer.
func (s *settings) startIn(name string, fds []uintptr, group *cgroup) (*child, error) {
	if len(s.limits) == 0 {
		c, err := s.bear(name, fds, group, false)
		if err != nil {
			return nil, err
		}
		c.own()
		return c, nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	mask := process.HoldSignals()
	c, err := s.bear(name, fds, group, true)
	process.RestoreSignals(mask)
	if err != nil {
		return nil, err
	}
	err = s.limit(c, mask) // while nobody collects it, so that its number cannot be another's
	c.own()
	return c, err
}

// bear forks, and lists the child among those that are killed when this process dies.
func (s *settings) bear(name string, fds []uintptr, group *cgroup, traced bool) (*child, error) {
	if err := living.bear(); err != nil {
		return nil, err
	}
	defer living.born()
	f, err := s.fork(fds, group, traced)
	if err != nil {
		return nil, err
	}
	_ = fault("born")
	c := newChild(name, s, f)
	living.add(c)
	return c, nil
}

// fork is fork(2) and exec(2).
func (s *settings) fork(fds []uintptr, group *cgroup, traced bool) (fork, error) {
	if err := fault("fork"); err != nil {
		return fork{}, err
	}
	attr := s.attr // a copy: the system writes into it
	attr.Ptrace = traced
	f := fork{pidfd: -1, cgroup: group}
	setSystemAttr(&attr, &f)
	pid, _, err := syscall.StartProcess(s.path, s.args, &syscall.ProcAttr{Dir: s.dir, Env: s.env, Files: fds, Sys: &attr})
	f.pid = pid
	return f, err
}

// withNull returns the files that the child gets, with the null device for the standard streams that are
// nil.
func withNull(std [3]*os.File, extra []*os.File) (files []*os.File, closeNull func(), err error) {
	files = append(std[:], extra...)
	var null *os.File
	closeNull = func() {
		if null != nil {
			null.Close()
		}
	}
	for i := range std {
		if files[i] != nil {
			continue
		}
		if null == nil {
			if null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
				return nil, nil, err
			}
		}
		files[i] = null
	}
	return files, closeNull, nil
}

// withDescriptors calls call with the descriptors of files, and keeps them open for that long. It does not
// ask for them by File.Fd, which would put the files into blocking mode.
func withDescriptors(files []*os.File, fds []uintptr, call func(fds []uintptr) error) error {
	n := len(fds)
	if n == len(files) {
		return call(fds)
	}
	if files[n] == nil {
		return withDescriptors(files, append(fds, ^uintptr(0)), call) // the child has none with that number
	}
	raw, err := files[n].SyscallConn()
	if err != nil {
		return err
	}
	failed := raw.Control(func(fd uintptr) { err = withDescriptors(files, append(fds, fd), call) })
	if failed != nil {
		return &os.PathError{Op: "pass on", Path: files[n].Name(), Err: os.ErrClosed}
	}
	return err
}
