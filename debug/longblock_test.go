package debug

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
)

// Looks at given times, at a task that does as it is told.
func TestLook(t *testing.T) {
	const limit = 50
	b := newBlockWatch(&trace{config: Config{LongBlock: limit, Tasks: []string{"busy*"}}})
	err := curio.Run(t.Context(), func(ctx context.Context) error {
		var once, twice curio.Event
		begun, goOn := make(chan struct{}), make(chan struct{})
		task := curio.Go(ctx, func(ctx context.Context) error {
			for _, e := range []*curio.Event{&once, &twice} {
				begun <- struct{}{}
				<-goOn // which no look can tell from computing
				if err := e.Wait(ctx); err != nil {
					return err
				}
			}
			begun <- struct{}{}
			return nil
		}, curio.Name("busy one"))

		at := int64(1000)
		looks := func(what string, later int64, want int) {
			t.Helper()
			at += later
			if got := b.look(at); len(got) != want || want == 1 && (got[0].task != task.AnyTask || got[0].run < limit) {
				t.Errorf("%s: %v", what, got)
			}
		}
		for round := range 2 {
			<-begun
			looks("the first look", 1, 0)
			looks("the second, long after", 10*limit, 0)
			looks("just below the limit", limit-1, 0)
			looks("at the limit", 1, 1)
			looks("once more", 10*limit, 0)
			goOn <- struct{}{}
			e := []*curio.Event{&once, &twice}[round]
			testutil.Await(t, "the wait", func() bool { return task.State() == "EVENT_WAIT" })
			looks("while it waits", 10*limit, 0)
			looks("while it waits", 10*limit, 0)
			e.Set()
		}
		<-begun
		_, err := task.Join(ctx)
		looks("after its end", limit, 0)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if len(b.runs) > 1 { // the main task
		t.Errorf("it remembers %v", b.runs)
	}
}

// locked is a log in memory.
type locked struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *locked) lines(part string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, part) {
			found = append(found, line)
		}
	}
	return found
}

// computes runs until free is closed.
func computes(free chan struct{}) {
	for {
		select {
		case <-free:
			return
		default:
			runtime.Gosched()
		}
	}
}

// blocks waits until free is closed, in what is not of this module.
func blocks(free chan struct{}) { <-free }

// Each trace begins when the task is where it stays, so the stack in its first report is certain.
func TestLongBlock(t *testing.T) {
	for _, test := range []struct {
		name  string
		fn    func(free chan struct{})
		stays string // in the stack
		want  []string
	}{
		{"computing", computes, "debug.computes", []string{"level=WARN", "debug.computes", "name=computing", "for=", "stack="}},
		{"blocked", blocks, "[chan receive", []string{`goroutine="chan receive"`, "debug.blocks", "stack="}},
		{"not wanted", blocks, "[chan receive", nil},
	} {
		free := make(chan struct{})
		var log locked
		err := curio.Run(t.Context(), func(ctx context.Context) error {
			task := curio.Go(ctx, func(context.Context) error { test.fn(free); return nil }, curio.Name(test.name))
			testutil.Await(t, "the task", func() bool { return strings.Contains(task.Traceback(), test.stays) })
			stop := Start(Config{
				LongBlock: 5 * time.Millisecond, Tasks: []string{"computing", "blocked"},
				Logger: slog.New(slog.NewTextHandler(&log, nil)),
			})
			defer stop()
			if test.want != nil {
				testutil.Await(t, "the report", func() bool { return len(log.lines("name="+test.name)) > 0 })
			}
			close(free)
			_, err := task.Join(ctx)
			return err
		})
		if err != nil {
			t.Error(err)
		}
		lines := log.lines("WARN")
		if len(lines) != min(len(test.want), 1) {
			t.Errorf("%s: %d reports", test.name, len(lines))
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(lines[0], want) {
				t.Errorf("%s is not in %s", want, lines[0])
			}
		}
	}
}

func TestGoroutineState(t *testing.T) {
	for stack, want := range map[string]string{
		"goroutine 7 [running]:\nmain.f()":                  "running",
		"goroutine 7 gp=0x1 [chan receive, 3 minutes]:\n":   "chan receive",
		"goroutine 7 [runnable, locked to thread]:\nmain.f": "runnable",
		"": "",
	} {
		if got := goroutineState(stack); got != want {
			t.Errorf("%q of %q", got, stack)
		}
	}
}

// Among too many goroutines the stack is the labelled one's, once in a hundred times as long as that took, and nobody says
// what the goroutine does.
func TestLongBlockAmongMany(t *testing.T) {
	defer func(n int) { tooMany = n }(tooMany)
	tooMany = 0
	free := make(chan struct{})
	defer SetLabels(SetLabels(0))
	err := curio.Run(t.Context(), func(ctx context.Context) error {
		fn := func(context.Context) error { blocks(free); return nil }
		bare := curio.Go(ctx, fn)
		SetLabels(TaskIDs)
		labelled := curio.Go(ctx, fn)
		for _, task := range []*curio.AnyTask{bare.AnyTask, labelled.AnyTask} {
			testutil.Await(t, "the task", func() bool { return strings.Contains(task.Traceback(), "debug.blocks") })
		}
		var log locked
		b := newBlockWatch(&trace{config: Config{LongBlock: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))}})
		keys := func(task *curio.AnyTask) (keys []string) {
			for _, a := range b.stackOf(task) {
				keys = append(keys, a.Key)
			}
			return keys
		}
		if got := keys(bare.AnyTask); got != nil {
			t.Errorf("of one without a label: %q", got)
		}
		if b.calm == 0 {
			t.Error("what was looked for in vain costs nothing")
		}
		if got := keys(labelled.AnyTask); got != nil {
			t.Errorf("at once after that: %q", got)
		}
		b.calm = 0
		if got := b.stackOf(labelled.AnyTask); len(got) != 1 || got[0].Key != "stack" || !strings.Contains(got[0].Value.String(), "debug.blocks") {
			t.Errorf("of one with a label: %v", got)
		}
		close(free)
		if _, err := bare.Join(ctx); err != nil {
			return err
		}
		_, err := labelled.Join(ctx)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
