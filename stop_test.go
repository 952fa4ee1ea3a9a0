package curio_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

const msgGrace = "have not ended in the grace time"

// worker waits for jobs until it is asked to stop, and works on each for a second.
func worker(jobs *curio.Queue[int], done *[]int) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			idle, cancel := curio.UntilStop(ctx)
			job, err := jobs.Get(idle)
			cancel()
			if err != nil {
				return err
			}
			if err := curio.Sleep(ctx, time.Second); err != nil {
				return err
			}
			*done = append(*done, job)
		}
	}
}

// until sleeps until it is asked to stop, and takes d for what it does then.
func untilAsked(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		idle, cancel := curio.UntilStop(ctx)
		defer cancel()
		if err := curio.Sleep(idle, time.Hour); !errors.Is(err, curio.ErrStopping) {
			return fmt.Errorf("the wait ended with %w", err)
		}
		return curio.Sleep(ctx, d)
	}
}

// What has begun is finished; the wait for the next job ends, with an error that says why.
func TestStop(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var jobs curio.Queue[int]
		var done []int
		task := curio.Go(ctx, worker(&jobs, &done), curio.Name("worker"))
		for i := range 3 {
			f.Must(jobs.Put(ctx, i))
		}
		f.Must(curio.Sleep(ctx, time.Second/2))
		if curio.Stopping(ctx) || task.Cancelled() {
			f.Error("it is stopping already")
		}
		start := time.Now()
		f.Must(task.Stop(ctx, time.Minute, fixture.ErrBoom))
		f.Elapsed(start, time.Second/2)
		if !slices.Equal(done, []int{0}) {
			f.Errorf("done are %v", done)
		}
		err := task.Err()
		if !errors.Is(err, curio.ErrStopping) || !errors.Is(err, curio.ErrCancelled) || errors.Is(err, curio.ErrTaskCancelled) || errors.Is(err, fixture.ErrBoom) {
			f.Errorf("it ended with %v", err)
		}
		who, ok := curio.WhoCancelled(err)
		if !ok || who.By == "" || !strings.Contains(who.Where, "stop_test.go") || !strings.Contains(err.Error(), "asked to stop: boom") {
			f.Errorf("%v: %+v", err, who)
		}
		if _, err := task.Join(ctx); !errors.Is(err, curio.ErrStopping) { // and no line in the log
			f.Error(err)
		}
	})
}

// What has not ended in time is cancelled, named and logged.
func TestStopTooLate(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for _, grace := range []time.Duration{0, time.Second} {
			task := curio.Go(ctx, fixture.Sleeper, curio.Name("straggler"))
			synctest.Wait()
			start := time.Now()
			err := task.Stop(ctx, grace, fixture.ErrBoom)
			f.Elapsed(start, grace)
			late, ok := err.(*curio.GraceError)
			if !ok || len(late.Tasks) != 1 || late.Err != fixture.ErrBoom || !errors.Is(err, fixture.ErrBoom) {
				f.Fatalf("%v", err)
			}
			line := late.Tasks[0]
			if !strings.Contains(line, "straggler: TIME_SLEEP at ") || !strings.Contains(line, "tasks.go:") || !strings.HasSuffix(line, ", for "+grace.String()) {
				f.Errorf("the line is %q", line)
			}
			fixture.Because(f, "the task", task.Err(), fixture.ErrBoom, fixture.TaskCancelled...)
			if told := f.Journal.Take(msgGrace); len(told) != 1 || told[0].Attrs["why"] != fixture.ErrBoom || told[0].Attrs["grace"] != grace {
				f.Errorf("logged: %v", told)
			}
		}
	})
}

