package subprocess_test

import (
	"context"
	"errors"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

// A program is started, waited for and stopped, and cancelled at each of these waits.
func TestEverywhere(t *testing.T) {
	for _, way := range subprocess.Ways() {
		t.Run(way.Name, func(t *testing.T) {
			way.Use(t)
			curiotest.CancelEverywhere(t, func(ctx context.Context) error {
				first, err := subprocess.Start(ctx, shell("exit 3"))
				if err != nil {
					return err
				}
				defer first.Close()
				if _, err := first.Wait(ctx); err != nil {
					return err
				}
				c := shell(`trap 'exit 4' TERM; while :; do sleep 0.01; done`)
				second, err := subprocess.Start(ctx, c)
				if err != nil {
					return err
				}
				defer second.Close()
				if _, err := second.Stop(ctx); err != nil {
					return err
				}
				return curio.CheckCancellation(ctx)
			})
		})
	}
}

// An ending is a way for an operation to end before it is done.
type ending struct {
	name string
	run  func(ctx context.Context, op func(ctx context.Context) error) error
	want error
}

var endings = []ending{
	{"cancelled before", func(ctx context.Context, op func(ctx context.Context) error) error {
		inner, cancel := context.WithCancel(ctx)
		cancel()
		return op(inner)
	}, context.Canceled},
	{"cancelled while waiting", func(ctx context.Context, op func(ctx context.Context) error) error {
		task := curio.Go(ctx, op)
		testutil.Eventually(func() bool { return task.State() == "PROCESS_WAIT" || task.State() == "SELECT" })
		if _, err := task.Cancel(ctx); err != nil {
			return err
		}
		return task.Err()
	}, curio.ErrTaskCancelled},
	{"own timeout", func(ctx context.Context, op func(ctx context.Context) error) error {
		return curio.TimeoutAfter(ctx, short, op)
	}, curio.ErrTaskTimeout},
	{"outer timeout", func(ctx context.Context, op func(ctx context.Context) error) error {
		return curio.TimeoutAfter(ctx, short, func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, long, op)
		})
	}, curio.ErrTaskTimeout},
	{"a standard context", func(ctx context.Context, op func(ctx context.Context) error) error {
		inner, cancel := context.WithTimeout(ctx, short)
		defer cancel()
		return op(inner)
	}, context.DeadlineExceeded},
	{"a context of another kind", func(ctx context.Context, op func(ctx context.Context) error) error {
		inner, cancel := context.WithTimeout(ctx, short)
		defer cancel()
		return op(foreignContext{inner})
	}, context.DeadlineExceeded},
}

type foreignContext struct{ context.Context }

// Every operation that waits, with every way to end it: the error is ctx's, and the process goes on if
// the operation does not end it.
func TestEndings(t *testing.T) {
	operations := map[string]struct {
		run  func(p *subprocess.Process) func(ctx context.Context) error
		ends bool // the process
	}{
		"Wait": {func(p *subprocess.Process) func(ctx context.Context) error {
			return func(ctx context.Context) error { _, err := p.Wait(ctx); return err }
		}, false},
		"WaitCase": {func(p *subprocess.Process) func(ctx context.Context) error {
			return func(ctx context.Context) error { _, err := curio.Select(ctx, p.WaitCase(nil)); return err }
		}, false},
		"Stop": {func(p *subprocess.Process) func(ctx context.Context) error {
			return func(ctx context.Context) error { _, err := p.Stop(ctx); return err }
		}, true},
	}
	for name, op := range operations {
		for _, end := range endings {
			t.Run(name+" "+end.name, func(t *testing.T) {
				testutil.NoLeaks(t)
				c := shell(`trap '' TERM; echo ready; while :; do sleep 0.01; done`)
				c.Grace = long
				p, out := speaking(t, c)
				out.expect("ready")
				check(t, curio.Run(background, func(ctx context.Context) error {
					if err := end.run(ctx, op.run(p)); !errors.Is(err, end.want) {
						t.Errorf("the error is %v, want %v", err, end.want)
					}
					return nil
				}))
				if _, ended := p.Poll(); ended != op.ends {
					t.Errorf("the process has ended: %v", ended)
				}
				if p.Waiting() != 0 {
					t.Error("somebody still waits")
				}
			})
		}
	}
}
