package curio_test

import (
	"context"
	"errors"
	"fmt"
	"go/scanner"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// counters is what of s counts since the program began.
func counters(s curio.Stats) [6]uint64 {
	return [6]uint64{s.Created, s.Ended, s.Failed, s.Panicked, s.Cancelled, s.TimeoutsExpired}
}

// counted returns by how much f moves the counters: created, ended, failed, panicked, cancelled, timeouts.
func counted(f func()) (d [6]uint64) {
	before := counters(curio.ReadStats())
	f()
	after := counters(curio.ReadStats())
	for i := range d {
		d[i] = after[i] - before[i]
	}
	return d
}

func TestStatsCountEnds(t *testing.T) {
	dead, cancel := context.WithCancel(context.Background())
	cancel()
	join := func(ctx context.Context, fn func(context.Context) error, opts ...curio.SpawnOption) {
		_, _ = curio.Go(ctx, fn, opts...).Join(ctx)
	}
	stopped := func(ctx context.Context, fn func(context.Context) error) { // once it sleeps
		task := curio.Go(ctx, fn, curio.ReportCrash(false))
		synctest.Wait()
		_, _ = task.Cancel(ctx)
	}
	for _, test := range []struct {
		name string
		run  func(ctx context.Context, f *fixture.Fixture)
		want [6]uint64
	}{
		{"success", func(ctx context.Context, _ *fixture.Fixture) { join(ctx, fixture.Nothing) }, [6]uint64{1, 1}},
		{"failure", func(ctx context.Context, _ *fixture.Fixture) {
			join(ctx, func(context.Context) error { return fixture.ErrBoom })
		}, [6]uint64{1, 1, 1}},
		{"failure that nobody has seen", func(ctx context.Context, _ *fixture.Fixture) {
			curio.Go(ctx, func(context.Context) error { return fixture.ErrBoom }, curio.ReportCrash(false))
			synctest.Wait()
		}, [6]uint64{1, 1, 1}},
		{"an error whose method panics", func(ctx context.Context, _ *fixture.Fixture) {
			join(ctx, func(context.Context) error { return (*nilError)(nil) })
		}, [6]uint64{1, 1, 1}},
		{"panic", func(ctx context.Context, _ *fixture.Fixture) {
			join(ctx, func(context.Context) error { panic("boom") }, curio.ReportCrash(false))
		}, [6]uint64{1, 1, 1, 1}},
		{"Goexit", func(ctx context.Context, _ *fixture.Fixture) {
			join(ctx, func(context.Context) error { runtime.Goexit(); return nil })
		}, [6]uint64{1, 1, 1}},
		{"cancellation", func(ctx context.Context, _ *fixture.Fixture) { stopped(ctx, fixture.Sleeper) }, [6]uint64{1, 1, 0, 0, 1}},
		{"success after a cancellation", func(ctx context.Context, _ *fixture.Fixture) {
			stopped(ctx, func(ctx context.Context) error { _ = fixture.Sleeper(ctx); return nil })
		}, [6]uint64{1, 1, 0, 0, 1}},
		{"failure in the clean-up", func(ctx context.Context, _ *fixture.Fixture) {
			stopped(ctx, func(ctx context.Context) error { return errors.Join(fixture.Sleeper(ctx), fixture.ErrBoom) })
		}, [6]uint64{1, 1, 1, 0, 1}},
		{"cancelled with its parent", func(ctx context.Context, _ *fixture.Fixture) {
			stopped(ctx, func(ctx context.Context) error {
				return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
					g.Go(fixture.Sleeper)
					return nil
				})
			})
		}, [6]uint64{2, 2, 0, 0, 2}},
		{"a group of three, one of which fails", func(ctx context.Context, _ *fixture.Fixture) {
			_ = curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
				g.Go(fixture.Nothing)
				g.Go(fixture.Sleeper)
				g.Go(func(ctx context.Context) error { return errors.Join(curio.Sleep(ctx, time.Second), fixture.ErrBoom) })
				return nil
			})
		}, [6]uint64{3, 3, 1, 0, 1}},
		{"a task that was not tried", func(ctx context.Context, f *fixture.Fixture) {
			f.Must(curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
				one := g.Go(fixture.Sleeper)
				for range 10 {
					if g.TryGo(fixture.Nothing, curio.Name("none")) != nil {
						f.Error("TryGo has gone past the limit")
					}
				}
				return second(one.Cancel(ctx))
			}, curio.Limit(1)))
		}, [6]uint64{1, 1, 0, 0, 1}},
		{"SpawnWait with a dead context", func(ctx context.Context, f *fixture.Fixture) {
			f.Must(curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
				if _, err := g.GoWait(dead, fixture.Nothing); err == nil {
					f.Error("GoWait has spawned with a context that is done")
				}
				return nil
			}))
		}, [6]uint64{}},
		{"misuse of a group", func(ctx context.Context, f *fixture.Fixture) {
			var late *curio.Tasks
			f.Must(curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error { late = g; return nil }))
			fixture.Panics(f, "after its end", func() { late.Go(fixture.Nothing) })
		}, [6]uint64{}},
		{"an adopted task", func(ctx context.Context, f *fixture.Fixture) {
			f.Must(curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
				return g.AddTask(curio.Go(ctx, fixture.Nothing))
			}))
		}, [6]uint64{1, 1}},
		{"a shared call", func(ctx context.Context, f *fixture.Fixture) {
			var calls curio.SharedCalls[string, int]
			_, _, err := calls.Do(ctx, "key", func(context.Context) (int, error) { return 1, nil })
			f.Must(err)
		}, [6]uint64{1, 1}},
		{"a shared call under a context of package context", func(ctx context.Context, f *fixture.Fixture) {
			var calls curio.SharedCalls[string, int]
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			for range 2 {
				go calls.Do(ctx, "key", func(ctx context.Context) (int, error) { return 1, curio.Sleep(ctx, time.Second) })
			}
			synctest.Wait()
			if n := len(calls.Snapshot().Waiters); n != 2 {
				f.Errorf("%d wait for the call, want 2", n)
			}
			time.Sleep(2 * time.Second)
		}, [6]uint64{1, 1}},
		{"a shared call that panics", func(ctx context.Context, f *fixture.Fixture) {
			var calls curio.SharedCalls[string, int]
			_, _, err := calls.Do(ctx, "key", fixture.Explode)
			if _, panicked := errors.AsType[*curio.PanicError](err); !panicked || len(f.Journal.Take(fixture.MsgPanic)) != 1 {
				f.Errorf("the error is %v", err)
			}
		}, [6]uint64{1, 1, 1, 1}},
		{"a shared call that never starts", func(ctx context.Context, f *fixture.Fixture) {
			behindAnother(ctx, f, func(behind *curio.Task[int]) { _, _ = behind.Cancel(ctx) })
		}, [6]uint64{3, 3, 0, 0, 3}}, // two callers, and the call of the first
		{"a shared call that starts late", func(ctx context.Context, f *fixture.Fixture) {
			behindAnother(ctx, f, func(behind *curio.Task[int]) {
				if v, err := behind.Join(ctx); v != 2 || err != nil {
					f.Errorf("the second call: %d, %v", v, err)
				}
			})
		}, [6]uint64{4, 4, 0, 0, 2}},
		{"a kernel of its own", func(context.Context, *fixture.Fixture) {
			_ = curio.Run(context.Background(), func(ctx context.Context) error {
				curio.Go(ctx, fixture.Sleeper)
				curio.Go(ctx, fixture.Sleeper, curio.Daemon())
				curio.Go(ctx, fixture.Sleeper, curio.Service())
				return nil
			})
		}, [6]uint64{4, 4, 0, 0, 3}},
		{"a kernel that has been shut down", func(ctx context.Context, f *fixture.Fixture) {
			k := curio.NewKernel()
			f.Must(k.Shutdown(ctx))
			fixture.Is(f, "Run", k.Run(dead, fixture.Nothing), curio.ErrKernelShutdown)
		}, [6]uint64{1, 1, 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				got := counted(func() { test.run(ctx, f); synctest.Wait() })
				if got != test.want {
					f.Errorf("created, ended, failed, panicked, cancelled, timeouts: %v, want %v", got, test.want)
				}
			})
		})
	}
}