// Whatever comes first: the task's end, the end of ctx, another Stop with less patience, a Cancel.
func TestStopAndOthers(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Go(ctx, untilAsked(time.Second))
		synctest.Wait()
		start := time.Now()
		f.Must(task.Stop(ctx, -1))
		f.Must(task.Stop(ctx, 0))
		f.Elapsed(start, time.Second)

		task = curio.Go(ctx, untilAsked(time.Minute))
		synctest.Wait()
		start = time.Now()
		fixture.Is(f, "Stop", curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error { return task.Stop(ctx, time.Hour) }), fixture.TaskTimeout...)
		f.Elapsed(start, time.Second)
		if task.Cancelled() {
			f.Error("it is cancelled")
		}
		slow := curio.Go(ctx, func(ctx context.Context) error { return task.Stop(ctx, time.Hour) })
		err := task.Stop(ctx, time.Second)
		if _, late := err.(*curio.GraceError); !late {
			f.Errorf("the impatient: %v", err)
		}
		f.Elapsed(start, 2*time.Second)
		f.Must(slow.Wait(ctx))
		f.Must(slow.Err())
		f.Journal.Take(msgGrace)

		task = curio.Go(ctx, func(ctx context.Context) error {
			err := curio.CurrentTask(ctx).Stop(ctx, time.Second)
			if !curio.Stopping(ctx) {
				return fixture.ErrBoom
			}
			return err
		})
		f.Must(task.Wait(ctx))
		f.Must(task.Err())
	})
}

// The request reaches all that the task has spawned, also what begins later, through shields and
// foreign contexts; and nobody else.
func TestUntilStop(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		ends := map[string]error{}
		var mu sync.Mutex
		note := func(what string, ctx context.Context) {
			idle, cancel := curio.UntilStop(ctx)
			defer cancel()
			err := curio.Sleep(idle, time.Minute)
			if !errors.Is(context.Cause(idle), curio.ErrStopping) != (err == nil) {
				f.Errorf("%s: the cause is %v", what, context.Cause(idle))
			}
			mu.Lock()
			ends[what] = err
			mu.Unlock()
		}
		outside := curio.Go(ctx, func(ctx context.Context) error { note("outside", ctx); return nil })
		task := curio.Go(ctx, func(ctx context.Context) error {
			return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
				g.Go(func(ctx context.Context) error { note("a member", ctx); return nil })
				curio.Go(ctx, func(ctx context.Context) error { note("a child", ctx); return nil })
				derived, cancel := context.WithCancel(ctx)
				defer cancel()
				g.Go(func(context.Context) error { note("a derived context", derived); return nil })
				g.Go(func(ctx context.Context) error {
					return curio.DisableCancellation(ctx, func(ctx context.Context) error { note("a shield", ctx); return nil })
				})
				g.Go(func(ctx context.Context) error {
					return curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error { note("a timeout", ctx); return nil })
				})
				note("the body", ctx)
				f.Must(curio.Sleep(ctx, time.Second))
				g.Go(func(ctx context.Context) error { note("a later one", ctx); return nil })
				return curio.Sleep(ctx, time.Second)
			})
		})
		synctest.Wait()
		start := time.Now()
		f.Must(task.Stop(ctx, time.Minute))
		f.Elapsed(start, 2*time.Second)
		f.Must(outside.Wait(ctx))
		for _, what := range []string{"a member", "a child", "a derived context", "a shield", "a timeout", "the body", "a later one"} {
			if !errors.Is(ends[what], curio.ErrStopping) {
				f.Errorf("%s: %v", what, ends[what])
			}
		}
		if len(ends) != 8 || ends["outside"] != nil {
			f.Errorf("%v", ends)
		}
		idle, cancel := curio.UntilStop(ctx)
		cancel()
		fixture.Is(f, "its own end", curio.Sleep(idle, 1), fixture.ScopeCancelled...)
	})
}

// A group is stopped as a whole; that its tasks return the request's error is no failure of it.
func TestGroupStop(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var jobs curio.Queue[int]
		var done []int
		err := curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			for range 3 {
				g.Go(worker(&jobs, &done))
			}
			g.Go(fixture.Sleeper, curio.Name("straggler"))
			f.Must(jobs.Put(ctx, 1))
			f.Must(curio.Sleep(ctx, time.Second/2))
			start := time.Now()
			err := g.Stop(ctx, 10*time.Second)
			f.Elapsed(start, 10*time.Second)
			var late *curio.GraceError
			if !errors.As(err, &late) || len(late.Tasks) != 1 || !strings.Contains(late.Tasks[0], "straggler") {
				f.Errorf("%v", err)
			}
			later := g.Go(untilAsked(0))
			f.Must(later.Wait(ctx))
			f.Must(later.Err())
			return nil
		})
		f.Must(err)
		f.Journal.Take(msgGrace)
		if !slices.Equal(done, []int{1}) {
			f.Errorf("done are %v", done)
		}
		f.Must(curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error { return g.Stop(ctx, time.Hour) }))
	})
}

