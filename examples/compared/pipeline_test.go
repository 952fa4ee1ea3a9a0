package main

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/examples/compared/pipeline"
	"github.com/curio-go/curio/internal/testutil"
)

type runner = func(context.Context, pipeline.Stages[int, int], pipeline.Settings) error

var settings = pipeline.Settings{Workers: 4, Buffer: 8, Grace: time.Minute}

// A line is a pipeline under test: it squares the numbers below its length.
type line struct {
	length           int64
	got, stored, sum atomic.Int64
	stages           pipeline.Stages[int, int]
}

func newLine(length int) *line {
	l := &line{length: int64(length)}
	l.stages.Next = func(ctx context.Context) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if l.got.Load() == l.length {
			return 0, io.EOF
		}
		return int(l.got.Add(1) - 1), nil
	}
	l.stages.Work = func(_ context.Context, n int) (int, error) { return n * n, nil }
	l.stages.Store = func(_ context.Context, square int) error {
		l.stored.Add(1)
		l.sum.Add(int64(square))
		return nil
	}
	return l
}

func (l *line) run(ctx context.Context, program runner, settings pipeline.Settings) error {
	return curio.Run(ctx, func(ctx context.Context) error { return program(ctx, l.stages, settings) })
}

// runs starts a pipeline that others cancel.
func (l *line) runs(program runner, settings pipeline.Settings) (cancel context.CancelFunc, ended <-chan error) {
	ctx, cancel := context.WithCancel(context.Background())
	end := make(chan error, 1)
	go func() { end <- l.run(ctx, program, settings) }()
	return cancel, end
}

func pipelines(t *testing.T, test func(t *testing.T, program runner)) {
	versions(t, pipeline.RunCurio[int, int], pipeline.RunStd[int, int], test)
}

func TestPipeline(t *testing.T) {
	pipelines(t, func(t *testing.T, program runner) {
		for _, length := range []int{0, 1, 1000} {
			l := newLine(length)
			err := l.run(t.Context(), program, settings)
			want := int64(length-1) * int64(length) * int64(2*length-1) / 6
			if err != nil || l.stored.Load() != int64(length) || l.sum.Load() != want {
				t.Errorf("%d results, sum %d, %v, want %d, sum %d", l.stored.Load(), l.sum.Load(), err, length, want)
			}
		}
	})
}

func TestPipelineFails(t *testing.T) {
	boom := errors.New("boom")
	for name, breaks := range map[string]func(*line){
		"next": func(l *line) {
			next := l.stages.Next
			l.stages.Next = func(ctx context.Context) (int, error) {
				if l.got.Load() == 50 {
					return 0, boom
				}
				return next(ctx)
			}
		},
		"work": func(l *line) {
			l.stages.Work = func(ctx context.Context, n int) (int, error) {
				if n == 50 {
					return 0, boom
				}
				return n, nil
			}
		},
		"store": func(l *line) { l.stages.Store = func(context.Context, int) error { return boom } },
		"next, and nobody stores": func(l *line) {
			stored := make(chan struct{})
			l.stages.Next = func(context.Context) (int, error) {
				if l.got.Add(1) > 1 {
					<-stored
					return 0, boom
				}
				return 0, nil
			}
			l.stages.Store = func(ctx context.Context, _ int) error {
				close(stored)
				<-ctx.Done()
				return ctx.Err()
			}
		},
		"store, and nothing comes": func(l *line) {
			next := l.stages.Next
			l.stages.Next = func(ctx context.Context) (int, error) {
				if l.got.Load() == 1 {
					<-ctx.Done()
					return 0, ctx.Err()
				}
				return next(ctx)
			}
			l.stages.Store = func(context.Context, int) error { return boom }
		},
	} {
		t.Run("stage="+name, func(t *testing.T) {
			pipelines(t, func(t *testing.T, program runner) {
				l := newLine(1_000_000)
				breaks(l)
				cancel, ended := l.runs(program, settings)
				defer cancel()
				if err := testutil.Receive(t, "the end", ended); !errors.Is(err, boom) {
					t.Errorf("%v, want %v", err, boom)
				}
				if l.stored.Load() > l.length/2 {
					t.Error("it went on")
				}
			})
		})
	}
}

// blocked makes the last stage wait for open, or for its context.
func (l *line) blocked() (open chan struct{}) {
	open = make(chan struct{})
	store := l.stages.Store
	l.stages.Store = func(ctx context.Context, n int) error {
		select {
		case <-open:
			return store(ctx, n)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return open
}

// full is how many items there can be: in both buffers, and in the hands of each stage.
var full = int64(2*settings.Buffer + settings.Workers + 2)

func TestPipelineStops(t *testing.T) {
	pipelines(t, func(t *testing.T, program runner) {
		l := newLine(1_000_000)
		open := l.blocked()
		cancel, ended := l.runs(program, settings)
		defer cancel()
		testutil.Await(t, "a full pipeline", func() bool { return l.got.Load() == full })
		cancel()
		close(open)
		err := testutil.Receive(t, "the end", ended)
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if got, stored := l.got.Load(), l.stored.Load(); got != stored || got == l.length {
			t.Errorf("%d items of %d were got, and %d results stored", got, l.length, stored)
		}
	})
}

// A pipeline without anything to do ends at once.
func TestPipelineStopsIdle(t *testing.T) {
	pipelines(t, func(t *testing.T, program runner) {
		l := newLine(0)
		waits := make(chan struct{})
		l.stages.Next = func(ctx context.Context) (int, error) {
			close(waits)
			<-ctx.Done()
			return 0, ctx.Err()
		}
		cancel, ended := l.runs(program, settings)
		defer cancel()
		testutil.Receive(t, "the wait", waits)
		cancel()
		if err := testutil.Receive(t, "the end", ended); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestPipelineGrace(t *testing.T) {
	hasty := settings
	hasty.Grace = 10 * time.Millisecond
	pipelines(t, func(t *testing.T, program runner) {
		l := newLine(1_000_000)
		l.blocked()
		cancel, ended := l.runs(program, hasty)
		defer cancel()
		testutil.Await(t, "a full pipeline", func() bool { return l.got.Load() == full })
		cancel()
		if err := testutil.Receive(t, "the end", ended); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}