// behindAnother calls f with a task that asks for a call behind one that was cancelled and goes on for a second.
func behindAnother(ctx context.Context, f *fixture.Fixture, do func(behind *curio.Task[int])) {
	var s fixture.Calls
	old := curio.Spawn(ctx, fixture.Asks(&s, "key", stubbornRacer(time.Second, 1)))
	synctest.Wait()
	_, _ = old.Cancel(ctx)
	behind := curio.Spawn(ctx, fixture.Asks(&s, "key", fixture.Returns(2)))
	synctest.Wait()
	seen, _ := curio.ParkedOf(behind.AnyTask)
	if text := fmt.Sprint(seen.Object); text != "the call for key, behind one that was cancelled" {
		f.Errorf("it waits for %s", text)
	}
	do(behind)
	time.Sleep(2 * time.Second)
}

// A task that is spawned in a kernel that has been shut down has ended at once.
func TestStatsCountRefusals(t *testing.T) {
	ctx := fixture.EndedKernel()
	got := counted(func() { _, _ = curio.Go(ctx, fixture.Nothing).Join(context.Background()) })
	if got[0] != 1 || got[1] != 1 {
		t.Errorf("created %d, ended %d, want 1 and 1", got[0], got[1])
	}
}

// second returns the error of a call with another result.
func second[T any](_ T, err error) error { return err }

