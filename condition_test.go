package curio_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// L16: Notify wakes exactly one, the one that has waited longest; two consumers take
// turns.
func TestConditionNotify(t *testing.T) {
	fixture.EachCondition(t, func(ctx context.Context, f *fixture.Fixture, c *curio.Condition) {
		var items, got []int
		consumer := func(ctx context.Context) (who int, err error) {
			for range 3 {
				err = errors.Join(err, c.Do(ctx, func(ctx context.Context) error {
					for len(items) == 0 {
						if err := c.Wait(ctx); err != nil {
							return err
						}
					}
					got = append(got, items[0]*10+int(curio.CurrentTask(ctx).Name()[0]-'0'))
					items = items[1:]
					return nil
				}))
			}
			return 0, err
		}
		var tasks []*curio.Task[int]
		for i := range 2 {
			tasks = append(tasks, curio.Spawn(ctx, consumer, curio.Name(fmt.Sprint(i))))
			synctest.Wait()
		}
		for i := range 6 {
			fixture.Succeed(c.Do(ctx, func(context.Context) error {
				items = append(items, i)
				c.Notify(1)
				return nil
			}))
			synctest.Wait()
		}
		for _, task := range tasks {
			if _, err := task.Join(ctx); err != nil {
				f.Error(err)
			}
		}
		if want := []int{0, 11, 20, 31, 40, 51}; !slices.Equal(got, want) {
			f.Errorf("got %v, want %v", got, want)
		}
	})
}

// L19, L27, W-L1: Notify of more than there are wakes those that there are, of none
// wakes none, without waiters it does nothing; NotifyAll wakes all.
func TestConditionNotifyMany(t *testing.T) {
	fixture.EachCondition(t, func(ctx context.Context, f *fixture.Fixture, c *curio.Condition) {
		c.Notify(1)
		c.Notify(math.MaxInt)
		c.NotifyAll()
		left := 0
		come := func(n int) (tasks []*curio.Task[struct{}]) {
			for range n {
				left++
				tasks = append(tasks, fixture.ConditionWaiter(ctx, f, c, func(err error) {
					left--
					if err != nil {
						f.Error(err)
					}
				}))
			}
			return tasks
		}
		tasks := come(10)
		for _, step := range []struct{ n, left int }{{0, 10}, {1, 9}, {3, 6}, {100, 0}, {1, 0}} {
			c.Notify(step.n)
			synctest.Wait()
			if left != step.left {
				f.Errorf("after Notify(%d) %d are left, want %d", step.n, left, step.left)
			}
			for i, task := range tasks {
				if task.Terminated() != (i < 10-step.left) {
					f.Errorf("with %d left, %d is %v", left, i, task)
				}
			}
		}
		come(10)
		c.NotifyAll()
		synctest.Wait()
		if left != 0 {
			f.Errorf("after NotifyAll %d are left", left)
		}
		f.OnlyMain()
	})
}

// L20: WaitFor returns when it is true and not before; a notification before that is for
// nothing; it does not wait for what is true already.
func TestConditionWaitFor(t *testing.T) {
	fixture.EachCondition(t, func(ctx context.Context, f *fixture.Fixture, c *curio.Condition) {
		n, asked := 0, 0
		task := curio.Go(ctx, func(ctx context.Context) error {
			return c.Do(ctx, func(ctx context.Context) error {
				for range 2 {
					err := c.WaitFor(ctx, func() bool {
						asked++
						fixture.HoldsLock(ctx, f, c, true)
						return n >= 3
					})
					if err != nil || n != 3 {
						f.Errorf("at %d: %v", n, err)
					}
				}
				return nil
			})
		})
		synctest.Wait()
		for range 3 {
			n++
			if s := task.State(); s != "CONDITION_WAIT" {
				f.Errorf("at %d it is %s", n, s)
			}
			c.Notify(1)
			synctest.Wait()
		}
		if _, err := task.Join(ctx); err != nil || asked != 5 {
			f.Errorf("%v, asked %d times, want 5", err, asked)
		}
	})
}

// L17, L18, L28, W-L2: who is cancelled while another one has the lock waits for it, in
// the state of that wait, and releases its own lock and nobody else's.
func TestConditionCancelledWhileTheLockIsTaken(t *testing.T) {
	fixture.EachCondition(t, func(ctx context.Context, f *fixture.Fixture, c *curio.Condition) {
		for _, how := range []string{"cancel", "timeout"} {
			var seen error
			timed, cancel := curio.WithTimeout(ctx, time.Hour)
			task := fixture.ConditionWaiter(timed, f, c, func(err error) { seen = err })
			err := c.Do(ctx, func(ctx context.Context) error {
				if how == "cancel" {
					task.CancelNow()
				} else {
					_ = curio.Sleep(ctx, time.Hour)
				}
				synctest.Wait()
				fixture.HoldsLock(ctx, f, c, true)
				if s := task.State(); s != "LOCK_ACQUIRE" && s != "RLOCK_ACQUIRE" && s != "WRITE_ACQUIRE" {
					f.Errorf("%s: it is %s, want it to wait for the lock", how, s)
				}
				if n := len(c.Snapshot().Waiters); n != 0 {
					f.Errorf("%s: %d still wait to be notified", how, n)
				}
				task.CancelNow() // cannot hurry it
				err := curio.Sleep(ctx, time.Second)
				fixture.HoldsLock(ctx, f, c, true)
				return err
			})
			if err != nil {
				f.Error(err)
			}
			_ = task.Wait(ctx)
			fixture.Is(f, how, seen, fixture.TaskCancelled...)
			cancel()
		}
	})
}