// A member can stop the others, and neither waits for itself nor cancels itself.
func TestGroupStopByMember(t *testing.T) {
	fixture.AwaitEarlierTests(t)
	synctest.Test(t, func(t *testing.T) {
		for _, late := range []bool{false, true} {
			start := time.Now()
			err := curio.Run(t.Context(), func(ctx context.Context) error {
				return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
					g.Go(func(ctx context.Context) error {
						err := g.Stop(ctx, time.Minute)
						if isLate := errors.As(err, new(*curio.GraceError)); isLate != late || err != nil != late {
							t.Errorf("late: %v, and Stop returned %v", late, err)
						}
						return curio.CheckCancellation(ctx)
					})
					if late {
						g.Go(func(ctx context.Context) error {
							if err := fixture.Sleeper(ctx); !errors.Is(err, curio.ErrTaskCancelled) {
								t.Errorf("the other one ended with %v", err)
							}
							return nil
						})
					}
					g.Go(untilAsked(time.Second))
					return nil
				})
			}, curio.Logger(slog.New(slog.DiscardHandler)))
			want := time.Second
			if late {
				want = time.Minute
			}
			if took := time.Since(start); err != nil || took != want {
				t.Errorf("late: %v, it took %v, and returned %v", late, took, err)
			}
		}
	})
}

// An error beside the request's is a failure all the same.
func TestFailureBesideAStop(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Go(ctx, func(ctx context.Context) error {
			idle, cancel := curio.UntilStop(ctx)
			defer cancel()
			return errors.Join(curio.Sleep(idle, time.Hour), fixture.ErrBoom)
		})
		synctest.Wait()
		f.Must(task.Stop(ctx, time.Second))
		if err := task.Err(); !errors.Is(err, fixture.ErrBoom) {
			f.Error(err)
		}
		bare := curio.Go(ctx, func(ctx context.Context) error {
			idle, cancel := curio.UntilStop(ctx)
			defer cancel()
			<-idle.Done()
			return idle.Err() // as other packages do
		})
		synctest.Wait()
		f.Must(bare.Stop(ctx, time.Second)) // and no line in the log that it has failed
	})
}

// outcomes runs main in a kernel of its own, and returns what Run returned and what was logged.
func outcomes(t *testing.T, ctx context.Context, main func(context.Context) error, opts ...curio.KernelOption) (logged *testutil.Journal, err error) {
	t.Helper()
	logged = new(testutil.Journal)
	return logged, curio.Run(ctx, main, append(opts, curio.Logger(slog.New(logged)))...)
}

// With Grace, the end of Run's context is a request first.
func TestRunWithGrace(t *testing.T) {
	fixture.AwaitEarlierTests(t)
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			what    string
			main    func(context.Context) error
			late    string // whom the error names
			takes   time.Duration
			message error
		}{
			{"in time", untilAsked(time.Second), "", time.Second, nil},
			{"in time, and fails", func(ctx context.Context) error { return errors.Join(untilAsked(time.Second)(ctx), fixture.ErrBoom) }, "", time.Second, fixture.ErrBoom},
			{"returns the request", func(ctx context.Context) error {
				idle, cancel := curio.UntilStop(ctx)
				defer cancel()
				return curio.Sleep(idle, time.Hour)
			}, "", 0, nil},
			{"too late", fixture.Sleeper, "TIME_SLEEP", time.Minute, curio.ErrTaskCancelled},
			{"leaves one that is in time", func(ctx context.Context) error {
				curio.Go(ctx, untilAsked(2*time.Second))
				return untilAsked(time.Second)(ctx)
			}, "", 2 * time.Second, nil},
			{"leaves one that is too late", func(ctx context.Context) error {
				curio.Go(ctx, fixture.Sleeper, curio.Name("left"))
				curio.Go(ctx, fixture.Sleeper, curio.Name("nobody waits for it"), curio.Daemon())
				return untilAsked(time.Second)(ctx)
			}, "left: TIME_SLEEP", time.Minute, nil},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			start := time.Now()
			logged, err := outcomes(t, ctx, c.main, curio.Grace(time.Minute))
			if took := time.Since(start); took != time.Second+c.takes {
				t.Errorf("%s: it took %v", c.what, took)
			}
			var late *curio.GraceError
			if errors.As(err, &late) != (c.late != "") || c.late != "" && !strings.Contains(late.Error(), c.late) {
				t.Errorf("%s: %v", c.what, err)
			}
			if c.message != nil && !errors.Is(err, c.message) || c.message == nil && c.late == "" && err != nil {
				t.Errorf("%s: %v", c.what, err)
			}
			if n := len(logged.Take(msgGrace)); (n == 1) != (c.late != "") || len(logged.Lines()) > 0 {
				t.Errorf("%s: %d lines in the log, and %v", c.what, n, logged.Lines())
			}
		}
	})
}