// A nilError is an error that panics when it is asked.
type nilError struct{ text string }

func (e *nilError) Error() string        { return e.text }
func (e *nilError) Is(target error) bool { return e.text == target.Error() }

func TestStatsCountTimeouts(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(ctx context.Context) error
		want uint64
	}{
		{"TimeoutAfter", func(ctx context.Context) error { return curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper) }, 1},
		{"in time", func(ctx context.Context) error { return curio.TimeoutAfter(ctx, time.Second, fixture.Nothing) }, 0},
		{"without a wait", func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, 0, func(ctx context.Context) error { return ctx.Err() })
		}, 1},
		{"that nobody notices", func(ctx context.Context) error { return curio.TimeoutAfter(ctx, 0, fixture.Nothing) }, 0},
		{"the outer of two", func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
				return curio.TimeoutAfter(ctx, time.Minute, fixture.Sleeper)
			})
		}, 1},
		{"the inner of two", func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, time.Minute, func(ctx context.Context) error {
				return curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper)
			})
		}, 1},
		{"IgnoreAfter", func(ctx context.Context) error { return second(curio.IgnoreAfter(ctx, time.Second, fixture.Sleeper)) }, 1},
		{"a CancelScope", func(ctx context.Context) error {
			s := new(curio.CancelScope)
			s.SetTimeout(time.Second)
			return s.Run(ctx, fixture.Sleeper)
		}, 1},
		{"a CancelScope that is cancelled", func(ctx context.Context) error {
			s := new(curio.CancelScope)
			s.SetTimeout(time.Second)
			return s.Run(ctx, func(ctx context.Context) error { s.Cancel(); return fixture.Sleeper(ctx) })
		}, 0},
		{"of package context", func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			return fixture.Sleeper(ctx)
		}, 0},
		{"with ten tasks below", func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
				return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
					for range 10 {
						g.Go(fixture.Sleeper)
					}
					return nil
				})
			})
		}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				if got := counted(func() { _ = test.run(ctx) })[5]; got != test.want {
					f.Errorf("%d timeouts have expired, want %d", got, test.want)
				}
			})
		})
	}
}

