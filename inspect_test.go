package curio_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// infoOf finds the task called name.
func infoOf(t *testing.T, k *curio.Kernel, name string) curio.TaskInfo {
	t.Helper()
	for _, info := range k.Inspect() {
		if info.Task.Name() == name {
			return info
		}
	}
	t.Fatalf("no task %s", name)
	return curio.TaskInfo{}
}

// inspected runs main in a bubble, and calls look when all tasks wait. Then it cancels them all.
func inspected(t *testing.T, main func(ctx context.Context) error, look func(k *curio.Kernel)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := curio.NewKernel()
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = k.Run(ctx, main)
		}()
		synctest.Wait()
		look(k)
		cancel()
		<-done
		if err := k.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// Each kind of task and of wait is told as it is.
func TestInspect(t *testing.T) {
	var lock curio.Lock
	bounded := curio.NewBoundedSemaphore(1)
	free := curio.NewSemaphore(1)
	var event curio.Event
	queue := curio.NewQueue[int](1)
	inspected(t, func(ctx context.Context) error {
		_ = lock.Acquire(ctx)
		_ = bounded.Acquire(ctx)
		_ = free.Acquire(ctx)
		_ = queue.Put(ctx, 1)
		spawn := func(name string, fn func(ctx context.Context) error, opts ...curio.SpawnOption) *curio.Task[struct{}] {
			return curio.Go(ctx, fn, append(opts, curio.Name(name))...)
		}
		spawn("lock", lock.Acquire)
		spawn("bounded", bounded.Acquire)
		spawn("free", free.Acquire)
		spawn("event", event.Wait, curio.Daemon())
		spawn("service", event.Wait, curio.Service())
		spawn("essential", event.Wait, curio.Essential())
		spawn("putter", func(ctx context.Context) error { return queue.Put(ctx, 2) })
		spawn("select", func(ctx context.Context) error {
			_, err := curio.Select(ctx, lock.AcquireCase(), event.WaitCase(), curio.AfterCase(time.Hour))
			return err
		})
		spawn("timeout", func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, time.Minute, event.Wait)
		})
		spawn("moved", func(ctx context.Context) error {
			var s curio.CancelScope
			s.SetTimeout(2 * time.Minute)
			return s.Run(ctx, event.Wait)
		})
		sleeper := spawn("sleeper", func(ctx context.Context) error { return curio.Sleep(ctx, 2*time.Hour) })
		spawn("joiner", sleeper.Wait)
		stubborn := spawn("stubborn", func(ctx context.Context) error {
			return curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, 3*time.Hour) })
		})
		spawn("killer", func(ctx context.Context) error {
			stubborn.CancelNow(errors.New("enough"))
			return event.Wait(ctx)
		})
		_ = curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			g.Go(event.Wait, curio.Name("member"))
			return curio.Sleep(ctx, 10*time.Second)
		})
		return event.Wait(ctx)
	}, func(k *curio.Kernel) {
		time.Sleep(5 * time.Second)
		main := k.Inspect()[0]
		if main.Kind != curio.MainTask || main.Parent != nil || main.Kernel != k || main.State != "TIME_SLEEP" {
			t.Errorf("%+v", main)
		}
		for name, want := range map[string]string{
			"lock":      "task LOCK_ACQUIRE Lock(held by task MAIN, 2 waiting) on MAIN",
			"bounded":   "task SEMA_ACQUIRE BoundedSemaphore(0 of 1 free, held by task MAIN, 1 waiting) on MAIN",
			"free":      "task SEMA_ACQUIRE Semaphore(0 of 1 free, held by task MAIN, 1 waiting) perhaps MAIN",
			"event":     "daemon EVENT_WAIT Event(not set, 8 waiting)",
			"service":   "service EVENT_WAIT Event(not set, 8 waiting) essential",
			"essential": "task EVENT_WAIT Event(not set, 8 waiting) essential",
			"putter":    "task QUEUE_PUT Queue(1 of 1 items, 1 waiting)",
			"select":    "task LOCK_ACQUIRE Lock(held by task MAIN, 2 waiting) on MAIN; EVENT_WAIT Event(not set, 8 waiting); TIME_SLEEP the clock until 59m55s",
			"timeout":   "task EVENT_WAIT Event(not set, 8 waiting) deadline 55s",
			"moved":     "task EVENT_WAIT Event(not set, 8 waiting) deadline 1m55s",
			"sleeper":   "task TIME_SLEEP until 1h59m55s",
			"joiner":    "task TASK_WAIT task MAIN/sleeper (ID) on sleeper",
			"stubborn":  "task TIME_SLEEP until 2h59m55s cancelled 5s ago in inspect_test.go: enough",
			"member":    "task EVENT_WAIT Event(not set, 8 waiting) in a group",
		} {
			info := infoOf(t, k, name)
			if got := told(info); got != want {
				t.Errorf("%s:\n got %s\nwant %s", name, got, want)
			}
			if age := time.Since(info.Started); age != 5*time.Second {
				t.Errorf("%s is %v old", name, age)
			}
			if waits := time.Since(info.Since); waits != 5*time.Second {
				t.Errorf("%s has waited for %v", name, waits)
			}
			if !strings.Contains(info.Spawned, "inspect_test.go:") {
				t.Errorf("%s was spawned at %q", name, info.Spawned)
			}
		}
	})
}

