package subprocess

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/stream"
)

// A Process is a program that has been started. [Popen] makes a Process; the zero value is not a
// process, and its methods panic. A Process must not be copied. It is safe for concurrent use.
//
// The program's exit status is collected as soon as it has ended, so no zombie is left even if Wait
// is never called. If a Process is no longer needed while the program runs, call Close, which kills
// the program, or Stop.
//
// It is Curio's Popen.
type Process struct {
	// Stdin, Stdout and Stderr are this process's ends of the pipes, or nil for a standard stream
	// that is not a pipe. With a terminal for both reading and writing, Stdin and Stdout are the
	// same stream. They may be closed before the program has ended.
	Stdin, Stdout, Stderr *stream.Stream

	child    *child
	terminal *os.File // our side of its terminal, which Stdin or Stdout has taken over; nil for none

	talk talk
}

// Pid returns the process ID. After the program has ended, another process may get the same ID.
func (p *Process) Pid() int { return p.child.pid }

// Wait waits until the program has ended and returns its status. It does not wait for the pipes,
// which other processes may still have open. Any number of tasks may call it, any number of times,
// and all get the same status. If ctx is done first, Wait returns ctx's error, and the program
// keeps running.
//
// If another part of this process has collected the exit status with a wait for any child, or the
// system discards it because SIGCHLD is ignored, the status is Unknown; that is not an error. A
// program that is stopped by SIGSTOP or by its terminal has not ended: see Stopped.
//
// It is Curio's Popen.wait. A task that waits is in the state PROCESS_WAIT.
func (p *Process) Wait(ctx context.Context) (ExitStatus, error) {
	c := p.child
	if _, err := c.exit.Wait(ctx, struct{}{}); err != nil {
		return ExitStatus{}, err
	}
	return c.status, nil
}

// WaitCase returns a case for [curio.Select] that is ready when the program has ended, and stores
// the status in *to, unless to is nil.
func (p *Process) WaitCase(to *ExitStatus) curio.Case {
	c := p.child
	return c.exit.Case(struct{}{}, func(context.Context, struct{}) error {
		if to != nil {
			*to = c.status
		}
		return nil
	})
}

// Poll returns the program's status without waiting. ended is false if the program is still
// running, and until its status has been collected, shortly after it ends.
//
// It is Curio's Popen.poll.
func (p *Process) Poll() (status ExitStatus, ended bool) {
	if !p.child.ended.Load() {
		return ExitStatus{}, false
	}
	return p.child.status, true
}

// Stopped reports whether the program is stopped: by SIGSTOP, or by its terminal, because it reads
// from it in a background group. SIGCONT continues it.
func (p *Process) Stopped() bool { return p.child.stopped() }

// SendSignal sends a signal to the program itself, not to processes that it has started. If the
// program has ended, the error wraps os.ErrProcessDone; no other process ever gets the signal, even
// if it has the same ID. A nil error does not mean that the program has handled the signal, and two
// signals of a kind may arrive as one.
//
// It is Curio's Popen.send_signal. The system call is pidfd_send_signal(2), or kill(2) if that is
// not available.
func (p *Process) SendSignal(sig os.Signal) error {
	s, ok := sig.(syscall.Signal)
	if !ok {
		return p.child.failed("signal", fmt.Errorf("%v of type %T is not a signal of the system", sig, sig))
	}
	if err := p.child.signal(s); err != nil {
		return p.child.failed("signal", err)
	}
	return nil
}

// Terminate sends SIGTERM to the program itself, as [Process.SendSignal] does. To end the program
// and the processes that it has started, use [Process.Stop].
//
// It is Curio's Popen.terminate.
func (p *Process) Terminate() error { return p.SendSignal(syscall.SIGTERM) }

// Kill sends SIGKILL to the program itself, as [Process.SendSignal] does. To kill the program and
// the processes that it has started, use [Process.Close].
//
// It is Curio's Popen.kill.
func (p *Process) Kill() error { return p.SendSignal(syscall.SIGKILL) }

// Containment returns which of the processes that the program has started are ended with it by Stop
// and Close.
func (p *Process) Containment() Containment { return p.child.containment() }

// Close kills the program and the processes that it has started, if the program is still running,
// and closes the pipes. It does not wait. If the program has ended by itself, Close leaves alone
// the processes that it has left behind. A second Close does nothing. Close implements io.Closer;
// to give the program time to end, use Stop.
//
// The error names what could not be killed.
func (p *Process) Close() error {
	err := p.child.abandon()
	for _, s := range []*stream.Stream{p.Stdin, p.Stdout, p.Stderr} {
		if s != nil {
			_ = s.Close() // what nobody has flushed is lost with the program
		}
	}
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return p.child.failed("kill", err)
	}
	return nil
}

// String returns the program's name, its process ID, and whether it is running.
func (p *Process) String() string { return p.child.String() }