func TestStatsOfNow(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		before := curio.ReadStats()
		var lock curio.Lock
		f.Must(lock.Acquire(ctx))
		var tasks []*curio.Task[struct{}]
		spawn := func(fn func(context.Context) error, opts ...curio.SpawnOption) {
			tasks = append(tasks, curio.Go(ctx, fn, opts...))
		}
		spawn(fixture.Sleeper)
		first := tasks[0]
		spawn(fixture.Sleeper, curio.Daemon())
		spawn(fixture.Sleeper, curio.Service())
		spawn(lock.Acquire)
		spawn(func(ctx context.Context) error { return second(curio.NewQueue[int](1).Get(ctx)) })
		spawn(func(ctx context.Context) error { return new(curio.Event).Wait(ctx) })
		spawn(func(ctx context.Context) error { return first.Wait(ctx) })
		spawn(func(ctx context.Context) error { // it does not wait in a call of this module
			<-ctx.Done()
			return nil
		})
		spawn(func(ctx context.Context) error { // one that is hard to stop
			return curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Minute) })
		})
		release := make(chan struct{})
		inThread := func(ctx context.Context) error {
			return second(curio.RunInThread(ctx, func() (int, error) { <-release; return 0, nil }))
		}
		spawn(inThread)
		spawn(func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, time.Second, inThread)
		}, curio.ReportCrash(false))
		synctest.Wait()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		tasks[8].CancelNow()

		got := curio.ReadStats()
		for what, n := range map[string][2]int{
			"kernels":         {got.Kernels - before.Kernels, 0},
			"tasks":           {got.Tasks - before.Tasks, 10},
			"ordinary":        {got.ByKind[curio.OrdinaryTask] - before.ByKind[curio.OrdinaryTask], 8},
			"main":            {got.ByKind[curio.MainTask], 1},
			"daemons":         {got.ByKind[curio.DaemonTask] - before.ByKind[curio.DaemonTask], 1},
			"services":        {got.ByKind[curio.ServiceTask] - before.ByKind[curio.ServiceTask], 1},
			"sleep":           {got.ByState["sleep"], 4},
			"lock":            {got.ByState["lock"], 1},
			"queue":           {got.ByState["queue"], 1},
			"event":           {got.ByState["event"], 1},
			"task":            {got.ByState["task"], 1},
			"running":         {got.ByState["running"], 2}, // the main task is the other
			"thread":          {got.ByState["thread"], 1},
			"other":           {got.ByState["other"], 0},
			"stopping":        {got.Stopping, 1},
			"thread calls":    {got.ThreadCalls, 2},
			"abandoned calls": {got.AbandonedCalls, 1},
		} {
			if n[0] != n[1] {
				f.Errorf("%s: %d, want %d", what, n[0], n[1])
			}
		}
		if kinds, states := total(got.ByKind), total(got.ByState); kinds != got.Tasks || states != got.Tasks {
			f.Errorf("%d tasks, of which %d have a kind and %d a state", got.Tasks, kinds, states)
		}
		if d := got.Created - before.Created; d != 11 {
			f.Errorf("%d tasks were created, want 11", d)
		}

		close(release)
		for _, task := range tasks {
			_, _ = task.Cancel(ctx)
		}
		lock.Release(ctx)
		f.ThreadsEnd()
		if got := curio.ReadStats(); got.Tasks != before.Tasks || got.Stopping != 0 || got.ThreadCalls != 0 || got.AbandonedCalls != 0 {
			f.Errorf("when all have ended, there are %+v", got)
		}
	})
}

func total[K comparable](counts map[K]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

func TestStatsCountKernels(t *testing.T) {
	before := curio.ReadStats().Kernels
	k := curio.NewKernel()
	if n := curio.ReadStats().Kernels; n != before+1 {
		t.Errorf("%d kernels, want %d", n, before+1)
	}
	if err := k.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if n := curio.ReadStats().Kernels; n != before {
		t.Errorf("%d kernels when one has been shut down, want %d", n, before)
	}
}

// What is counted is of the same size, whatever tasks are called. A system of metrics with a series for each of a
// million names would take more memory than the program.
func TestStatsOfAMillionNames(t *testing.T) {
	const atOnce = 1000
	n := testutil.Times(1_000_000)
	if testutil.Race {
		n /= 10
	}
	before := curio.ReadStats()
	err := curio.Run(t.Context(), func(ctx context.Context) error {
		for i := range n / atOnce {
			for j := range atOnce {
				curio.Go(ctx, fixture.Nothing, curio.Name(fmt.Sprintf("request %d of \n{client=%d}", j, i)))
			}
			s := curio.ReadStats()
			if !sameKeys(s.ByKind, before.ByKind) || !sameKeys(s.ByState, before.ByState) {
				return fmt.Errorf("there are kinds %v and states %v", s.ByKind, s.ByState)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if want := []string{
		"event", "file", "lock", "network", "other", "process", "queue", "read", "running", "select", "sleep", "task", "thread", "write",
	}; !slices.Equal(slices.Sorted(maps.Keys(before.ByState)), want) {
		t.Errorf("the classes are %v, want %v as Stats says", before.ByState, want)
	}
}

func sameKeys[K comparable](a, b map[K]int) bool {
	for k := range a {
		if _, ok := b[k]; !ok {
			return false
		}
	}
	return len(a) == len(b)
}

// A counter that goes back is taken for a restart of the program. So none ever does, and no task has ended before it
// was created, whatever happens meanwhile.
func TestStatsNeverGoBack(t *testing.T) {
	var over atomic.Bool
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			last := curio.ReadStats()
			for !over.Load() {
				s := curio.ReadStats()
				for i, n := range counters(s) {
					if n < counters(last)[i] {
						t.Errorf("counter %d has gone back from %d to %d", i, counters(last)[i], n)
					}
				}
				if s.Ended > s.Created || s.Tasks < 0 || total(s.ByKind) != s.Tasks || total(s.ByState) != s.Tasks {
					t.Errorf("inconsistent: %+v", s)
				}
				last = s
			}
		})
	}
	before := curio.ReadStats()
	dead, cancel := context.WithCancel(context.Background())
	cancel()
	n := testutil.Times(10_000)
	var calls curio.SharedCalls[int, int]
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			for range 4 {
				g.Go(func(ctx context.Context) error {
					for i := range n {
						err := curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
							g.Go(fixture.Nothing)
							g.TryGo(fixture.Nothing, curio.Name("tried"))
							_, _ = g.GoWait(dead, fixture.Nothing)
							curio.Go(ctx, fixture.Sleeper, curio.Name("cancelled")).CancelNow()
							_, _, err := calls.Do(ctx, i, func(context.Context) (int, error) { return i, nil })
							return err
						}, curio.Limit(1))
						if err != nil {
							return err
						}
						_ = curio.TimeoutAfter(ctx, 0, fixture.Sleeper)
					}
					return nil
				})
			}
			return nil
		})
	})
	over.Store(true)
	readers.Wait()
	if err != nil {
		t.Fatal(err)
	}
	testutil.Await(t, "an end of each task", func() bool {
		s := curio.ReadStats()
		return s.Created-before.Created == s.Ended-before.Ended && s.Tasks == before.Tasks
	})
	if d := curio.ReadStats().TimeoutsExpired - before.TimeoutsExpired; d != uint64(4*n) {
		t.Errorf("%d timeouts have expired, want %d", d, 4*n)
	}
}