// told is what info says, without addresses and numbers that are different each time.
func told(info curio.TaskInfo) string {
	main := info.Kernel.Inspect()[0].Task
	text := string(info.Kind)
	for i, w := range info.Waits {
		if i > 0 {
			text += ";"
		}
		text += " " + w.String()
		for _, t := range w.On {
			text += " on " + t.Name()
		}
		for _, t := range w.Perhaps {
			text += " perhaps " + t.Name()
		}
	}
	if !info.Until.IsZero() {
		text += " until " + time.Until(info.Until).String()
	}
	if !info.Deadline.IsZero() {
		text += " deadline " + time.Until(info.Deadline).String()
	}
	if info.Essential {
		text += " essential"
	}
	if info.InGroup {
		text += " in a group"
	}
	if c := info.Cancelled; c != nil {
		file, _, _ := strings.Cut(c.Where[strings.LastIndexByte(c.Where, '/')+1:], ":")
		text += fmt.Sprintf(" cancelled %v ago in %s: %v", time.Since(c.When), file, c.Reason)
	}
	text = address.ReplaceAllString(strings.ReplaceAll(text, main.Name(), "MAIN"), "")
	return number.ReplaceAllString(text, "(ID)")
}

// Inspect may be called at any time, whatever the tasks do. What it returns of one task fits together.
func TestInspectRandom(t *testing.T) {
	testutil.NoLeaks(t)
	k := curio.NewKernel(curio.Logger(slog.New(slog.DiscardHandler)))
	err := k.Run(context.Background(), func(ctx context.Context) error {
		var over atomic.Bool
		var lock curio.RLock
		queue := curio.NewQueue[int](2)
		var event curio.Event
		var live func(depth int) func(ctx context.Context) error
		live = func(depth int) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				for !over.Load() {
					var err error
					switch rand.IntN(8) {
					case 0:
						err = lock.Do(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Microsecond) })
					case 1:
						_, err = curio.IgnoreAfter(ctx, time.Microsecond, func(ctx context.Context) error { return queue.Put(ctx, 1) })
					case 2:
						_, err = curio.IgnoreAfter(ctx, time.Microsecond, func(ctx context.Context) error { _, err := queue.Get(ctx); return err })
					case 3:
						_, err = curio.IgnoreAfter(ctx, time.Microsecond, event.Wait)
					case 4:
						_, err = curio.Select(ctx, event.WaitCase(), curio.AfterCase(time.Microsecond))
					case 5:
						if depth < 3 {
							err = curio.Go(ctx, live(depth+1)).Wait(ctx)
						}
					case 6:
						child := curio.Go(ctx, event.Wait)
						_, err = child.Cancel(ctx)
					case 7:
						err = curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
							g.Go(func(ctx context.Context) error { return curio.Sleep(ctx, 1) })
							return nil
						})
					}
					if err != nil {
						return err
					}
				}
				return nil
			}
		}
		var tasks []*curio.Task[struct{}]
		for range 8 {
			tasks = append(tasks, curio.Go(ctx, live(0)))
		}
		waits := 0
		for range testutil.Times(500) {
			infos := k.Inspect()
			if !slices.IsSortedFunc(infos, func(a, b curio.TaskInfo) int { return int(a.Task.ID()) - int(b.Task.ID()) }) {
				t.Error("not in order")
			}
			for _, info := range infos {
				waits += len(info.Waits)
				if waiting := len(info.Waits) > 0; waiting == info.Since.IsZero() || !waiting && !info.Until.IsZero() {
					t.Errorf("%+v", info)
				}
			}
			_ = infos[rand.IntN(len(infos))].Task.Why(false)
			if err := curio.Sleep(ctx, 0); err != nil {
				return err
			}
		}
		over.Store(true)
		event.Set()
		for _, task := range tasks {
			if err := task.Wait(ctx); err != nil {
				return err
			}
		}
		if waits == 0 {
			t.Error("nobody was seen to wait")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := k.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if slices.Contains(curio.Kernels(), k) {
		t.Error("a kernel that was shut down is among the kernels")
	}
}

// Some tasks, of two kernels, in one look.
func TestInspectTasks(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l curio.Lock
		fixture.Succeed(l.Acquire(ctx))
		var tasks []*curio.AnyTask
		for range 3 {
			tasks = append(tasks, curio.Go(ctx, func(ctx context.Context) error {
				return l.Do(ctx, func(context.Context) error { return nil })
			}).AnyTask)
		}
		other := curio.Go(context.Background(), func(ctx context.Context) error { return curio.Sleep(ctx, time.Second) })
		synctest.Wait()
		infos := curio.InspectTasks(tasks[2], other.AnyTask, tasks[0])
		if len(infos) != 3 || infos[0].Task != tasks[2] || infos[1].Task != other.AnyTask || infos[2].Task != tasks[0] {
			f.Fatalf("got %v", infos)
		}
		if len(infos[2].Waits) != 1 || infos[2].Waits[0].On[0] != curio.CurrentTask(ctx) || infos[1].State != "TIME_SLEEP" {
			f.Errorf("got %+v", infos)
		}
		if len(curio.InspectTasks()) != 0 {
			f.Error("something of nothing")
		}
		stacks := curio.Tracebacks(tasks[1], other.AnyTask)
		if !strings.Contains(stacks[0], "(*Lock).Do") || !strings.Contains(stacks[1], "curio.Sleep") {
			f.Errorf("got %q", stacks)
		}
		l.Release(ctx)
		for _, task := range tasks {
			fixture.Succeed(task.Wait(ctx))
		}
		if _, err := other.Join(ctx); err != nil || curio.Tracebacks(tasks[0])[0] != "" {
			f.Errorf("after the end: %v", err)
		}
	})
}