// L28: so it is with contexts of the standard library, for goroutines that are no tasks, and
// when a kernel is shut down meanwhile: nobody comes back without the lock.
func TestConditionEndsForeignWhileTheLockIsTaken(t *testing.T) {
	fixture.EachCondition(t, func(ctx context.Context, f *fixture.Fixture, c *curio.Condition) {
		_, onlyTasks := c.Locker().(*curio.RLock)
		other := curio.NewKernel()
		for _, how := range []string{"derived", "plain", "shutdown"} {
			if onlyTasks && how == "plain" {
				continue
			}
			base, cancel := context.WithCancel(context.Background())
			ended := make(chan error)
			waits := func(ctx context.Context) error {
				return c.Do(ctx, func(ctx context.Context) error {
					err := c.Wait(ctx)
					fixture.HoldsLock(ctx, f, c, true)
					return err
				})
			}
			go func() {
				switch how {
				case "derived":
					ended <- curio.Go(context.WithoutCancel(ctx), func(ctx context.Context) error {
						derived, stop := context.WithCancel(ctx)
						context.AfterFunc(base, stop)
						fixture.Is(f, how, waits(derived), fixture.ScopeCancelled...)
						return nil
					}).Wait(context.Background())
				case "plain":
					fixture.Is(f, how, waits(base), fixture.ScopeCancelled...)
					ended <- nil
				case "shutdown":
					fixture.Is(f, how, other.Run(context.Background(), waits), fixture.TaskCancelled...)
					ended <- nil
				}
			}()
			synctest.Wait()
			fixture.Succeed(c.Acquire(ctx))
			cancel()
			shut := make(chan error, 1)
			if how == "shutdown" {
				go func() { shut <- other.Shutdown(context.Background()) }()
			} else {
				shut <- nil
			}
			synctest.Wait()
			fixture.HoldsLock(ctx, f, c, true)
			if n := len(c.Locker().Snapshot().Waiters); n != 1 {
				f.Errorf("%s: %d wait for the lock", how, n)
			}
			c.Release(ctx)
			if err := errors.Join(<-ended, <-shut); err != nil {
				f.Errorf("%s: %v", how, err)
			}
		}
	})
}

// Who has been cancelled already fails at once, with the lock held all the time.
func TestConditionWaitOfTheCancelled(t *testing.T) {
	fixture.EachCondition(t, func(ctx context.Context, f *fixture.Fixture, c *curio.Condition) {
		_ = c.Do(ctx, func(ctx context.Context) error {
			other := curio.Go(ctx, c.Acquire, curio.ReportCrash(false))
			synctest.Wait()
			dead, cancel := curio.WithTimeout(ctx, time.Hour)
			cancel()
			fixture.Is(f, "Wait", c.Wait(dead), fixture.ScopeCancelled...)
			fixture.Is(f, "WaitFor", c.WaitFor(dead, func() bool { return false }), fixture.ScopeCancelled...)
			fixture.HoldsLock(ctx, f, c, true)
			if other.Terminated() {
				f.Error("the lock was released meanwhile")
			}
			_, _ = other.Cancel(ctx)
			return nil
		})
	})
}

// A loop of WaitFor that never has to wait ends with its context too, as every operation
// does.
func TestConditionWaitForWhatIsTrueOfTheCancelled(t *testing.T) {
	fixture.EachCondition(t, func(ctx context.Context, f *fixture.Fixture, c *curio.Condition) {
		_ = c.Do(ctx, func(ctx context.Context) error {
			dead, cancel := curio.WithTimeout(ctx, time.Hour)
			cancel()
			fixture.Is(f, "WaitFor", c.WaitFor(dead, func() bool { return true }), fixture.ScopeCancelled...)
			return nil
		})
	})
}

// A notification goes to one that can still be had: who was cancelled before it is
// skipped, also if it is still waiting for the lock.
func TestConditionNotifySkipsTheCancelled(t *testing.T) {
	fixture.EachCondition(t, func(ctx context.Context, f *fixture.Fixture, c *curio.Condition) {
		var order []string
		first := fixture.ConditionWaiter(ctx, f, c, func(err error) {
			fixture.Is(f, "first", err, fixture.TaskCancelled...)
			order = append(order, "first")
		})
		second := fixture.ConditionWaiter(ctx, f, c, func(err error) {
			if err != nil {
				f.Errorf("second: %v", err)
			}
			order = append(order, "second")
		})
		fixture.Succeed(c.Do(ctx, func(context.Context) error {
			first.CancelNow()
			c.Notify(1)
			return nil
		}))
		_, _ = first.Join(ctx)
		_, _ = second.Join(ctx)
		if len(order) != 2 {
			f.Errorf("came: %v", order)
		}
	})
}