// With a negative grace time, Run waits however long it takes.
func TestEndlessGrace(t *testing.T) {
	fixture.AwaitEarlierTests(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		logged, err := outcomes(t, ctx, func(ctx context.Context) error {
			curio.Go(ctx, untilAsked(2000*time.Hour))
			return untilAsked(1000 * time.Hour)(ctx)
		}, curio.Grace(-1))
		if took := time.Since(start); err != nil || took != 2000*time.Hour+time.Second || len(logged.Lines()) > 0 {
			t.Errorf("%v after %v; logged: %v", err, took, logged.Lines())
		}
	})
}

// Without a wish from outside, Run asks what main has left behind; without Grace nothing has changed.
func TestGraceAfterMain(t *testing.T) {
	fixture.AwaitEarlierTests(t)
	synctest.Test(t, func(t *testing.T) {
		for _, grace := range []time.Duration{0, time.Minute} {
			var ended error
			start := time.Now()
			_, err := outcomes(t, t.Context(), func(ctx context.Context) error {
				curio.Go(ctx, func(ctx context.Context) error {
					ended = untilAsked(time.Second)(ctx)
					return ended
				})
				return curio.Sleep(ctx, time.Second)
			}, curio.Grace(grace))
			if err != nil || (ended == nil) != (grace > 0) || time.Since(start) != time.Second+min(grace, time.Second) {
				t.Errorf("grace %v: %v, the task ended with %v, after %v", grace, err, ended, time.Since(start))
			}
		}
	})
}

// In the Pause everything goes on, but Stopping tells.
func TestPause(t *testing.T) {
	fixture.AwaitEarlierTests(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		var healthy, unhealthy time.Duration
		_, err := outcomes(t, ctx, func(ctx context.Context) error {
			for !curio.Stopping(ctx) {
				healthy = time.Since(start)
				_ = curio.Sleep(ctx, 100*time.Millisecond)
			}
			unhealthy = time.Since(start)
			return untilAsked(time.Second)(ctx)
		}, curio.Pause(10*time.Second), curio.Grace(time.Minute))
		if err != nil || healthy >= 1100*time.Millisecond || unhealthy < time.Second || unhealthy > 1200*time.Millisecond || time.Since(start) != 12*time.Second {
			t.Errorf("%v: healthy up to %v, not from %v, ended after %v", err, healthy, unhealthy, time.Since(start))
		}
	})
}

// A kernel that is stopped waits for what is under way, and is shut down then.
func TestKernelStop(t *testing.T) {
	fixture.AwaitEarlierTests(t)
	synctest.Test(t, func(t *testing.T) {
		logged := new(testutil.Journal)
		k := curio.NewKernel(curio.Logger(slog.New(logged)))
		var tasks []*curio.Task[struct{}]
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Error(err)
			}
		}
		must(k.Run(t.Context(), func(ctx context.Context) error {
			tasks = append(tasks, curio.Go(ctx, untilAsked(time.Second)), curio.Go(ctx, fixture.Sleeper, curio.Name("straggler")))
			if err := k.Stop(ctx, time.Second); err == nil || !strings.Contains(err.Error(), "Stop called by task") {
				t.Errorf("from inside: %v", err)
			}
			return nil
		}))
		start := time.Now()
		err := k.Stop(t.Context(), 10*time.Second)
		var late *curio.GraceError
		if !errors.As(err, &late) || len(late.Tasks) != 1 || time.Since(start) != 10*time.Second {
			t.Errorf("%v, after %v", err, time.Since(start))
		}
		must(tasks[0].Err())
		if !errors.Is(tasks[1].Err(), curio.ErrTaskCancelled) || len(logged.Take(msgGrace)) != 1 {
			t.Errorf("%v", tasks[1].Err())
		}
		if err := k.Run(t.Context(), fixture.Sleeper); err != curio.ErrKernelShutdown {
			t.Errorf("after that: %v", err)
		}
		must(k.Stop(t.Context(), time.Hour))
	})
}

