package subprocess

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
)

// RunPipeline runs several programs at the same time, each with its standard output connected to
// the standard input of the next one, without a shell. Like [Run], it captures the standard output
// of the last program and the standard error of each where they are nil, and provides the input of
// the first. Stdin must be nil in all but the first, and Stdout in all but the last.
//
// RunPipeline returns one result for each command, in order. If a program cannot be started, those
// before it are ended as if ctx were done; the error is the start's error, and there are no
// results.
//
// Otherwise the error is the *ExitError of the last command whose status is not 0, as with a
// shell's pipefail option. A command that died of SIGPIPE, because a later one ended without
// reading everything, counts as successful unless it is the last one. A command that ignores
// SIGPIPE gets EPIPE instead; if it then exits with a status other than 0, that is an error.
//
// Only the programs have the pipes between them open, so each notices when its neighbour has ended.
// Each program has a process group of its own, unless Cmd.Group selects another. RunPipeline waits
// for all programs; for output that another process still has open, it waits for the longest
// Cmd.Drain, counted from the last end of a program. If ctx is done first, RunPipeline ends all
// programs at the same time, as Run does, and the error wraps ctx's error.
//
// A task that waits is in the state SELECT. RunPipeline panics if there are no commands.
func RunPipeline(ctx context.Context, cmds ...*Cmd) ([]*Completed, error) {
	wirings, err := wireAll(cmds)
	if err != nil {
		return nil, err
	}
	j := job{op: "run"}
	err = j.run(ctx, wirings, func() error { return j.x.run(ctx, never) })
	return j.done, err
}

func wireAll(cmds []*Cmd) ([]*wiring, error) {
	if len(cmds) == 0 {
		panic("curio/subprocess: RunPipeline without commands")
	}
	wirings := make([]*wiring, len(cmds))
	var next *wiring
	for i := len(cmds) - 1; i >= 0; i-- {
		c, std := cmds[i], [3]Stdio{null, captured{}, captured{}}
		if i > 0 {
			std[stdin] = connected{}
			if c.Stdin != nil {
				return nil, inside(c, stdin, c.Stdin)
			}
		}
		if next != nil {
			std[stdout] = connected{next}
			if c.Stdout != nil {
				return nil, inside(c, stdout, c.Stdout)
			}
		}
		w, err := wire(c, std, true)
		if err != nil {
			return nil, err
		}
		wirings[i], next = w, w
	}
	return wirings, nil
}

func inside(c *Cmd, place int, x Stdio) error {
	return (&wiring{c: c}).refused(place, x, fmt.Errorf("%w: in a pipeline it is the pipe, and must be nil", errors.ErrUnsupported))
}

// connected is one side of a pipe between two programs: the standard output of one, if next is set, and
// otherwise the standard input of the other, for which it is already open.
type connected struct{ next *wiring }

func (connected) stdio() {}

// connect opens the pipe from w to the program after it. Our copy of each end is closed once the program
// that has it was started.
func (w *wiring) connect(next *wiring) error {
	r, wr, err := poll.PipeForChild()
	if err != nil {
		return err
	}
	w.child[stdout] = os.NewFile(uintptr(wr), w.name(stdout))
	w.temporary = append(w.temporary, w.child[stdout])
	next.child[stdin] = os.NewFile(uintptr(r), next.name(stdin))
	next.temporary = append(next.temporary, next.child[stdin])
	return nil
}

func diedOfPipe(s ExitStatus) bool { return s.Signal == syscall.SIGPIPE }