// Each state of this module has a class, so that a new one is not forgotten: it would be counted with the states that
// programs make. A literal that looks like a state and is none is listed here.
func TestEachStateHasAClass(t *testing.T) {
	state := regexp.MustCompile(`^[A-Z]+(_[A-Z]+)+$`)
	none := regexp.MustCompile(`^(SO|IP|TCP|LISTEN|CURIO|PYENV|IPV6)_`) // options of sockets, variables of the environment
	found := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			switch path {
			case "bench", "cmd", "examples", "metrics", "tools", "verify", ".git":
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, s := range literals(text) {
			if !state.MatchString(s) || none.MatchString(s) {
				continue
			}
			found[s] = true
			if curio.ClassOf(s) == "other" {
				t.Errorf("%s: the state %s has no class: add it to classes in stateclass.go, or to none here if it is no state", path, s)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range curio.KnownStates() {
		if !found[s] && state.MatchString(s) {
			t.Errorf("there is a class for %s, which is no state any more", s)
		}
	}
	for s, want := range map[string]string{"RUNNING": "running", "ABIDE": "thread", "SELECT": "select", "BUDGET_TAKE": "other", "": "other"} {
		if got := curio.ClassOf(s); got != want {
			t.Errorf("state %q is of class %s, want %s", s, got, want)
		}
	}
}

// literals returns the texts of the string literals of a Go file, apart from stateclass.go's, which are no states
// before somebody uses them.
func literals(text []byte) (found []string) {
	if strings.Contains(string(text), "\ntype stateClass ") {
		return nil
	}
	files := token.NewFileSet()
	var s scanner.Scanner
	s.Init(files.AddFile("", files.Base(), len(text)), text, nil, 0)
	for {
		switch _, tok, literal := s.Scan(); tok {
		case token.EOF:
			return found
		case token.STRING:
			if text, err := strconv.Unquote(literal); err == nil {
				found = append(found, text)
			}
		}
	}
}

func ExampleReadStats() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		before := curio.ReadStats()
		var lock curio.Lock
		if err := lock.Acquire(ctx); err != nil {
			return err
		}
		waiting := curio.Go(ctx, lock.Acquire)
		for lock.Snapshot().Waiters == nil {
			if err := curio.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		stats := curio.ReadStats()
		fmt.Println("created:", stats.Created-before.Created)
		fmt.Println("waiting for a lock:", stats.ByState["lock"])

		_, err := waiting.Cancel(ctx)
		stats = curio.ReadStats()
		fmt.Println("cancelled:", stats.Cancelled-before.Cancelled)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// created: 1
	// waiting for a lock: 1
	// cancelled: 1
}

func BenchmarkReadStats(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("tasks=%d", n), func(b *testing.B) {
			inBenchKernel(b, func(ctx context.Context) {
				var all []*curio.Task[struct{}]
				for range n {
					all = append(all, curio.Go(ctx, fixture.Sleeper))
				}
				for all[n-1].State() != "TIME_SLEEP" {
					runtime.Gosched()
				}
				for b.Loop() {
					curio.ReadStats()
				}
				for _, t := range all {
					t.CancelNow()
				}
			})
		})
	}
}