// Services end last, one after the other, the last one first, and what they have spawned with them.
func TestServices(t *testing.T) {
	fixture.AwaitEarlierTests(t)
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var ended []string
		ends := func(name string, d time.Duration) func(context.Context) error {
			return func(ctx context.Context) error {
				err := fixture.Sleeper(ctx)
				_ = curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, d) })
				mu.Lock()
				ended = append(ended, name)
				mu.Unlock()
				return err
			}
		}
		start := time.Now()
		logged, err := outcomes(t, t.Context(), func(ctx context.Context) error {
			curio.Go(ctx, ends("logger", 0), curio.Service())
			curio.Go(ctx, func(ctx context.Context) error {
				curio.Go(ctx, ends("helper", 2*time.Second))
				return ends("pool", time.Second)(ctx)
			}, curio.Service())
			curio.Go(ctx, ends("task", time.Second))
			curio.Go(ctx, ends("daemon", 3*time.Second), curio.Daemon())
			synctest.Wait()
			if n := len(curio.KernelOf(ctx).Tasks()); n != 6 {
				t.Errorf("%d tasks", n)
			}
			return curio.Sleep(ctx, time.Second)
		})
		if want := []string{"task", "daemon", "pool", "helper", "logger"}; err != nil || !slices.Equal(ended, want) {
			t.Errorf("%v: they ended as %v", err, ended)
		}
		if took := time.Since(start); took != 6*time.Second || len(logged.Lines()) > 0 {
			t.Errorf("after %v; logged: %v", took, logged.Lines())
		}
	})
}

// A service that fails ends the main task; one cannot be in a group, or started after the end.
func TestServiceThatFails(t *testing.T) {
	fixture.AwaitEarlierTests(t)
	synctest.Test(t, func(t *testing.T) {
		_, err := outcomes(t, t.Context(), func(ctx context.Context) error {
			curio.Go(ctx, func(ctx context.Context) error { return fixture.ErrBoom }, curio.Service(), curio.Name("logger"))
			return fixture.Sleeper(ctx)
		})
		var failed *curio.TaskError
		if !errors.As(err, &failed) || failed.Task.Name() != "logger" || !errors.Is(err, fixture.ErrBoom) {
			t.Errorf("%v", err)
		}
		k := curio.NewKernel()
		var inside context.Context
		_ = k.Run(t.Context(), func(ctx context.Context) error {
			inside = ctx
			_ = curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
				fixture.Panics(t, "Essential", func() { g.Go(fixture.Sleeper, curio.Service()) })
				return nil
			})
			return nil
		})
		_ = k.Shutdown(context.Background())
		if late := curio.Go(inside, fixture.Sleeper, curio.Service()); late.Err() != curio.ErrKernelShutdown {
			t.Errorf("%v", late.Err())
		}
	})
}

