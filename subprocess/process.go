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

// A Process is a program that has been started. Processes come from Popen; the zero value is none, and
// its methods panic. It is safe for concurrent use.
//
// Whatever becomes of the Process, the program's exit status is collected as soon as it has ended, so
// no zombie is left, even if nobody calls Wait. A Process that is no longer needed while the program runs
// should be closed, which kills it.
//
// It is Curio's Popen. A task that waits for its end is in the state PROCESS_WAIT.
type Process struct {
	// Stdin, Stdout and Stderr are our ends of the pipes, nil for a standard stream that is not a pipe.
	// With a terminal that is the program's for reading and for writing, Stdin and Stdout are the same
	// stream. They may be closed before the program has ended.
	Stdin, Stdout, Stderr *stream.Stream

	child    *child
	terminal *os.File // our side of its terminal, which Stdin or Stdout has taken over; nil for none

	talk talk
}

// Pid returns the process id. Once the program has ended, another process may get the same one.
func (p *Process) Pid() int { return p.child.pid }

// Wait waits until the program has ended, and returns how. It does not wait for the pipes, which others
// may still have open. Any number of tasks may call it, any number of times, and all get the same
// answer. If ctx is done first, or already, the error is ctx's error, and the program goes on.
//
// If another part of the process has collected the exit status, by a wait for any child, or SIGCHLD is
// ignored, so that the system throws it away, the status is Unknown, and that is no error. A program
// that has been stopped by SIGSTOP or by its terminal has not ended: see Stopped.
//
// It is Curio's Popen.wait. A waiting task is in the state PROCESS_WAIT.
func (p *Process) Wait(ctx context.Context) (ExitStatus, error) {
	c := p.child
	if _, err := c.exit.Wait(ctx, struct{}{}); err != nil {
		return ExitStatus{}, err
	}
	return c.status, nil
}

// WaitCase is Wait as a case of a [curio.Select]. The status is stored in *to when the case takes effect,
// unless to is nil.
func (p *Process) WaitCase(to *ExitStatus) curio.Case {
	c := p.child
	return c.exit.Case(struct{}{}, func(context.Context, struct{}) error {
		if to != nil {
			*to = c.status
		}
		return nil
	})
}

// Poll returns how the program has ended, if it has. It does not wait. ended is false for a moment
// longer than the program runs, until its status has been collected.
//
// It is Curio's Popen.poll.
func (p *Process) Poll() (status ExitStatus, ended bool) {
	if !p.child.ended.Load() {
		return ExitStatus{}, false
	}
	return p.child.status, true
}

// Stopped reports whether the program is stopped: by SIGSTOP, or by its terminal, because it is in a
// background group and reads from it. SIGCONT lets it go on.
func (p *Process) Stopped() bool { return p.child.stopped() }

// SendSignal sends a signal to the program itself, and not to what it has started. When the program has
// ended, the error is os.ErrProcessDone, and no other process ever gets the signal, even if it has the
// same id. That the signal was sent does not mean that it has been handled; one that is sent twice may
// arrive once.
//
// It is Curio's Popen.send_signal. The system call is pidfd_send_signal(2), or kill(2) where there is none.
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

// Terminate sends SIGTERM. See SendSignal, and Stop for the program with all that it has started.
//
// It is Curio's Popen.terminate.
func (p *Process) Terminate() error { return p.SendSignal(syscall.SIGTERM) }

// Kill sends SIGKILL. See SendSignal, and Close for the program with all that it has started.
//
// It is Curio's Popen.kill.
func (p *Process) Kill() error { return p.SendSignal(syscall.SIGKILL) }

// Containment returns how much of what the program has started is ended with it by Stop and Close.
func (p *Process) Containment() Containment { return p.child.containment() }

// Close kills the program and all that it has started, if it still runs, and closes the pipes. It does
// not wait. What the program has left behind when it ended by itself is left alone. A second Close does
// nothing. It is for io.Closer; to let the program end in order, use Stop.
//
// The error says what could not be killed.
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

// String returns the program's name and process id, and whether it runs.
func (p *Process) String() string { return p.child.String() }
