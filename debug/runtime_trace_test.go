package debug_test

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"runtime/trace"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/debug"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// withTrace has tasks shown in traces for the time of a test.
func withTrace(t testing.TB) {
	t.Helper()
	before := debug.SetTrace(true)
	t.Cleanup(func() { debug.SetTrace(before) })
}

// traced takes a trace of f and returns its events as text, one a line.
func traced(t *testing.T, f func()) string {
	t.Helper()
	var data bytes.Buffer
	if err := trace.Start(&data); err != nil {
		t.Fatal(err)
	}
	f()
	trace.Stop()
	path := testutil.WriteFile(t, "trace.out", data.Bytes())
	out, err := testutil.Command(t, "go", "tool", "trace", "-d=parsed", path).CombinedOutput()
	if err != nil {
		t.Fatalf("go tool trace: %v\n%s", err, out)
	}
	return string(out)
}

// group returns what the only group of the expression matches, in the only line of events that it matches.
func group(t *testing.T, events, expression string) string {
	t.Helper()
	found := regexp.MustCompile(expression).FindAllStringSubmatch(events, -1)
	if len(found) != 1 {
		var user []string
		for line := range strings.Lines(events) {
			if strings.Contains(line, "Task") || strings.Contains(line, "Region") || strings.Contains(line, " Log ") {
				user = append(user, line)
			}
		}
		t.Fatalf("%s matches %d times in\n%s", expression, len(found), strings.Join(user, ""))
	}
	return found[0][1]
}

func TestTrace(t *testing.T) {
	testutil.Need(t, "go")
	testutil.NoLeaks(t)
	withTrace(t)
	id := uint64(0)
	events := traced(t, func() {
		fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error {
			inTask(ctx, func(ctx context.Context) {
				id = curio.CurrentTask(ctx).ID()
				trace.WithRegion(ctx, "the user's", func() {
					fixture.Succeed(curio.Sleep(ctx, time.Millisecond))
				})
				inTask(ctx, func(ctx context.Context) {}, curio.Name("inner"))
				inner, task := trace.NewTask(ctx, "the user's task")
				defer task.End()
				inTask(inner, func(ctx context.Context) {}, curio.Name("of the user's"))
			}, curio.Name("outer"))
			return nil
		}))
	})
	begin := func(name string) string { return `TaskBegin .*\bID=(\d+) .*Type="` + name + `"` }
	outer := group(t, events, begin("outer"))
	for _, end := range []string{"outer", "inner"} {
		group(t, events, `TaskEnd .*\bID=(`+group(t, events, begin(end))+`)\b`)
	}
	for name, parent := range map[string]string{
		"inner": outer, "the user's task": outer, "of the user's": group(t, events, begin("the user's task")),
	} {
		if got := group(t, events, `TaskBegin .*\bParent=(\d+) .*Type="`+name+`"`); got != parent {
			t.Errorf("the parent of %s is %s, want %s", name, got, parent)
		}
	}
	for _, kind := range []string{"Begin", "End"} {
		if got := group(t, events, `Region`+kind+` .*\bTask=(\d+) .*Type="TIME_SLEEP"`); got != outer {
			t.Errorf("Region%s of the wait: task %s, want %s", kind, got, outer)
		}
	}
	if got := group(t, events, fmt.Sprintf(`Log .*\bTask=(\d+) .*Category="curio\.task" Message="%d"`, id)); got != outer {
		t.Errorf("the message is about task %s, want %s", got, outer)
	}
}

// Every way in which a wait ends, and a task, and also waits of tasks that the trace does not know: the trace can be read,
// which it cannot be if a region ends that is not the innermost of its goroutine.
func TestTraceOfEverything(t *testing.T) {
	testutil.Need(t, "go")
	testutil.NoLeaks(t)
	withTrace(t)
	fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error {
		before := curio.Go(ctx, fixture.Sleeper, curio.Name("from before"))
		testutil.Await(t, "it sleeps", func() bool { return before.State() == "TIME_SLEEP" })
		events := traced(t, func() {
			_, err := before.Cancel(ctx)
			fixture.Succeed(err)
			for range 3 {
				everyEnd(ctx)
			}
		})
		if strings.Contains(events, "from before") {
			t.Error("a task from before the trace is in it")
		}
		if begun, ended := strings.Count(events, "TaskBegin"), strings.Count(events, "TaskEnd"); begun != ended || begun == 0 {
			t.Errorf("%d tasks have begun, %d have ended", begun, ended)
		}
		begun, ended := strings.Count(events, "RegionBegin"), strings.Count(events, "RegionEnd")
		if users := strings.Count(events, `"never ended by the user"`); begun != ended+users || ended == 0 || users != 3 {
			t.Errorf("%d regions have begun, %d have ended, %d should not", begun, ended, users)
		}
		return nil
	}))
	closed := curio.NewKernel()
	fixture.Succeed(closed.Shutdown(t.Context()))
	if err := closed.Run(t.Context(), fixture.Nothing); err == nil {
		t.Error("a kernel that has been shut down runs something")
	}
}

// everyEnd has tasks wait, and end, in different ways.
func everyEnd(ctx context.Context) {
	var lock curio.Lock
	fixture.Succeed(lock.Acquire(ctx))
	cancelled := curio.Go(ctx, lock.Acquire)
	_, err := cancelled.Cancel(ctx)
	fixture.Succeed(err)
	late := curio.Go(ctx, func(ctx context.Context) error { return curio.TimeoutAfter(ctx, time.Millisecond, lock.Acquire) })
	_, _ = late.Join(ctx)
	granted := curio.Go(ctx, lock.Acquire)
	fixture.Succeed(curio.Sleep(ctx, time.Millisecond))
	lock.Release(ctx)
	fixture.Succeed(granted.Wait(ctx))
	c := make(chan int)
	receiver := curio.Go(ctx, func(ctx context.Context) error {
		_, err := curio.Receive(ctx, c)
		return err
	})
	c <- 1
	fixture.Succeed(receiver.Wait(ctx))
	for _, f := range []func(context.Context) (int, error){fixture.Fails, fixture.Explode, fixture.Vanish} {
		_ = curio.Spawn(ctx, f, curio.ReportCrash(false)).Wait(ctx)
	}
	_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
		g.Spawn(fixture.Fails)
		g.Spawn(fixture.Sleeping)
		return nil
	}, curio.Limit(1))
	inTask(ctx, func(ctx context.Context) {
		trace.StartRegion(ctx, "never ended by the user")
		_ = curio.Sleep(ctx, time.Microsecond)
	})
}
