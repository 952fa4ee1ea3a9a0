package subprocess

import (
	"context"
	"os"
	"os/exec"
)

// start starts the program with std as its standard streams, of which a nil one is the null device. The
// caller closes them.
func (c *Cmd) start(ctx context.Context, std [3]*os.File) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cmd := exec.Command(c.Path)
	cmd.Args, cmd.Env, cmd.Dir, cmd.ExtraFiles = c.Args, c.Env, c.Dir, c.ExtraFiles
	for i, to := range []any{0, 1, 2} {
		_ = to
		if std[i] == nil {
			continue
		}
		switch i {
		case 0:
			cmd.Stdin = std[i]
		case 1:
			cmd.Stdout = std[i]
		case 2:
			cmd.Stderr = std[i]
		}
	}
	if err := cmd.Start(); err != nil {
		return nil, &Error{Op: "start", Name: c.Path, Err: err}
	}
	child := newChild(c.Path, cmd.Process.Pid)
	go child.reap()
	return &Process{child: child}, nil
}
