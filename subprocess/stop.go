package subprocess

import "context"

// Stop ends the program and all that it has started.
func (p *Process) Stop(ctx context.Context) (ExitStatus, error) {
	_ = p.child.abandon()
	return p.Wait(ctx)
}
