package debug_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/debug"
	"github.com/curio-go/curio/internal/testutil"
)

// run runs n tasks with the given name, one after the other, each of which waits once.
func run(t *testing.T, n int, name string) {
	t.Helper()
	err := curio.Run(t.Context(), func(ctx context.Context) error {
		for range n {
			if _, err := curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, 1) }, curio.Name(name)).Join(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// What a function of an Activation does changes nothing for a task.
func TestUnrulyActivation(t *testing.T) {
	t.Run("panic", func(t *testing.T) {
		calls := 0
		stop := debug.Start(debug.Config{Activation: debug.Activation{Created: func(debug.TaskEvent) {
			calls++
			panic("at home everything works")
		}}, Tasks: []string{"unruly"}})
		run(t, 10, "unruly")
		stop()
		if calls != 10 {
			t.Errorf("called %d times", calls)
		}
	})
	t.Run("goexit", func(t *testing.T) {
		calls := 0
		stop := debug.Start(debug.Config{Activation: debug.Activation{Terminated: func(debug.TaskEvent) {
			calls++
			runtime.Goexit()
		}}, Tasks: []string{"unruly"}})
		run(t, 10, "unruly")
		stop()
		if calls != 10 {
			t.Errorf("called %d times", calls)
		}
	})
	t.Run("hang", func(t *testing.T) {
		var calls atomic.Int32
		free := make(chan struct{})
		stop := debug.Start(debug.Config{Activation: debug.Activation{Created: func(debug.TaskEvent) {
			calls.Add(1)
			<-free
		}}, Tasks: []string{"unruly"}})
		run(t, 10, "unruly") // also its end, which waits for traces
		stop()
		stop()
		if n := calls.Load(); n != 1 {
			t.Errorf("called %d times while the first call hangs", n)
		}
		close(free)
		run(t, 10, "unruly")
		if n := calls.Load(); n != 1 {
			t.Errorf("called %d times after stop", n)
		}
	})
	t.Run("stop", func(t *testing.T) {
		var stop func()
		stopped := make(chan struct{})
		var once sync.Once
		ready := make(chan struct{})
		stop = debug.Start(debug.Config{Activation: debug.Activation{Created: func(debug.TaskEvent) {
			<-ready
			once.Do(func() {
				stop() // which cannot wait for this very call
				close(stopped)
			})
		}}})
		close(ready)
		run(t, 1, "any")
		testutil.Receive(t, "a trace that is stopped by its own function", stopped)
	})
}

// What is too fast for the trace is lost, and counted, and what comes later is right again.
func TestLost(t *testing.T) {
	var lost atomic.Uint64
	var mu sync.Mutex
	count := map[string]int{}
	var once sync.Once
	hangs, free := make(chan struct{}), make(chan struct{})
	stop := debug.Start(debug.Config{Activation: debug.Activation{
		Created: func(e debug.TaskEvent) {
			once.Do(func() { close(hangs) })
			<-free
			mu.Lock()
			defer mu.Unlock()
			count[e.Name]++
		},
		Lost: func(n uint64) { lost.Add(n) },
	}})
	defer stop()
	k := curio.NewKernel()
	err := k.Run(t.Context(), func(ctx context.Context) error {
		testutil.Receive(t, "the first call", hangs)
		for range 300 { // more events than there is room for
			err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[struct{}]) error {
				for range 100 {
					g.Go(func(context.Context) error { return nil }, curio.Name("first"))
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	close(free)
	testutil.Await(t, "the loss", func() bool { return lost.Load() > 0 })
	err = k.Run(t.Context(), func(ctx context.Context) error {
		_, err := curio.Go(ctx, func(context.Context) error { return nil }, curio.Name("later")).Join(ctx)
		return err
	})
	if err := errors.Join(err, k.Shutdown(t.Context())); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if count["later"] != 1 || count["first"] == 0 || count["first"] >= 30_000 || len(count) > 4 {
		t.Errorf("%d lost, seen %v", lost.Load(), count)
	}
}

// A trace that begins late knows the names of the tasks that are there.
func TestTraceOfTasksThatAreThere(t *testing.T) {
	var said []string
	err := curio.Run(t.Context(), func(ctx context.Context) error {
		var free curio.Event
		task := curio.Go(ctx, free.Wait, curio.Name("early"))
		inState(task.AnyTask, "EVENT_WAIT")
		stop := debug.Start(debug.Config{Tasks: []string{"early"}, Activation: debug.Activation{
			Created: func(e debug.TaskEvent) { said = append(said, "created") },
			Running: func(e debug.TaskEvent) { said = append(said, "running "+e.Name) },
			Terminated: func(e debug.TaskEvent) {
				said = append(said, fmt.Sprint(e.How, " ", e.Parent == curio.CurrentTask(ctx).ID()))
			},
		}})
		free.Set()
		_, err := task.Join(ctx)
		stop()
		return err
	})
	if err != nil || !slices.Equal(said, []string{"ended true"}) {
		t.Errorf("said %q, %v", said, err)
	}
}

// When Run returns, all has been told, without a stop.
func TestShutdownWaitsForTraces(t *testing.T) {
	var log buffer
	defer debug.Start(debug.Config{SchedTrace: true, Logger: log.logger(), Tasks: []string{"last"}})()
	for i := range testutil.Times(100) {
		run(t, 1, "last")
		if n := strings.Count(log.String(), "task ended"); n != i+1 {
			t.Fatalf("after %d runs %d ends have been logged", i+1, n)
		}
	}
}

// Traces in bubbles and outside, at the same time.
func TestBubble(t *testing.T) {
	var outside atomic.Int32
	defer debug.Start(debug.Config{Tasks: []string{"bubbly"}, Activation: debug.Activation{
		Terminated: func(debug.TaskEvent) { outside.Add(1) },
	}})()
	for i := range 10 {
		synctest.Test(t, func(t *testing.T) {
			inside := 0
			stop := debug.Start(debug.Config{Tasks: []string{"bubbly"}, Activation: debug.Activation{
				Suspended: func(e debug.TaskEvent) {
					if e.Time.Year() != 2000 {
						t.Error("it waits at", e.Time)
					}
				},
				Running: func(e debug.TaskEvent) {
					if e.Op != "" && e.Waited != time.Hour {
						t.Error("it has waited for", e.Waited)
					}
				},
				Terminated: func(debug.TaskEvent) { inside++ },
			}})
			err := curio.Run(t.Context(), func(ctx context.Context) error {
				_, err := curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) }, curio.Name("bubbly")).Join(ctx)
				return err
			})
			stop()
			if err != nil || inside != 1 {
				t.Errorf("%d tasks have ended: %v", inside, err)
			}
		})
		if n := outside.Load(); n != int32(i+1) {
			t.Errorf("%d tasks have ended, seen from outside after %d", n, i+1)
		}
	}
}

// A handler that hangs, and what is logged through it, keeps nobody up.
func TestSlowLogger(t *testing.T) {
	var log buffer
	logger := log.logger()
	stop := debug.Start(debug.Config{SchedTrace: true, Logger: logger, Activation: debug.Activation{
		Created: func(debug.TaskEvent) { testutil.Rest() },
	}})
	run(t, 50, "slow")
	stop()
	if n := strings.Count(log.String(), "task created"); n != 51 {
		t.Errorf("%d of 51 tasks were created", n)
	}
}

func TestSetRecording(t *testing.T) {
	if before := debug.SetRecording(debug.RecordWaits); before != debug.RecordTasks {
		t.Error("before:", before)
	}
	if before := debug.SetRecording(debug.RecordNothing); before != debug.RecordWaits {
		t.Error("then:", before)
	}
	if before := debug.SetRecording(debug.RecordTasks); before != debug.RecordNothing {
		t.Error("in the end:", before)
	}
}

func TestStartPanics(t *testing.T) {
	defer func() {
		if text := fmt.Sprint(recover()); !strings.Contains(text, "LongBlock") {
			t.Error("panicked with", text)
		}
	}()
	debug.Start(debug.Config{LongBlock: -1})
}