// A service that does not react holds the shutdown up, which says so and can give up.
func TestStubbornService(t *testing.T) {
	fixture.AwaitEarlierTests(t)
	synctest.Test(t, func(t *testing.T) {
		logged := new(testutil.Journal)
		k := curio.NewKernel(curio.Logger(slog.New(logged)))
		var release curio.Event
		_ = k.Run(t.Context(), func(ctx context.Context) error {
			curio.Go(ctx, func(ctx context.Context) error { return curio.DisableCancellation(ctx, release.Wait) }, curio.Service(), curio.Name("pool"))
			return nil
		})
		err := curio.TimeoutAfter(t.Context(), time.Minute, k.Shutdown)
		var gaveUp *curio.ShutdownError
		if !errors.As(err, &gaveUp) || len(gaveUp.Tasks) != 1 || !strings.Contains(gaveUp.Tasks[0], "pool: EVENT_WAIT") {
			t.Errorf("%v", err)
		}
		if n := len(logged.Take(fixture.MsgStubborn)); n == 0 {
			t.Error("nothing is logged")
		}
		release.Set()
		if err := k.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A request at the moment in which a task begins to wait until it comes: the wait ends.
func TestRaceUntilStop(t *testing.T) {
	fixture.Watch(t, func() {
		for range testutil.Times(3000) {
			task := curio.Go(context.Background(), func(ctx context.Context) error {
				for {
					idle, cancel := curio.UntilStop(ctx)
					err := curio.Sleep(idle, time.Microsecond)
					cancel()
					if err != nil {
						return err
					}
				}
			})
			if err := task.Stop(context.Background(), -1); err != nil {
				t.Fatal(err)
			}
			if !errors.Is(task.Err(), curio.ErrStopping) {
				t.Fatal(task.Err())
			}
		}
	})
}

// A task that is asked by its kernel and by its group has not failed, whichever request its error is
// about.
func TestAskedTwice(t *testing.T) {
	fixture.AwaitEarlierTests(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		err := curio.Run(ctx, func(ctx context.Context) error {
			return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
				for range 2 {
					g.Go(func(ctx context.Context) error {
						idle, cancel := curio.UntilStop(ctx)
						defer cancel()
						err := curio.Sleep(idle, time.Hour)
						return errors.Join(err, curio.Sleep(ctx, time.Second)) // meanwhile the group asks
					})
				}
				if err := untilAsked(0)(ctx); err != nil {
					return err
				}
				return g.Stop(ctx, time.Minute)
			})
		}, curio.Grace(time.Hour))
		if err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
}

// The report names what main waits for, and not only main; each task once, however long it takes, and
// whatever begins meanwhile. Daemons are not in it.
func TestLateTasks(t *testing.T) {
	fixture.AwaitEarlierTests(t)
	stubborn := func(ctx context.Context) error { return curio.DisableCancellation(ctx, fixture.Sleeper) }
	for _, n := range []int{1, 60} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			logged, err := outcomes(t, ctx, func(ctx context.Context) error {
				curio.Go(ctx, fixture.Sleeper, curio.Daemon(), curio.Name("daemon"))
				curio.Go(ctx, stubborn, curio.Name("left"))
				err := curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
					for range n {
						g.Go(fixture.Sleeper, curio.Name("member"))
					}
					return nil
				})
				for range n {
					curio.Go(ctx, stubborn, curio.Name("later"))
				}
				return err
			}, curio.Grace(time.Minute))
			var late *curio.GraceError
			if !errors.As(err, &late) {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("%d tasks had not ended", 2+2*n); !strings.Contains(late.Error(), want) {
				t.Errorf("not %s: %v", want, late)
			}
			all := strings.Join(late.Tasks, "\n")
			if n == 1 && (len(late.Tasks) != 4 || !strings.Contains(late.Tasks[0], "TASKGROUP_JOIN at ") ||
				!strings.Contains(all, "member: TIME_SLEEP at ") || !strings.Contains(all, "left: TIME_SLEEP at ") || !strings.Contains(late.Tasks[3], "later: ")) {
				t.Errorf("late are\n%s", all)
			}
			if n > 1 && late.Tasks[len(late.Tasks)-1] != fmt.Sprintf("and %d more", 2+2*n-100) {
				t.Errorf("late are\n%s", all)
			}
			if lines := logged.Take(msgGrace); len(lines) != 2 {
				t.Errorf("logged: %v", lines)
			}
			logged.Take(fixture.MsgStubborn)
		})
	}
}

// A task of a group stops or cancels the others while the group's function is still spawning them. The
// race detector looks at it.
func TestGroupEndedWhileSpawning(t *testing.T) {
	fixture.AwaitEarlierTests(t)
	waits := func(ctx context.Context) error {
		idle, cancel := curio.UntilStop(ctx)
		defer cancel()
		_ = curio.Sleep(idle, time.Hour)
		return nil
	}
	for round := range testutil.Times(5000) {
		err := curio.Run(t.Context(), func(ctx context.Context) error {
			return curio.Group(ctx, func(_ context.Context, g *curio.Tasks) error {
				g.Go(func(ctx context.Context) error {
					if round%2 == 0 {
						_ = g.CancelRemaining(ctx)
					}
					_ = g.Stop(ctx, 0)
					return nil
				})
				for range 3 {
					g.Go(waits)
				}
				return nil
			})
		}, curio.Logger(slog.New(slog.DiscardHandler)), curio.Grace(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
	}
}
