package debug_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/debug"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// withLabels sets the labels for the time of a test.
func withLabels(t testing.TB, l debug.Labels) {
	t.Helper()
	before := debug.SetLabels(l)
	t.Cleanup(func() { debug.SetLabels(before) })
}

// goroutineLabels returns what the profiler sees of the calling goroutine: its labels, as the profile has them.
func goroutineLabels(t testing.TB) string {
	t.Helper()
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		t.Fatal(err)
	}
	for record := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(record, "debug_test.goroutineLabels+") {
			_, labels, _ := strings.Cut(record, "# labels: ")
			labels, _, _ = strings.Cut(labels, "\n")
			return labels
		}
	}
	t.Fatal("the goroutine is not in the profile")
	return ""
}

// contextLabels returns the labels of ctx, in the same form.
func contextLabels(ctx context.Context) string {
	var all []string
	pprof.ForLabels(ctx, func(key, value string) bool {
		all = append(all, fmt.Sprintf("%q:%q", key, value))
		return true
	})
	if all == nil {
		return ""
	}
	return "{" + strings.Join(all, ", ") + "}"
}

// sameLabels checks the labels of the goroutine and of its context.
func sameLabels(t testing.TB, ctx context.Context, when, want string) {
	t.Helper()
	if got := goroutineLabels(t); got != want && !(want == "" && got == "{}") {
		t.Errorf("%s: the goroutine has the labels %s, want %s", when, got, want)
	}
	if got := contextLabels(ctx); got != want {
		t.Errorf("%s: the context has the labels %s, want %s", when, got, want)
	}
}

// inTask runs f as a task and waits for it.
func inTask(ctx context.Context, f func(ctx context.Context), opts ...curio.SpawnOption) {
	_, err := curio.Go(ctx, func(ctx context.Context) error { f(ctx); return nil }, opts...).Join(ctx)
	fixture.Succeed(err)
}

func TestLabels(t *testing.T) {
	testutil.NoLeaks(t)
	fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error {
		inTask(ctx, func(ctx context.Context) { sameLabels(t, ctx, "off", "") }, curio.Name("off"))
		withLabels(t, debug.TaskNames)
		inTask(ctx, func(ctx context.Context) {
			sameLabels(t, ctx, "named", `{"curio.task":"worker"}`)
			inTask(ctx, func(ctx context.Context) {
				sameLabels(t, ctx, "below another task", `{"curio.task":"inner"}`)
			}, curio.Name("inner"))
			bound, cancel := curio.WithTimeout(ctx, testutil.Patience)
			defer cancel()
			sameLabels(t, bound, "in a timeout", `{"curio.task":"worker"}`)
		}, curio.Name("worker"))
		inTask(ctx, func(ctx context.Context) {
			sameLabels(t, ctx, "without a name", `{"curio.task":"debug_test.inTask.func1"}`)
		})
		debug.SetLabels(debug.TaskNames | debug.TaskIDs)
		inTask(ctx, func(ctx context.Context) {
			id := curio.CurrentTask(ctx).ID()
			sameLabels(t, ctx, "with ID", fmt.Sprintf(`{"curio.task":"worker", "curio.task.id":"%d"}`, id))
		}, curio.Name("worker"))
		debug.SetLabels(debug.TaskIDs)
		inTask(ctx, func(ctx context.Context) {
			sameLabels(t, ctx, "ID alone", fmt.Sprintf(`{"curio.task.id":"%d"}`, curio.CurrentTask(ctx).ID()))
		})
		return nil
	}))
}

// Every kind of task has labels.
func TestLabelsOfKinds(t *testing.T) {
	testutil.NoLeaks(t)
	withLabels(t, debug.TaskNames)
	check := func(ctx context.Context, what string) {
		sameLabels(t, ctx, what, fmt.Sprintf(`{"curio.task":%q}`, curio.CurrentTask(ctx).Name()))
	}
	fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error {
		check(ctx, "main")
		for what, o := range map[string]curio.SpawnOption{"daemon": curio.Daemon(), "service": curio.Service()} {
			inTask(ctx, func(ctx context.Context) { check(ctx, what) }, o, curio.Name(what))
		}
		_, err := curio.SpawnThread(ctx, func(ctx context.Context) (int, error) { check(ctx, "thread"); return 0, nil }, curio.Name("thread")).Join(ctx)
		fixture.Succeed(err)
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(func(ctx context.Context) (int, error) { check(ctx, "member"); return 0, nil }, curio.Name("member"))
			return nil
		})
	}))
}

// The labels of the user are kept: those of the context with which a task is spawned, and ours around a pprof.Do.
func TestLabelsOfTheUser(t *testing.T) {
	testutil.NoLeaks(t)
	withLabels(t, debug.TaskNames)
	fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error {
		with := pprof.WithLabels(ctx, pprof.Labels("user", "anna", "zone", "a"))
		inTask(with, func(ctx context.Context) {
			const both = `{"curio.task":"worker", "user":"anna", "zone":"a"}`
			sameLabels(t, ctx, "spawned with the user's", both)
			pprof.Do(ctx, pprof.Labels("step", "1"), func(ctx context.Context) {
				sameLabels(t, ctx, "in Do", `{"curio.task":"worker", "step":"1", "user":"anna", "zone":"a"}`)
			})
			sameLabels(t, ctx, "after Do", both)
			inTask(ctx, func(ctx context.Context) {
				sameLabels(t, ctx, "below", `{"curio.task":"inner", "user":"anna", "zone":"a"}`)
			}, curio.Name("inner"))
		}, curio.Name("worker"))
		type key struct{}
		inTask(context.WithValue(ctx, key{}, 1), func(ctx context.Context) {
			sameLabels(t, ctx, "spawned with a value", `{"curio.task":"worker"}`)
			if ctx.Value(key{}) != 1 {
				t.Error("the value is lost")
			}
		}, curio.Name("worker"))
		return nil
	}))
}

