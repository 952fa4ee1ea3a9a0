package debug_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/debug"
	"github.com/curio-go/curio/internal/testutil"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// until waits for a condition without a wait of this module, which would be in the trace.
func until(cond func() bool) {
	for began := time.Now(); !cond() && time.Since(began) < testutil.Patience; {
		runtime.Gosched()
	}
}

// inState waits until a task is in a state.
func inState(t *curio.AnyTask, state string) { until(func() bool { return t.State() == state }) }

// program does a bit of everything. Its tasks wait for each other's states, so that the order of what it does is always
// the same, and it runs in a bubble, for the same reason.
func program(ctx context.Context) error {
	me := curio.CurrentTask(ctx)
	joined := func() { inState(me, "TASK_JOIN") }

	sleeper := curio.Go(ctx, func(ctx context.Context) error {
		err := curio.Sleep(ctx, time.Hour)
		joined()
		return err
	}, curio.Name("sleeper"))
	inState(sleeper.AnyTask, "TIME_SLEEP")
	sleeper.CancelNow()
	inState(sleeper.AnyTask, "RUNNING")
	_, _ = sleeper.Join(ctx)

	var lock curio.Lock
	if err := lock.Acquire(ctx); err != nil {
		return err
	}
	locker := curio.Go(ctx, func(ctx context.Context) error {
		defer joined()
		return lock.Do(ctx, func(context.Context) error { return nil })
	}, curio.Name("locker"))
	inState(locker.AnyTask, "LOCK_ACQUIRE")
	lock.Release(ctx)
	inState(locker.AnyTask, "RUNNING")
	_, _ = locker.Join(ctx)

	err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
		var never curio.Event
		return never.Wait(ctx)
	})
	if !errors.Is(err, curio.ErrTaskTimeout) {
		return err
	}

	for _, fails := range []struct {
		name string
		fn   func() error
	}{
		{"failing", func() error { return &fs.PathError{Op: "open", Path: "data", Err: fs.ErrNotExist} }},
		{"panicking", func() error { panic("out of luck") }},
	} {
		task := curio.Go(ctx, func(context.Context) error {
			joined()
			return fails.fn()
		}, curio.Name(fails.name), curio.ReportCrash(false))
		inState(task.AnyTask, "RUNNING")
		_, _ = task.Join(ctx)
	}
	return nil
}

func runProgram(t *testing.T) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if err := curio.Run(t.Context(), program); err != nil {
			t.Error(err)
		}
	})
}

// A buffer is a log in memory.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// logger returns a log without times.
func (b *buffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey && len(groups) == 0 {
				return slog.Attr{}
			}
			return a
		},
	}))
}

var (
	ids       = regexp.MustCompile(`\b(task|parent|by)=\d+|\(\d+`)
	addresses = regexp.MustCompile(`0x[0-9a-f]+`)
	stacks    = regexp.MustCompile(`stack="[^"]*"`)
)

// alike returns text with what differs from one run to the next replaced: numbers of tasks count from 1, in the order in which they
// come up.
func alike(text string) string {
	numbers := map[string]int{}
	text = ids.ReplaceAllStringFunc(text, func(s string) string {
		before, id := s[:strings.IndexAny(s, "=(")+1], strings.TrimLeft(s, "abcdefghijklmnopqrstuvwxyz=(")
		if id == "0" {
			return s
		}
		if numbers[id] == 0 {
			numbers[id] = len(numbers) + 1
		}
		return fmt.Sprint(before, numbers[id])
	})
	text = addresses.ReplaceAllString(text, "0x…")
	return stacks.ReplaceAllString(text, "stack=…")
}

// golden compares text with a file.
func golden(t *testing.T, file, text string) {
	t.Helper()
	path := filepath.Join("testdata", file+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("the log is\n%s\nand should be\n%s\n(go test ./debug -run Golden -update rewrites it)", text, want)
	}
}

func TestGolden(t *testing.T) {
	for name, c := range map[string]debug.Config{
		"schedtrace":                  {SchedTrace: true},
		"traptrace":                   {TrapTrace: true},
		"logcrash":                    {LogCrash: true},
		"all":                         {SchedTrace: true, TrapTrace: true, LogCrash: true},
		"filter":                      {TrapTrace: true, Tasks: []string{"locker", "fail*"}},
		"level":                       {SchedTrace: true, LogCrash: true, Level: slog.LevelDebug, Tasks: []string{"panicking"}},
		"filter-that-matches-nothing": {SchedTrace: true, TrapTrace: true, LogCrash: true, Tasks: []string{"nobody", "[", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			var log buffer
			c.Logger = log.logger()
			stop := debug.Start(c)
			runProgram(t)
			stop()
			golden(t, name, alike(log.String()))
		})
	}
}

// An Activation is told the same.
func TestGoldenActivation(t *testing.T) {
	var log buffer
	say := func(what string) func(debug.TaskEvent) {
		return func(e debug.TaskEvent) {
			fmt.Fprintf(&log, "%s task=%d name=%s parent=%d op=%q object=%q cut=%v how=%q error=%q by=%d\n",
				what, e.Task, e.Name, e.Parent, e.Op, e.Object, e.CutShort, e.How, e.Error, e.By)
			if e.Time.Year() != 2000 || (e.Waited == time.Second) != (what == "running" && e.Op == "EVENT_WAIT") {
				t.Error("strange:", e)
			}
		}
	}
	stop := debug.Start(debug.Config{Activation: debug.Activation{
		Created: say("created"), Running: say("running"), Suspended: say("suspended"), Cancelled: say("cancelled"),
		Terminated: say("terminated"), Lost: func(n uint64) { t.Error(n, "events are lost") },
	}})
	runProgram(t)
	stop()
	golden(t, "activation", alike(log.String()))
}
