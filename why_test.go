package curio_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
)

var (
	address = regexp.MustCompile(` 0x[0-9a-f]+`)
	number  = regexp.MustCompile(`\([0-9]+\)`)
	line    = regexp.MustCompile(` at \S*/([a-z_]+\.go):[0-9]+`)
)

// reason is what Why says of the task called name, without addresses and numbers.
func reason(t *testing.T, k *curio.Kernel, name string) string {
	t.Helper()
	text := infoOf(t, k, name).Task.Why(true)
	main := k.Inspect()[0].Task.Name()
	text = strings.ReplaceAll(text, main, "main")
	return line.ReplaceAllString(number.ReplaceAllString(address.ReplaceAllString(text, ""), "(ID)"), " at $1")
}

// Three tasks, two locks and a queue: the circle is named, with the lines. As anybody could put something into the queue, it
// is not called a deadlock.
func TestWhyCircle(t *testing.T) {
	var one, other curio.Lock
	queue := curio.NewQueue[int](0)
	inspected(t, func(ctx context.Context) error {
		curio.Go(ctx, func(ctx context.Context) error {
			return one.Do(ctx, func(ctx context.Context) error {
				if err := curio.Sleep(ctx, time.Second); err != nil {
					return err
				}
				return other.Acquire(ctx)
			})
		}, curio.Name("a"))
		curio.Go(ctx, func(ctx context.Context) error {
			return other.Do(ctx, func(ctx context.Context) error {
				for {
					if _, err := queue.Get(ctx); err != nil {
						return err
					}
				}
			})
		}, curio.Name("b"))
		return curio.Go(ctx, func(ctx context.Context) error {
			if err := queue.Put(ctx, 1); err != nil {
				return err
			}
			if err := curio.Sleep(ctx, time.Second); err != nil {
				return err
			}
			return one.Acquire(ctx)
		}, curio.Name("c")).Wait(ctx)
	}, func(k *curio.Kernel) {
		time.Sleep(13 * time.Second)
		const want = "task main/a (ID): LOCK_ACQUIRE Lock(held by task main/b, 1 waiting) for 12s at why_test.go\n" +
			"\ttask main/b (ID): QUEUE_GET Queue(0 items, 1 waiting) for 13s at why_test.go\n" +
			"\t\tperhaps task main/c (ID): LOCK_ACQUIRE Lock(held by task main/a, 1 waiting) for 12s at why_test.go\n" +
			"\t\t\ttask main/a (ID): see above, a circle\n"
		if got := reason(t, k, "a"); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}

// A circle of locks alone is a deadlock.
func TestWhyDeadlock(t *testing.T) {
	locks := make([]curio.Lock, 2)
	inspected(t, func(ctx context.Context) error {
		tasks := make([]*curio.Task[struct{}], 2)
		for i := range locks {
			tasks[i] = curio.Go(ctx, func(ctx context.Context) error {
				return locks[i].Do(ctx, func(ctx context.Context) error {
					if err := curio.Sleep(ctx, time.Second); err != nil {
						return err
					}
					return locks[1-i].Acquire(ctx)
				})
			}, curio.Name(fmt.Sprint("t", i)))
		}
		return tasks[0].Wait(ctx)
	}, func(k *curio.Kernel) {
		time.Sleep(time.Minute)
		got := reason(t, k, "t0")
		const want = "\ta deadlock: tasks main/t0 (ID), main/t1 (ID) wait for each other and can never go on\n"
		if !strings.HasSuffix("\t"+got[strings.LastIndexByte(strings.TrimSuffix(got, "\n"), '\n')+1:], want) {
			t.Errorf("it says\n%s", got)
		}
	})
}

// Names are quoted: none makes a line of its own, neither of a task nor of the deadlock.
func TestWhyQuotes(t *testing.T) {
	var lock curio.Lock
	const name = "a\nb\x1b"
	inspected(t, func(ctx context.Context) error {
		gone := curio.Go(ctx, lock.Acquire)
		if err := gone.Wait(ctx); err != nil {
			return err
		}
		curio.Go(ctx, lock.Acquire, curio.Name(name))
		return curio.Sleep(ctx, time.Hour)
	}, func(k *curio.Kernel) {
		time.Sleep(time.Minute)
		text := infoOf(t, k, name).Task.Why(true)
		if strings.Count(text, "\n") != 2 || strings.Count(text, `/a\nb\x1b (`) != 2 || strings.Contains(text, "\x1b") {
			t.Errorf("it says %q", text)
		}
		for l := range strings.Lines(text) {
			if strings.HasPrefix(l, "b") {
				t.Errorf("the name makes a line of its own: %q", text)
			}
		}
	})
}

// What is said of a task that runs, that has ended, that has a deadline, and of one that nobody can help.
func TestWhySingle(t *testing.T) {
	var lock curio.Lock
	var gone *curio.Task[struct{}]
	inspected(t, func(ctx context.Context) error {
		gone = curio.Go(ctx, lock.Acquire, curio.Name("gone"))
		if err := gone.Wait(ctx); err != nil {
			return err
		}
		curio.Go(ctx, lock.Acquire, curio.Name("lost"))
		curio.Go(ctx, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}, curio.Name("lives"))
		curio.Go(ctx, func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, time.Minute, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) })
		}, curio.Name("limited"))
		return curio.Sleep(ctx, 2*time.Hour)
	}, func(k *curio.Kernel) {
		time.Sleep(20 * time.Second)
		for name, want := range map[string]string{
			"lost": "task main/lost (ID): LOCK_ACQUIRE Lock(held by task ID (ended), 1 waiting), which no task can provide any more for 20s at why_test.go\n" +
				"a deadlock: task main/lost (ID) can never go on\n",
			"lives":   "task main/lives (ID): RUNNING at why_test.go\n",
			"limited": "task main/limited (ID): TIME_SLEEP for 20s, for 59m40s more, the deadline is in 40s at why_test.go\n",
		} {
			got := regexp.MustCompile(`task [0-9]+ \(ended\)`).ReplaceAllString(reason(t, k, name), "task ID (ended)")
			if got != want {
				t.Errorf("%s: got\n%swant\n%s", name, got, want)
			}
		}
		if got := gone.Why(true); !strings.HasSuffix(got, "TERMINATED\n") {
			t.Errorf("of a task that has ended it says %q", got)
		}
	})
}

// The text is bounded however many tasks hang together, and a chain of tasks may be of any length.
func TestWhyLong(t *testing.T) {
	n := testutil.Times(3000)
	synctest.Test(t, func(t *testing.T) {
		k := curio.NewKernel()
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		var last *curio.AnyTask
		go func() {
			defer close(done)
			_ = k.Run(ctx, func(ctx context.Context) error {
				var event curio.Event
				t := curio.Go(ctx, event.Wait)
				for range n {
					before := t
					t = curio.Go(ctx, func(ctx context.Context) error { return before.Wait(ctx) })
				}
				last = t.AnyTask
				return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
					for range n {
						g.Go(event.Wait)
					}
					return nil
				})
			})
		}()
		synctest.Wait()
		if got := strings.Count(last.Why(false), "\n"); got > 105 {
			t.Errorf("a chain has %d lines", got)
		}
		main := k.Inspect()[0].Task
		if got := main.Why(false); strings.Count(got, "\n") > 105 || !strings.Contains(got, "more tasks") {
			t.Errorf("a wide group: %s", got)
		}
		cancel()
		<-done
		if err := k.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