// When labels are off again, a new task does not have the labels of the task that spawns it.
func TestLabelsOff(t *testing.T) {
	testutil.NoLeaks(t)
	withLabels(t, debug.TaskNames|debug.TaskIDs)
	fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error {
		if before := debug.SetLabels(0); before != debug.TaskNames|debug.TaskIDs {
			t.Errorf("before, it was %b", before)
		}
		for what, from := range map[string]context.Context{
			"plain":         ctx,
			"with labels":   pprof.WithLabels(ctx, pprof.Labels("user", "anna")),
			"with a cancel": context.WithoutCancel(ctx),
		} {
			want := ""
			if what == "with labels" {
				want = `{"user":"anna"}`
			}
			inTask(from, func(ctx context.Context) {
				sameLabels(t, ctx, what, want)
				inTask(ctx, func(ctx context.Context) { sameLabels(t, ctx, what+", below", want) })
			})
		}
		return nil
	}))
}

// What a task starts has its labels, and what is shared by all has not.
func TestLabelsAreInherited(t *testing.T) {
	testutil.NoLeaks(t)
	withLabels(t, debug.TaskNames)
	fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error {
		inTask(ctx, func(ctx context.Context) {
			_, err := curio.RunInThread(ctx, func() (int, error) {
				if got := goroutineLabels(t); got != `{"curio.task":"caller"}` {
					t.Errorf("a function in a thread has the labels %s", got)
				}
				return 0, nil
			})
			fixture.Succeed(err)
		}, curio.Name("caller"))
		return nil
	}))
}

// Values of the user's that misbehave when they are asked for labels harm neither the spawn nor the task.
func TestLabelsWithHostileContext(t *testing.T) {
	testutil.NoLeaks(t)
	withLabels(t, debug.TaskNames|debug.TaskIDs)
	fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error {
		h := &refusing{Context: ctx}
		ran := false
		inTask(h, func(context.Context) { ran = true }, curio.Name("worker"))
		if !ran || !h.asked {
			t.Errorf("the task has run: %v; the context was asked for labels: %v", ran, h.asked)
		}
		return nil
	}))
}

// refusing panics when it is asked for labels, and answers our own questions.
type refusing struct {
	context.Context
	asked bool
}

func (r *refusing) Value(key any) any {
	if strings.HasPrefix(fmt.Sprintf("%T", key), "pprof.") {
		r.asked = true
		panic("refused")
	}
	return r.Context.Value(key)
}

// A chain of tasks, each of which spawns the next and ends, is not kept in memory.
func TestLabelsKeepNoAncestors(t *testing.T) {
	testutil.NoLeaks(t)
	withLabels(t, debug.TaskNames|debug.TaskIDs)
	withTrace(t)
	const length = 200
	var collected atomic.Int32
	fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error {
		var next func(ctx context.Context, left int)
		next = func(ctx context.Context, left int) {
			curio.Go(ctx, func(ctx context.Context) error {
				runtime.AddCleanup(curio.CurrentTask(ctx), func(int) { collected.Add(1) }, left)
				if left > 1 {
					next(ctx, left-1)
					return nil
				}
				return fixture.Sleeper(ctx) // and keeps what it refers to
			})
		}
		next(ctx, length)
		testutil.Await(t, "the tasks that have ended are garbage", func() bool {
			runtime.GC()
			return collected.Load() == length-1
		})
		return nil
	}))
}

// Labels are switched while tasks are spawned.
func TestLabelsRace(t *testing.T) {
	testutil.NoLeaks(t)
	withLabels(t, 0)
	stop := make(chan struct{})
	var switching sync.WaitGroup
	switching.Go(func() {
		for l := debug.Labels(0); ; l = (l + 1) % 4 {
			select {
			case <-stop:
				return
			default:
				debug.SetLabels(l)
			}
		}
	})
	switching.Go(func() {
		for on := false; ; on = !on {
			select {
			case <-stop:
				debug.SetTrace(false)
				return
			default:
				debug.SetTrace(on)
			}
		}
	})
	fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error {
		for i := range testutil.Times(20_000) {
			inTask(ctx, func(ctx context.Context) {
				name, ok := pprof.Label(ctx, "curio.task")
				if want := curio.CurrentTask(ctx).Name(); ok && name != want {
					t.Errorf("the label is %q, the name %q", name, want)
				}
			}, curio.Name(fmt.Sprint("task ", i%3)))
		}
		return nil
	}))
	close(stop)
	switching.Wait()
}

// SIGQUIT prints the names, if Go is asked to.
func TestTracebackLabels(t *testing.T) {
	t.Setenv("GODEBUG", "tracebacklabels=1")
	child := testutil.Self(t, "traceback labels")
	child.After("ready")
	child.Signal(syscall.SIGQUIT)
	if status := child.Wait(); status != 2 {
		t.Errorf("the status is %d, want 2", status)
	}
	if said := child.Stderr(); !regexp.MustCompile(`"?curio\.task"?: ?"?sleeper`).MatchString(said) {
		t.Errorf("the name is not in\n%s", said)
	}
}

func init() { children["traceback labels"] = tracebackLabels }

func tracebackLabels() {
	debug.SetLabels(debug.TaskNames)
	fixture.Succeed(curio.Run(context.Background(), func(ctx context.Context) error {
		curio.Go(ctx, func(ctx context.Context) error {
			fmt.Println("ready")
			return fixture.Sleeper(ctx)
		}, curio.Name("sleeper"))
		return fixture.Sleeper(ctx)
	}))
	os.Exit(1)
}
