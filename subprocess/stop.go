package subprocess

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// killBound is how long Stop waits for a process that has been killed. Tests make it shorter.
var killBound = 5 * time.Second

var errStillThere = errors.New("it is still there after SIGKILL; its status will be collected when it ends")

// Stop ends the program and the processes that it has started, as far as they are contained (see
// [Containment]), and returns the program's status. It sends Cmd.StopSignal to the process group
// and to the other processes in the cgroup, and SIGCONT to those that are stopped. After Cmd.Grace
// it kills all that are still running. If the program has already ended, Stop ends the processes
// that it has left behind in the same way.
//
// If ctx is done, even before the call, everything is killed at once, and the error is ctx's error;
// the status is still valid. If the program cannot be signalled because it runs as another user, or
// still exists 5 seconds after it was killed because the system holds it, the error is an [*Error],
// joined with ctx's error if ctx is done, and the status is collected when the program ends. Several
// tasks may call Stop; StopSignal is sent once.
//
// Before Linux 6.9, and on other systems, processes that the program leaves behind in its group
// have no grace time of their own: they are killed when the program ends.
//
// A task that waits is in the state PROCESS_WAIT, or TIME_SLEEP while only the program's
// descendants are still running.
func (p *Process) Stop(ctx context.Context) (ExitStatus, error) {
	c := p.child
	first := c.beginStop()
	defer c.endStop()
	over, cut, err := c.ask(ctx, first)
	if !over {
		err = errors.Join(err, c.kill())
		if still := c.awaitDeath(ctx); still != nil {
			err = errors.Join(err, still)
		} else {
			err = nil // it has ended after all
		}
	}
	if err != nil {
		err = c.failed("stop", err)
	}
	status, _ := p.Poll()
	switch {
	case cut == nil:
	case err == nil:
		err = cut
	default:
		err = errors.Join(cut, err)
	}
	return status, err
}

// beginStop makes the group end with its leader, and reports whether it is the first Stop to do so.
func (c *child) beginStop() (first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stops++
	first = !c.asked
	c.asked = true
	return first
}

func (c *child) endStop() {
	c.mu.Lock()
	c.stops--
	c.abandoned = c.abandoned || c.ended.Load()
	c.mu.Unlock()
	c.settle()
}

// ask asks all to end, and waits for that until the grace time is over. over reports that no
// process is left. cut is ctx's error if ctx was done during the wait. err is the reason if no
// process could be asked.
func (c *child) ask(ctx context.Context, first bool) (over bool, cut, err error) {
	if _, cut = wait.At(ctx); cut != nil {
		return c.ended.Load() && !c.hasOthers(), cut, nil
	}
	if c.grace <= 0 {
		return c.ended.Load() && !c.hasOthers(), nil, nil
	}
	if first {
		if err := c.signalPolitely(); err != nil {
			return false, nil, err
		}
	}
	gently, cancel := curio.WithTimeout(ctx, c.grace)
	defer cancel()
	if c.awaitAll(gently) == nil {
		return true, nil, nil
	}
	_, cut = wait.At(ctx)
	return false, cut, nil
}

// signalPolitely sends the polite signal, and SIGCONT, as one that is stopped gets nothing else.
func (c *child) signalPolitely() error {
	if c.containment() == ContainedCgroup {
		c.cgroup.signal(c.politely, c.pid)
		c.cgroup.signal(syscall.SIGCONT, c.pid)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	send := c.signalGroupLocked
	if !c.leads {
		send = c.signalLocked
	}
	err := send(c.politely)
	if err == os.ErrProcessDone && !c.ended.Load() { // it has left its group
		send = c.signalLocked
		err = send(c.politely)
	}
	_ = send(syscall.SIGCONT)
	if err == os.ErrProcessDone {
		return nil
	}
	return err
}

// awaitAll waits until the program has ended, and then for what it has left behind. There nothing tells.
func (c *child) awaitAll(ctx context.Context) error {
	if _, err := c.exit.Wait(ctx, struct{}{}); err != nil {
		return err
	}
	pause := wait.Pause{First: time.Millisecond, Most: 50 * time.Millisecond}
	for c.hasOthers() {
		if err := pause.Sleep(ctx); err != nil {
			return err
		}
	}
	return nil
}

// hasOthers reports whether there is somebody left whom Stop has to end, when the leader has ended.
func (c *child) hasOthers() bool {
	if c.containment() == ContainedCgroup {
		return c.cgroup.isPopulated()
	}
	c.mu.Lock()
	err := c.signalGroupLocked(0)
	c.mu.Unlock()
	return err != os.ErrProcessDone && groupLives(c.pid)
}

// awaitDeath waits for what has been killed, whatever becomes of ctx, but not for ever.
func (c *child) awaitDeath(ctx context.Context) error {
	return curio.DisableCancellation(ctx, func(ctx context.Context) error {
		ctx, cancel := curio.WithTimeout(ctx, killBound)
		defer cancel()
		await := c.awaitAll
		if c.containment() != ContainedCgroup {
			await = c.awaitLeader // the others run no more, and it is for their parents to collect them
		}
		if await(ctx) != nil {
			return errStillThere
		}
		return nil
	})
}

func (c *child) awaitLeader(ctx context.Context) error {
	_, err := c.exit.Wait(ctx, struct{}{})
	return err
}