// All levels of an RLock are released, and taken back.
func TestConditionOfADeepRLock(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l curio.RLock
		c := curio.NewCondition(&l)
		if c.Locker() != &l {
			f.Error("its lock is another one")
		}
		check := func(ctx context.Context) {
			f.Helper()
			if h := l.Snapshot().Holders; len(h) != 1 || h[0] != fixture.HolderOf(curio.CurrentTask(ctx), 3) {
				f.Errorf("held by %v, want three times by the task", h)
			}
		}
		waits := func(ctx context.Context) error {
			for range 3 {
				fixture.Succeed(l.Acquire(ctx))
			}
			err := c.Wait(ctx)
			check(ctx)
			for range 3 {
				l.Release(ctx)
			}
			return err
		}
		for _, end := range []func(*curio.Task[struct{}]){
			func(*curio.Task[struct{}]) { c.Notify(1) },
			func(t *curio.Task[struct{}]) { t.CancelNow() },
		} {
			task := curio.Go(ctx, waits, curio.ReportCrash(false))
			synctest.Wait()
			if l.Locked() {
				f.Errorf("while it waits: %v", &l)
			}
			fixture.Succeed(l.Acquire(ctx)) // it has to wait for the lock
			end(task)
			synctest.Wait()
			if s := task.State(); s != "RLOCK_ACQUIRE" {
				f.Errorf("it is %s", s)
			}
			l.Release(ctx)
			_ = task.Wait(ctx)
			if l.Locked() {
				f.Errorf("left is %v", &l)
			}
		}
	})
}

// Notify need not hold the lock, and may come from anywhere.
func TestConditionBetweenTasksAndGoroutines(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var c curio.Condition
		ready, done := false, make(chan error)
		go func() {
			done <- c.Do(context.Background(), func(ctx context.Context) error {
				return c.WaitFor(ctx, func() bool { return ready })
			})
		}()
		task := curio.Go(ctx, func(ctx context.Context) error {
			return c.Do(ctx, func(ctx context.Context) error { return c.WaitFor(ctx, func() bool { return ready }) })
		})
		synctest.Wait()
		go func() {
			fixture.Succeed(c.Acquire(context.Background()))
			ready = true
			c.Release(context.Background())
			c.NotifyAll()
		}()
		if err := <-done; err != nil {
			f.Errorf("the goroutine: %v", err)
		}
		if _, err := task.Join(ctx); err != nil {
			f.Errorf("the task: %v", err)
		}
	})
}

// A condition passes Acquire, TryAcquire, Release and Do on to its lock; several can
// share one.
func TestConditionsShareALock(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l curio.Lock
		full, empty := curio.NewCondition(&l), curio.NewCondition(&l)
		fixture.Succeed(full.Acquire(ctx))
		if !l.Locked() || empty.TryAcquire(ctx) {
			f.Errorf("%v", &l)
		}
		full.Release(ctx)
		if !empty.TryAcquire(ctx) {
			f.Error("could not be had")
		}
		l.Release(ctx)

		var slot []int
		producer := curio.Go(ctx, func(ctx context.Context) error {
			for i := range 100 {
				_ = empty.Do(ctx, func(ctx context.Context) error {
					_ = empty.WaitFor(ctx, func() bool { return len(slot) == 0 })
					slot = append(slot, i)
					full.Notify(1)
					return nil
				})
			}
			return nil
		})
		for i := range 100 {
			_ = full.Do(ctx, func(ctx context.Context) error {
				_ = full.WaitFor(ctx, func() bool { return len(slot) > 0 })
				if slot[0] != i {
					f.Errorf("got %d, want %d", slot[0], i)
				}
				slot = nil
				empty.Notify(1)
				return nil
			})
		}
		_, _ = producer.Join(ctx)
	})
}

// L22
func TestConditionString(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var c curio.Condition
		says := func(want string) {
			f.Helper()
			if got := fmt.Sprint(&c); got != want {
				f.Errorf("it is %q, want %q", got, want)
			}
		}
		says("Condition()")
		task := fixture.ConditionWaiter(ctx, f, &c, func(error) {})
		says("Condition(1 waiting)")
		if got, want := c.Snapshot().Waiters, []curio.Waiter{{Task: task.AnyTask, Op: "CONDITION_WAIT"}}; !slices.Equal(got, want) {
			f.Errorf("waiting are %v", got)
		}
		fixture.Succeed(c.Acquire(ctx))
		says("Condition(held by task " + curio.CurrentTask(ctx).Path() + ", 1 waiting)")
		c.Release(ctx)
		_, _ = task.Cancel(ctx)
	})
}
