package process_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/process"
)

const (
	short = time.Millisecond
	long  = time.Hour
)

// An ending is a way for an operation to end before it is done.
type ending struct {
	name  string
	run   func(ctx context.Context, state string, op func(ctx context.Context) error) error
	want  []error
	isNot error
}

var endings = []ending{
	{"cancelled before", func(ctx context.Context, _ string, op func(ctx context.Context) error) error {
		inner, cancel := context.WithCancel(ctx)
		cancel()
		return op(inner)
	}, []error{context.Canceled, curio.ErrCancelled}, context.DeadlineExceeded},
	{"cancelled while waiting", func(ctx context.Context, state string, op func(ctx context.Context) error) error {
		task := curio.Go(ctx, op)
		testutil.Eventually(func() bool { return task.State() == state })
		if _, err := task.Cancel(ctx); err != nil {
			return err
		}
		return task.Err()
	}, []error{curio.ErrTaskCancelled, context.Canceled}, context.DeadlineExceeded},
	{"own timeout", func(ctx context.Context, _ string, op func(ctx context.Context) error) error {
		return curio.TimeoutAfter(ctx, short, op)
	}, []error{curio.ErrTaskTimeout, context.DeadlineExceeded}, context.Canceled},
	{"outer timeout", func(ctx context.Context, _ string, op func(ctx context.Context) error) error {
		return curio.TimeoutAfter(ctx, short, func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, long, op)
		})
	}, []error{curio.ErrTaskTimeout, context.DeadlineExceeded}, context.Canceled},
	{"a standard context", func(ctx context.Context, _ string, op func(ctx context.Context) error) error {
		inner, cancel := context.WithTimeout(ctx, short)
		defer cancel()
		return op(inner)
	}, []error{context.DeadlineExceeded}, curio.ErrTaskTimeout},
	{"a context of another kind", func(ctx context.Context, _ string, op func(ctx context.Context) error) error {
		inner, cancel := context.WithTimeout(ctx, short)
		defer cancel()
		return op(foreignContext{inner})
	}, []error{context.DeadlineExceeded}, curio.ErrTaskTimeout},
}

type foreignContext struct{ context.Context }

// wrong says what is wrong with err, "" for nothing.
func (e *ending) wrong(err error) string {
	for _, want := range e.want {
		if !errors.Is(err, want) {
			return fmt.Sprintf("%s: the error is %v, want %v", e.name, err, want)
		}
	}
	var remote *process.RemoteError
	var died *process.WorkerError
	if errors.Is(err, e.isNot) || errors.As(err, &remote) || errors.As(err, &died) {
		return fmt.Sprintf("%s: the error is %#v", e.name, err)
	}
	return ""
}

// Every call that waits, with every way to end it: the error is ctx's, and the pool serves others after that.
func TestEndings(t *testing.T) {
	hang := func(ctx context.Context, p *process.Pool) error {
		_, err := process.Run(ctx, sleeps, long, process.In(p))
		return err
	}
	operations := map[string]struct {
		state string
		busy  bool // another call has the only worker
		run   func(ctx context.Context, p *process.Pool) error
	}{
		"Run, for a worker": {"PROCESS_WORKER", true, hang},
		"Run, for a result": {"PROCESS_CALL", false, hang},
		"Map": {"PROCESS_MAP", false, func(ctx context.Context, p *process.Pool) error {
			for _, err := range process.Map(ctx, sleeps, slices.Values([]time.Duration{long, long}), process.In(p)) {
				return err
			}
			return nil
		}},
		"Map, unordered": {"PROCESS_MAP", true, func(ctx context.Context, p *process.Pool) error {
			for _, err := range process.Map(ctx, sleeps, slices.Values([]time.Duration{long, long}), process.In(p), process.Unordered()) {
				return err
			}
			return nil
		}},
		"Close": {"TASK_WAIT", true, func(ctx context.Context, p *process.Pool) error { return p.Close(ctx) }},
	}
	for name, op := range operations {
		for _, end := range endings {
			t.Run(name+" "+end.name, func(t *testing.T) {
				inKernel(t, func(ctx context.Context) error {
					p, err := process.NewPool(ctx, process.Config{Workers: 1})
					if err != nil {
						return err
					}
					var other *curio.Task[struct{}]
					if op.busy {
						other = curio.Go(ctx, func(ctx context.Context) error { return hang(ctx, p) })
						busy(p)
					} else if _, err := process.Run(ctx, double, 1, process.In(p)); err != nil {
						return err
					}
					err = end.run(ctx, op.state, func(ctx context.Context) error { return op.run(ctx, p) })
					if wrong := end.wrong(err); wrong != "" {
						t.Error(wrong)
					}
					if name == "Close" {
						wantError(t, other.Wait(ctx), nil)
						wantError(t, other.Err(), process.ErrPoolClosed)
						return nil
					}
					if other != nil {
						if _, err := other.Cancel(ctx); err != nil {
							return err
						}
					}
					if n, err := process.Run(ctx, double, 21, process.In(p)); n != 42 || err != nil {
						t.Errorf("the next call gives %d, %v", n, err)
					}
					return p.Close(ctx)
				})
			})
		}
	}
}

// reportEndings has Report end in every way, while there is no room, and returns what is wrong. It makes a file
// when it is through.
var reportEndings = process.Register("reportEndings", func(ctx context.Context, done string) (wrong []string, err error) {
	sent := 0
	for ok := true; ok && err == nil; sent++ {
		ok, err = process.TryReport(ctx, sent)
	}
	if sent != 17 {
		wrong = append(wrong, fmt.Sprintf("there was room for %d", sent))
	}
	for _, end := range endings {
		err := end.run(ctx, "PROCESS_REPORT", func(ctx context.Context) error { return process.Report(ctx, -1) })
		if text := end.wrong(err); text != "" {
			wrong = append(wrong, text)
		}
		if sent, err := process.TryReport(ctx, -2); sent || err != nil {
			wrong = append(wrong, fmt.Sprintf("%s: after that TryReport gives %t, %v", end.name, sent, err))
		}
	}
	return wrong, errors.Join(err, os.WriteFile(done, nil, 0o600))
})

// Report waits when the caller is slow, and can be ended in every way. None of its values is lost or doubled.
func TestReportEndings(t *testing.T) {
	done := filepath.Join(t.TempDir(), "done")
	inKernel(t, func(ctx context.Context) error {
		var seen []int
		task := curio.Spawn(ctx, func(ctx context.Context) ([]string, error) {
			return process.Run(ctx, reportEndings, done, process.Progress(func(n int) {
				testutil.Eventually(func() bool { _, err := os.Stat(done); return err == nil }) // until then there is no room
				seen = append(seen, n)
			}))
		})
		wrong, err := task.Join(ctx)
		for _, text := range wrong {
			t.Error(text)
		}
		for i, n := range seen {
			if i != n {
				t.Errorf("there came %v", seen)
				break
			}
		}
		return err
	})
}
